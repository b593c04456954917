"""What the answers of all machines may hold together while they arrive."""

import threading
from types import TracebackType
from typing import Self

MOST = 256 << 20
"""Bytes that all answers under way may hold."""

OWN = 8 << 20
"""Bytes that every machine may say in any case: no honest answer is so long."""


class Share:
    """The part of one answer; given back when it is left."""

    _lock = threading.Lock()
    _held = 0

    def __init__(self) -> None:
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _place: TracebackType | None
    ) -> None:
        self.grow(-self._size)

    def grow(self, size: int) -> bool:
        """Count so many bytes more; tells whether they fit."""
        with Share._lock:
            self._size += size
            Share._held += size
            return self._size <= OWN or Share._held <= MOST
