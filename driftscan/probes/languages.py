"""What the managers of languages installed: Python, npm and pnpm, RubyGems, Go programs, jars.

One walk over named places, with limits of depth, size and time: at a limit the sections are
Partial and say so. Names and versions only; nothing is run. What /usr/lib has is a package's, and
/usr/local/lib/python3 is told by `unpackaged`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from posixpath import basename, dirname

import msgspec
from msgspec import Struct

from driftscan import versions
from driftscan.model import Collected, Failed, Item, Items, Partial, Question, Raw, Section, Shell
from driftscan.probes import apps
from driftscan.probes.contract import About
from driftscan.probes.language_walk import BODY, Walk, walked
from driftscan.probes.twins import languages as twin
from driftscan.probes.unpackaged import distribution

NAME = "languages"


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The question, about these further roots too."""
    below = "".join(f" -o -path '{root}/*'" for root in roots)
    hidden = "".join(f" ! -name {name}" for name in twin.HIDDEN)
    body = BODY.replace("@APPS@", apps.words(roots)).replace("@BELOW@", below)
    body = body.replace("@HIDDEN@", hidden)
    return (Shell("walk", body, partial(twin.read, apps=roots)),)


ASK = asked(())
GIVES = (
    About(
        "python",
        "facts",
        "pypi//name@place: of virtual environments, pipx, uv and users' sites",
        "version, installer, url and editable (of direct_url.json), owner (a package's)",
        cost="all five 12 ms where there is nothing, and what reading the names takes",
    ),
    About(
        "npm",
        "facts",
        "npm/@scope/name@node_modules (not what is nested in a package)",
        "version, versions (side by side, pnpm's), owner",
    ),
    About("gems", "facts", "gem//name@place of specifications", "version, versions, owner"),
    About("go", "facts", "golang/MODULE@program", "version, go (the compiler's), owner"),
    About(
        "jars",
        "facts",
        "jar//name@directory (jar, war, ear)",
        "version (of the file's name), versions, size (bytes), owner",
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    if "walk" not in raw.outputs:
        return dict.fromkeys(
            (about.name for about in GIVES), Failed(reason="only a running machine tells")
        )
    lines = raw.outputs["walk"].lines
    walk = walked(lines)
    found = {
        "python": _python(walk),
        "npm": _npm(walk),
        "gems": _gems(walk),
        "go": _go(walk),
        "jars": _jars(walk),
    }
    gaps = list(_gaps(walk)) if lines and lines[0] != "have dpkg" else []
    return {name: _section(walk, items, gaps) for name, items in found.items()}


def _section(walk: Walk, items: Items, gaps: list[str]) -> Section:
    """The items, each with the package that has its place, where dpkg tells."""
    if walk.packaged:
        owned: Items = {}
        for key, item in items.items():
            owned[key] = {**item, "owner": _owner(walk, key.partition("@/")[2])}
        items = owned
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _owner(walk: Walk, place: str) -> str:
    parts = f"/{place}".split("/")
    return next(filter(None, (walk.owners.get("/".join(parts[:n])) for n in (3, 5))), "")


def _gaps(walk: Walk) -> Iterable[str]:
    if not walk.whole:
        yield "a walk has 10 s and tells 4 MB: the rest was not looked at"
    if walk.odd:
        yield apps.ODD
    for what, paths in (("denied", walk.closed), ("deeper than is looked at", walk.deep)):
        yield from (f"{path}: {what}" for path in sorted(paths)[:_TOLD])
        if len(paths) > _TOLD:
            yield f"{len(paths) - _TOLD} more directories: {what}"


_TOLD = 5


def _put(items: Items, ecosystem: str, key: str, item: Item) -> None:
    """One more item; of several versions side by side `version` is the newest, `versions` all."""
    if key not in items:
        items[key] = item
        return
    before, version = items[key], str(item["version"])
    known = before.get("versions") or [str(before["version"])]
    listed = sorted({*(known if isinstance(known, list) else []), version})
    newest = str(before["version"])
    if versions.compare(ecosystem, newest, version) == -1:
        newest = version
    items[key] = {**before, "version": newest}
    if len(listed) > 1:
        items[key]["versions"] = listed


# --- one ecosystem after the other --------------------------------------------------------------


class _Origin(Struct):
    """direct_url.json (PEP 610), as far as it is told; other fields are left out."""

    class Directory(Struct):
        editable: bool = False

    class Source(Struct):
        commit_id: str = ""

    url: str = ""
    dir_info: Directory | None = None
    vcs_info: Source | None = None


def _python(walk: Walk) -> Items:
    items: Items = {}
    for path in sorted(walk.sizes):
        found = distribution(path)
        if found is None:
            continue
        key, version = found
        item: Item = {"version": version, "installer": walk.installers.get(path, "")}
        items[key] = {**item, **_origin(walk.origins.get(path, ""))}
    return items


def _origin(text: str) -> Item:
    """Where it was installed from, if that is no index; nothing where nobody can read it."""
    try:
        origin = msgspec.json.decode(text, type=_Origin)
    except (msgspec.DecodeError, RecursionError):
        return {}
    item: Item = {"url": origin.url} if origin.url else {}
    if origin.vcs_info is not None and origin.vcs_info.commit_id:
        item["commit"] = origin.vcs_info.commit_id
    if origin.dir_info is not None and origin.dir_info.editable:
        item["editable"] = True
    return item


_MODULE = re.compile(r"(?:@(?P<scope>[^/@]+)/)?(?P<name>[^/@]+)")
_STORED = re.compile(
    r"(?P<name>(?:@[^+/]+\+|file\+.*\+)?[^@/+]+)@(?P<version>[0-9][^_(/]*)(?:[_(].*)?"
)


def _npm(walk: Walk) -> Items:
    items: Items = {}
    for path, version in sorted(walk.modules.items()):
        place, _, name = path.rpartition("/node_modules/")
        # By an alias a package is in a directory of another name.
        own = walk.names.get(path, "")
        scope, _, plain = (own if _MODULE.fullmatch(own) else name).rpartition("/")
        _put(items, "npm", f"npm/{scope}/{plain}@{place}/node_modules", {"version": version})
    for path in sorted(walk.sizes):
        place, mark, name = path.rpartition("/node_modules/.pnpm/")
        match = _STORED.fullmatch(name) if mark else None
        if match is not None:
            scope, _, plain = match["name"].rpartition("+")
            scope = scope if scope.startswith("@") else ""
            key = f"npm/{scope}/{plain}@{place}/node_modules"
            _put(items, "npm", key, {"version": match["version"]})
    return items


_GEM = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][0-9A-Za-z.]*(?:-[a-z0-9_]+)*)\.gemspec")


