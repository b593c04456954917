"""Fingerprints, baselines and reports on disk: written whole or not at all, read strictly."""

import errno
import fcntl
import os
import re
import select
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from driftscan import regular
from driftscan.errors import StoreError
from driftscan.model import SCHEMA, Baseline, Fingerprint, Report
from driftscan.sanitize import safe

MAX_SIZE = 256 << 20
PRIVATE = 0o600
PUBLIC = 0o644
_TURN = 10.0
_LOOK = 0.01
_READER = 10.0


def save(path: Path, noun: Fingerprint | Baseline) -> None:
    """Write a fingerprint or a baseline as sorted, indented JSON, mode 0600.

    A baseline that is there already keeps its mode: it may be in a checkout of many accounts.
    The file is replaced as a whole or stays as it was. Raises StoreError when it cannot be.
    """
    write(path, encode(noun), _kept_mode(path) if isinstance(noun, Baseline) else PRIVATE)


def _kept_mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o666
    except OSError:
        return PRIVATE


def encode(noun: Fingerprint | Baseline) -> bytes:
    """The bytes of a file: the same noun always gives the same; `schema` is always written."""
    plain = msgspec.to_builtins(noun)
    plain["schema"] = noun.schema
    if isinstance(noun, Baseline):
        plain["fingerprint"]["schema"] = noun.fingerprint.schema
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=1) + b"\n"


def load(path: Path, *, ours: bool = False) -> Fingerprint | Baseline:
    """What a file holds; with `ours` one that no other account could have written.

    Raises StoreError that names the file and what is wrong with it.
    """
    data = _bytes(path, ours=ours)
    try:
        head = msgspec.json.decode(data, type=_Head)
        kind = _kind(path, head)
        if _UNUSUAL.search(data) is None and head.schema == SCHEMA:
            return msgspec.json.decode(data, type=kind)
        plain = _current(_printable(msgspec.json.decode(data)), int(head.schema))
        return msgspec.convert(plain, type=kind)
    except msgspec.ValidationError as error:
        _refuse(path, f"not of the form driftscan writes: {error}", error)
    except msgspec.DecodeError as error:
        _refuse(path, _malformed(data, str(error)), error)
    except (RecursionError, ValueError) as error:
        _refuse(path, f"not JSON that driftscan writes: {error}", error)


def load_report(path: Path) -> Report:
    """The report in a file of `-f json`. Raises StoreError that names the file and the mistake."""
    data = _bytes(path)
    try:
        return msgspec.json.decode(data, type=Report)
    except msgspec.ValidationError as error:
        _refuse(path, f"not a report as `driftscan check -f json` writes it: {error}", error)
    except msgspec.DecodeError as error:
        _refuse(path, _malformed(data, str(error)), error)
    except (RecursionError, ValueError) as error:
        _refuse(path, f"not JSON that driftscan writes: {error}", error)


