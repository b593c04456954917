"""The files of a database -> the lines that the host's own `rpm -qa` prints for our question."""

import stat
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.rpmdb import bdb, ndb, sqlite
from driftscan.rpmdb import header as tags
from driftscan.rpmdb.header import Header
from driftscan.rpmdb.signature import key_id

# rpm(8), QUERY OPTIONS. A record begins with `- `; r, w and p are what it requires, recommends and
# provides. The signature is the one that `rpm -qi` shows.
_SIGNATURE = "(none)"
for _tag in ("SIGPGP", "SIGGPG", "RSAHEADER", "DSAHEADER"):
    _SIGNATURE = f"%|{_tag}?{{%{{{_tag}:pgpsig}}}}:{{{_SIGNATURE}}}|"
FORMAT = (
    r"- %{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}}:{}|\t%{VERSION}\t%{RELEASE}\t%{SOURCERPM}"
    rf"\t%{{INSTALLTIME}}\t%{{BUILDTIME}}\t{_SIGNATURE}\t%{{VENDOR}}\n"
    r"[r %{REQUIRENAME}\n][p %{PROVIDENAME}\n]"
)
RECOMMENDED = r"[w %{RECOMMENDNAME}\n]"
"""Older rpms (RHEL 7) know no such tag and refuse the whole question."""

_WAL = "rpmdb.sqlite-wal"


def _from_sqlite(files: Mapping[str, bytes]) -> Iterator[bytes]:
    wal = files.get(_WAL, b"")
    with sqlite.opened(files["rpmdb.sqlite"], wal, "rpmdb.sqlite") as connection:
        if "Packages" not in sqlite.tables(connection):
            raise ParseError("rpmdb.sqlite is no database of rpm: it has no table Packages")
        for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY rowid"):
            if not isinstance(blob, bytes):
                raise ParseError("rpmdb.sqlite is damaged: a package is no blob")
            yield blob


_READERS: dict[str, Callable[[Mapping[str, bytes]], Iterator[bytes]]] = {
    "rpmdb.sqlite": _from_sqlite,
    "Packages.db": lambda files: ndb.blobs(files["Packages.db"]),
    "Packages": lambda files: bdb.blobs(files["Packages"]),
}
DATABASES = tuple(_READERS)
"""The names under which rpm keeps its packages, the newest form first."""


def answer(files: Mapping[str, bytes]) -> bytes:
    """What `rpm -qa --qf FORMAT` prints, from the bytes of `rpmdb.sqlite` (and its `-wal`),
    `Packages.db` or `Packages`: of the first of these that is there and not empty.

    The signature is told as `Key ID` and the id alone. Raises ParseError when the database is
    damaged, foreign or without a package: an rpm machine has some.
    """
    return b"".join(map(_record, _headers(files)))


def _headers(files: Mapping[str, bytes]) -> Iterator[Header]:
    name = next((name for name in DATABASES if files.get(name)), "")
    if not name:
        raise ParseError("there is no database of rpm")
    empty = True
    for blob in _READERS[name](files):
        empty = False
        yield Header(blob)
    if empty:
        raise ParseError(f"{name} holds no package in its {len(files[name])} bytes")


class Shipped(Struct, frozen=True):
    """A file as its package shipped it: `package` is `name.arch`."""

    package: str
    path: str
    digest: str
    may_be_missing: bool


_CONFIG, _DOCUMENTATION, _MISSING_OK, _GHOST = 1, 2, 8, 64
_NORMAL = 0


def shipped(files: Mapping[str, bytes], *, configuration: bool) -> Iterator[Shipped]:
    """The regular configuration files of all packages, or all others but those that a package only
    names (%ghost); raises ParseError as `answer` does."""
    for header in _headers(files):
        folders, states = header.texts(tags.DIRNAMES), header.numbers(tags.FILESTATES)
        rows = zip(
            header.numbers(tags.FILEFLAGS),
            header.numbers(tags.FILEMODES),
            header.numbers(tags.DIRINDEXES),
            header.texts(tags.BASENAMES),
            header.texts(tags.FILEDIGESTS),
            states or [_NORMAL] * len(header.numbers(tags.FILEFLAGS)),
            strict=False,
        )
        package = b"%s.%s" % (_told(header.text(tags.NAME)), _told(header.text(tags.ARCH)))
        for flags, mode, folder, base, digest, state in rows:
            of_kind = flags & _CONFIG if configuration else not flags & (_CONFIG | _GHOST)
            wanted = of_kind and state == _NORMAL and stat.S_ISREG(mode)
            if wanted and digest and folder < len(folders):
                yield Shipped(
                    package.decode("utf-8", "surrogateescape"),
                    (folders[folder] + base).decode("utf-8", "surrogateescape"),
                    digest.decode("ascii", "replace"),
                    flags & (_MISSING_OK | _GHOST | _DOCUMENTATION) != 0,
                )


def listed(files: Mapping[str, bytes], *, ghosts: bool) -> Iterator[tuple[str, str]]:
    """`name.arch` and path of all files of packages, without `ghosts` of those they bring; raises
    ParseError as `answer` does."""
    for header in _headers(files):
        folders, bases = header.texts(tags.DIRNAMES), header.texts(tags.BASENAMES)
        package = b"%s.%s" % (_told(header.text(tags.NAME)), _told(header.text(tags.ARCH)))
        name = package.decode("utf-8", "surrogateescape")
        rows = zip(
            header.numbers(tags.DIRINDEXES), bases, header.numbers(tags.FILEFLAGS), strict=False
        )
        for folder, base, flags in rows:
            if folder < len(folders) and (ghosts or not flags & _GHOST):
                yield name, (folders[folder] + base).decode("utf-8", "surrogateescape")


def _record(header: Header) -> bytes:
    if not header.text(tags.NAME):
        raise ParseError("a package's header has no name")
    epoch = header.number(tags.EPOCH)
    fields = [
        _told(header.text(tags.NAME)),
        _told(header.text(tags.ARCH)),
        b"" if epoch is None else b"%d" % epoch,
        *(_told(header.text(tag)) for tag in (tags.VERSION, tags.RELEASE, tags.SOURCERPM)),
        *(_number(header.number(tag)) for tag in (tags.INSTALLTIME, tags.BUILDTIME)),
        _signed(header),
        _told(header.text(tags.VENDOR)),
    ]
    needs = ((b"r", tags.REQUIRENAME), (b"p", tags.PROVIDENAME), (b"w", tags.RECOMMENDNAME))
    lines = [b"- " + b"\t".join(fields)]
    lines += [mark + b" " + name for mark, tag in needs for name in header.texts(tag)]
    return b"".join(line + b"\n" for line in lines)


def _told(text: bytes | None) -> bytes:
    return b"(none)" if text is None else text


def _number(number: int | None) -> bytes:
    return b"(none)" if number is None else b"%d" % number


def _signed(header: Header) -> bytes:
    for tag in (tags.DSAHEADER, tags.RSAHEADER, tags.SIGGPG, tags.SIGPGP):
        signature = header.bytes_of(tag)
        if signature:
            return b"Key ID " + key_id(signature).encode()
    return b"(none)"