def _gems(walk: Walk) -> Items:
    items: Items = {}
    for path in sorted(walk.sizes):
        place, mark, name = path.partition("/specifications/")
        match = _GEM.fullmatch(basename(name)) if mark else None
        if match is not None:
            _put(items, "gem", f"gem//{match['name']}@{place}", {"version": match["version"]})
    return items


_COMPILER = re.compile(r"go(1[0-9.]*(?:rc[0-9]+|beta[0-9]+)?)")


def _go(walk: Walk) -> Items:
    """Programs with the build information of the linker (cmd/go, `go version -m`)."""
    items: Items = {}
    for program, lines in sorted(walk.programs.items()):
        item: Item = {"version": "", "go": ""}
        path = ""
        for line in lines:
            head, _, main = line.partition("path\t")
            compiler = _COMPILER.search(head)
            if line.startswith("mod\t"):
                item["version"] = [*line.split("\t"), "", ""][2]
            elif compiler is not None:
                item["go"] = compiler[1]
                path = main.partition("\t")[0].strip(" ")
        if item["go"]:
            items[f"golang/{path or basename(program)}@{program}"] = item
    return items


_JAR = re.compile(r"(?P<name>.+?)(?:-(?P<version>[0-9][0-9A-Za-z.+_-]*))?\.(?:jar|war|ear)", re.I)


def _jars(walk: Walk) -> Items:
    items: Items = {}
    for path, size in sorted(walk.sizes.items()):
        match = _JAR.fullmatch(basename(path))
        if match is not None and "/node_modules/" not in path:
            item: Item = {"version": match["version"] or "", "size": size}
            _put(items, "maven", f"jar//{match['name']}@{dirname(path)}", item)
    return items
