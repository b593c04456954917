"""A folder of fingerprints, one a machine: written by one run at a time, the last good one kept."""

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from driftscan import plausible, regular, store
from driftscan.errors import InputError, StoreError
from driftscan.model import Absent, Collected, Fingerprint

RUN = ".driftscan-run"
"""Locked while a run writes the folder; says since when, for `--resume`."""


class Run(Struct, frozen=True):
    """The run that writes the folder, or was the last to."""

    started: str
    process: int


class Kept(Struct, frozen=True):
    """Where a fingerprint went; `lost` names what an earlier one, which stays, has whole."""

    path: Path
    fingerprint: Fingerprint
    notes: list[str]
    lost: list[str] = []


class Folder:
    """The folder while this run has it for itself."""

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self.run = run

    def result(self, name: str) -> Fingerprint | None:
        """What this run has already found of a target, if anything.

        Raises StoreError, with the cure, if another account could have written what is there.
        """
        _refuse(self.path / file_name(name))
        found = self._last(name, [])
        return found if found is not None and found.meta.taken >= self.run.started else None

    def keep(self, name: str, fingerprint: Fingerprint) -> Kept:
        """Write a target's fingerprint.

        One that lacks what the last had whole goes beside it (`NAME.json.partial`), and packages
        that fell to a tenth are `suspect`. Raises StoreError when it cannot be written.
        """
        path = self.path / file_name(name)
        notes: list[str] = []
        beside = path.with_name(f"{path.name}.partial")
        last = self._last(name, notes)
        if last is not None:
            fingerprint = replace(fingerprint, facts=plausible.beside(fingerprint, last))
            if lost := _lost(fingerprint, last):
                store.save(beside, fingerprint)
                notes.append(
                    f"{', '.join(lost)} not whole this time: {path} of {last.meta.taken} stays;"
                    " remove it if this is how things are now"
                )
                return Kept(beside, fingerprint, notes, lost)
        store.save(path, fingerprint)
        with suppress(OSError):
            beside.unlink()
        return Kept(path, fingerprint, notes)

    def _last(self, name: str, notes: list[str]) -> Fingerprint | None:
        """The fingerprint that is there; what cannot be read is moved out of the way, and told."""
        path = self.path / file_name(name)
        if not path.exists():
            return None
        try:
            found = store.load(path, ours=True)
        except StoreError as error:
            aside = path.with_name(f"{path.name}.unreadable")
            with suppress(OSError):
                path.replace(aside)
            notes.append(f"{error}: it is now {aside.name}")
            return None
        return found if isinstance(found, Fingerprint) else None


def _refuse(path: Path) -> None:
    """A fingerprint that is there decides what is `suspect`, what is asked and what is replaced."""
    try:
        found = path.lstat()
    except OSError:
        return  # not there; or the folder itself tells
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path}: is no regular file: take it out of the folder")
    if why := regular.others(found):
        cure = "" if "chmod" in why else ": look at it, then chown or remove it"
        raise StoreError(f"{path}: {why}{cure}")


def _lost(now: Fingerprint, last: Fingerprint) -> list[str]:
    whole = Collected | Absent
    return [
        name
        for name, section in sorted(now.facts.items())
        if isinstance(last.facts.get(name), whole) and not isinstance(section, whole)
    ]


@contextmanager
def opened(path: Path, *, resume: bool = False) -> Iterator[Folder]:
    """The folder, made if need be, for this run alone; the lock ends with the process.

    With `resume` the last run goes on: what it found counts. Raises StoreError when the folder is
    not ours to use or another run has it, InputError when there is no run to take up.
    """
    _make(path)
    store.own(path)
    lock = _locked(path)
    try:
        last = _run(lock)
        if resume and last is None:
            raise InputError(f"{path}: no run began there: leave --resume out")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        run = Run(last.started if resume and last else now, os.getpid())
        _record(path, lock, run)
        for part in path.glob(".*.json.*.part"):  # of a run that was killed
            part.unlink(missing_ok=True)
        yield Folder(path, run)
    finally:
        os.close(lock)


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}") from error


def _locked(path: Path) -> int:
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path / RUN, flags, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        run = _run(handle)
        os.close(handle)
        by = f" since {run.started} (process {run.process})" if run else ""
        raise StoreError(
            f"{path}: another driftscan writes there{by}: wait for it, or name another folder"
        ) from error
    except OSError as error:
        os.close(handle)
        raise StoreError(
            f"{path}: cannot be locked: {error.strerror}: name a folder of a local file system"
        ) from error
    return handle


def _run(handle: int) -> Run | None:
    try:
        return msgspec.json.decode(os.pread(handle, 4096, 0), type=Run)
    except (OSError, msgspec.MsgspecError):
        return None


def _record(path: Path, handle: int, run: Run) -> None:
    """In place: a new file would not be the one that is locked."""
    data = msgspec.json.encode(run)
    try:
        os.pwrite(handle, data, 0)
        os.ftruncate(handle, len(data))
        os.fsync(handle)
    except OSError as error:
        raise StoreError(f"{path / RUN}: cannot be written: {error.strerror}") from error


def file_name(name: str) -> str:
    """A target's file: its name, or for other forms a readable and unique stand-in."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", name):
        return f"{name}.json"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"
