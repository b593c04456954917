"""What never changes, kept for ever: the changelog of a version, by ecosystem, source, version."""

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from driftscan import regular, store
from driftscan.errors import StoreError
from driftscan.model import Item, Want

_KINDS = {"changelogs": "deb", "rpm-changelogs": "rpm"}
_MAX_SIZE = 8 << 20


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a file: what it is about is repeated, so a file put elsewhere is no answer."""

    name: str
    version: str
    item: Item
    format: int = 1


class Cache:
    """A folder of the user's; one that cannot be used costs time, never an answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, want: Want) -> Item | None:
        """The item that was kept, if there is one and it can be read."""
        path = self._path(want)
        if path is None:
            return None
        try:
            kept = msgspec.json.decode(regular.read(path, _MAX_SIZE, ours=True), type=_Kept)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return None  # not there, or not ours: it is asked for again, and then replaced
        return kept.item if (kept.name, kept.version) == (want.name, want.version) else None

    def keep(self, want: Want, item: Item) -> None:
        """Keep the item under the want's name and version."""
        path = self._path(want)
        if path is None:
            return
        data = msgspec.json.encode(_Kept(want.name, want.version, item))
        with suppress(OSError, StoreError):
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            store.write(path, data)

    def _path(self, want: Want) -> Path | None:
        """Names are quoted, so that every file system can hold them and none leads elsewhere."""
        ecosystem = _KINDS.get(want.kind)
        parts = [quote(part, safe="+~") for part in (want.name, want.version)]
        if ecosystem is None or not all(0 < len(part) <= 200 for part in parts):
            return None
        # A name of dots alone would lead out of the folder; no package has one.
        if any(not part.strip(".") for part in parts):
            return None
        return self._folder / want.kind / ecosystem / parts[0] / f"{parts[1]}.json"


def at(folder: str = "") -> Cache:
    """The cache in a folder, else that of this account (XDG Base Directory Specification).

    Raises StoreError when others could have put there what would be told as a changelog.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(named) if Path(named).is_absolute() else Path("~/.cache").expanduser()
    place = Path(folder) if folder else home / "driftscan"
    if place.exists():
        store.own(place)
    return Cache(place)