def write(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Put the data at the path, whole or not at all; a pipe or a device is written into.

    Raises StoreError that names the path when it cannot be.
    """
    try:
        if regular.is_handed(path):
            path.write_bytes(data)
        elif _is_stream(path):
            _pour(path, data)
        else:
            _replace(path, data, mode)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """In here no other driftscan reads this file and writes it anew; each waits for its turn.

    The lock is on the file itself, which is made if need be: nothing else lies beside it. Raises
    StoreError when it cannot be opened, or another process holds it for long.
    """
    if _is_stream(path):
        yield
        return
    handle = _held(path)
    try:
        yield
    finally:
        os.close(handle)


def _held(path: Path) -> int:
    ends = time.monotonic() + _TURN
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PUBLIC)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError as error:
            if time.monotonic() > ends:
                os.close(handle)
                raise StoreError(
                    f"{path}: another driftscan writes it: wait for that, and try again"
                ) from error
        except OSError as error:
            os.close(handle)
            raise StoreError(f"{path}: cannot be locked: {error.strerror or error}") from error
        os.close(handle)  # another has it, or has put a new file in its place
        time.sleep(_LOOK)


def own(folder: Path) -> None:
    """Raise StoreError, with the cure, if another account could put or change files there."""
    try:
        found = folder.stat()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if why := regular.others(found):
        cure = "" if "chmod" in why else ": run as that, or name a folder of your own"
        raise StoreError(f"{folder}: {why}{cure}")


def _is_stream(path: Path) -> bool:
    """A pipe, a terminal, `/dev/stdout`: replacing it would be of no use, or of harm.

    A link is replaced whatever it leads to: anybody may have put it where everybody may write.
    """
    if regular.is_handed(path):
        return True
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _pour(path: Path, data: bytes) -> None:
    """Write into a device, or a pipe of ours or root's that somebody reads before long."""
    if not path.is_fifo():
        path.write_bytes(data)
        return
    with os.fdopen(_entered(path), "wb", buffering=0) as pipe:
        watch = select.poll()
        watch.register(pipe, select.POLLOUT)
        rest = memoryview(data)
        while rest:
            if not watch.poll(_READER * 1000):
                raise OSError(errno.ETIMEDOUT, f"nobody has read the pipe for {_READER:g} s")
            rest = rest[pipe.write(rest) or 0 :]


def _entered(path: Path) -> int:
    """The pipe, opened when it has a reader: another account's would get what is private."""
    ends = time.monotonic() + _READER
    while (owner := path.lstat().st_uid) in (os.geteuid(), 0):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > ends:
                why = f"a pipe that nobody has read for {_READER:g} s"
                raise OSError(errno.ETIMEDOUT, why) from error
            time.sleep(_LOOK)
            continue
        found = os.fstat(handle)
        if stat.S_ISFIFO(found.st_mode) and found.st_uid == owner:
            return handle
        os.close(handle)
        raise OSError(errno.EEXIST, "another file was put there")
    raise PermissionError(errno.EPERM, f"a pipe of another account (uid {owner})")


def _replace(path: Path, data: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """The new name survives a power cut too, where the file system can promise that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- reading -----------------------------------------------------------------------------------


class _Head(msgspec.Struct):
    """What tells which noun a file holds, and of which schema; the rest is passed over."""

    schema: int | str
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    fingerprint: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    hosts: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


# A file of ours rarely holds more than ASCII without escapes; where it does, all is looked at.
_UNUSUAL = re.compile(rb"\\[ubfnrt]|[^\x00-\x7e]")


# What a file of each older schema has to become one of the next; it stays as it is on disk.
_NEXT: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def _current(plain: dict[str, Any], schema: int) -> dict[str, Any]:
    """The content of a file as this driftscan would have written it."""
    for older in range(schema, SCHEMA):
        if older not in _NEXT:
            raise msgspec.ValidationError(f"schema {older}, which no driftscan ever wrote")
        plain = {**_NEXT[older](plain), "schema": older + 1}
        if "fingerprint" in plain:
            inner = plain["fingerprint"]
            plain["fingerprint"] = {**_NEXT[older](inner), "schema": older + 1}
    return plain


def _bytes(path: Path, *, ours: bool = False) -> bytes:
    try:
        return regular.read(path, MAX_SIZE, ours=ours)
    except OSError as error:
        never = ", which driftscan never writes" if error.errno == errno.EFBIG else ""
        why = f"{error.strerror or error}{never}"
        raise StoreError(f"{path}: cannot be read: {why}") from error


def _kind(path: Path, head: _Head) -> type[Fingerprint] | type[Baseline]:
    if isinstance(head.schema, str) or head.hosts is not msgspec.UNSET:
        raise StoreError(f"{path}: is a report: give the fingerprint that `driftscan scan` writes")
    if head.schema > SCHEMA:
        raise StoreError(
            f"{path}: written by a newer driftscan (schema {head.schema}, this one reads up to"
            f" {SCHEMA}): update driftscan"
        )
    if head.fingerprint is not msgspec.UNSET:
        return Baseline
    if head.meta is not msgspec.UNSET:
        return Fingerprint
    raise StoreError(f"{path}: neither a fingerprint nor a baseline of driftscan")


def _malformed(data: bytes, said: str) -> str:
    if not data.strip():
        return "empty: take it again"
    if "truncated" in said:
        return f"cut short after {len(data)} bytes: take it again"
    return f"not JSON: {said}"


def _refuse(path: Path, text: str, error: Exception) -> NoReturn:
    raise StoreError(f"{path}: {safe(text)}") from error


_BREAKS = {"\n": "\n", "\t": "\t", "\r": "\r"}


def _printable(value: Any, key: str = "") -> Any:
    """The value with every string printable, as a scan would have kept it.

    A file may come from anyone. Only the text of a Dockerfile keeps its line breaks and tabs.
    """
    if isinstance(value, str):
        if key != "text":
            return safe(value)
        return "".join(_BREAKS.get(part) or safe(part) for part in re.split("([\n\t\r])", value))
    if isinstance(value, list):
        return [_printable(item, key) for item in value]
    if isinstance(value, dict):
        return {safe(name): _printable(item, name) for name, item in value.items()}
    return value
