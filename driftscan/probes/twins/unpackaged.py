"""The question what stands beside the packages, read from files."""

from collections.abc import Iterator
from itertools import islice
from posixpath import basename

from driftscan.model import Tree
from driftscan.probes.twins import rpm, tools

_PLACES = (
    *("/usr/local/bin", "/usr/local/sbin", "/usr/local/src", "/usr/local/lib"),
    *("/usr/local/lib/*-linux-*", "/usr/lib/python3*/*-packages"),
    *("/usr/local/lib/python3*/*-packages", "/usr/lib/python3*/*-packages/*.libs"),
    *("/usr/local/lib/python3*/*-packages/*.libs", "/opt/*/lib", "/opt/*/lib64", "/opt/*/*/lib"),
    *("/srv/*/lib", "/srv/*/*/lib", "/opt/*/lib/python3*/site-packages/*.libs"),
    *("/opt/*/*/lib/python3*/site-packages/*.libs", "/srv/*/lib/python3*/site-packages/*.libs"),
    "/srv/*/*/lib/python3*/site-packages/*.libs",
)
_INFOS = ("/usr/lib/python3*/*-packages/*-info", "/usr/local/lib/python3*/*-packages/*-info")
_ENABLED = (
    "/etc/php/*/*/conf.d/*.ini",
    "/etc/nginx/modules-enabled/*.conf",
    "/etc/apache2/mods-enabled/*.load",
)
_CONFIGURED = (
    "/usr/lib/*/ImageMagick-*/config-*/configure.xml",
    "/usr/local/lib/ImageMagick-*/config-*/configure.xml",
    "/opt/*/lib/ImageMagick-*/config-*/configure.xml",
)
_OVER = ("/usr/local/sbin/*", "/usr/local/bin/*")
_UNDER = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_INFO = "/var/lib/dpkg/info"
_SHIPPED = r"^/etc/php/[^/]+/mods-available/[^/]+[.]ini$"


def read(tree: Tree) -> Iterator[str]:
    """The lines of the script, in its order."""
    yield from _files(tree)
    yield from _python(tree)
    yield from _extensions(tree)
    builds = tools.grep(
        tree, '<configure name="(DELEGATES|FEATURES|VERSION)"', tools.expand(tree, *_CONFIGURED)
    )
    yield from islice(builds, 100)
    wanted: set[str] = set()
    yield from _hiding(tree, wanted)
    wanted.update(tools.expand(tree, _INFOS[0]))
    if tree.enterable(_INFO):
        yield "have dpkg"
        yield from (f"owner {line}" for line in tools.owners(tree, wanted))
        return
    infos = {path for path in tools.expand(tree, _INFOS[0]) if "\n" not in path}
    owned = [f"owner {name}.list:{path}" for name, path in _listed(tree) if path in infos]
    yield from ["have owners", *owned] if infos and owned else []


def _listed(tree: Tree) -> Iterator[tuple[str, str]]:
    """Package and directory of the lists of apk, pacman and rpm."""
    package = ""
    for line in tools.lines(tree, "/lib/apk/db/installed"):
        package = line[2:] if line.startswith("P:") else package
        if line.startswith("F:"):
            yield package, f"/{line[2:]}"
    for path in tools.expand(tree, "/var/lib/pacman/local/*/files"):
        name = path.split("/")[-2].rsplit("-", 2)[0]
        for line in tools.lines(tree, path):
            if line.endswith("-info/"):
                yield name, f"/{line[:-1]}"
    yield from rpm.listed(tree)


def _files(tree: Tree) -> Iterator[str]:
    places = [path for path in tools.expand(tree, *_PLACES) if tools.is_directory(tree, path)]
    places = [path for path in places if "\n" not in path]
    for path in [*tools.expand(tree, "/opt/*", "/srv/*"), *places]:
        if "\n" not in path and tools.is_directory(tree, path) and not tree.enterable(path):
            yield f"closed {path}"
    for place in places:
        for path in tools.named(tree, place, "*"):
            if "\n" in basename(path):
                yield "odd"
                continue
            node = tree.lstat(path) if _told(path) else None
            if node is not None:
                yield tools.stat_line(node, path)


_PROGRAMS = "/usr/local/*bin/*"


def _told(path: str) -> bool:
    name = basename(path)
    return (
        tools.matches(path, _PROGRAMS)
        or path.startswith("/usr/local/src/")
        or tools.matches(path, "*/python3*/*-packages/*-info")
        or tools.matches(path, "*/python3*/*-packages/*.egg")
        or tools.matches(name, "lib*.so")
        or tools.matches(name, "lib*.so.*")
    )


def _python(tree: Tree) -> Iterator[str]:
    for path in tools.expand(tree, *_INFOS):
        yield from islice(tools.grep(tree, ".", [f"{path}/INSTALLER"]), 1)
    local = list(tools.expand(tree, _INFOS[1]))
    for path in local:
        if tools.exists(tree, f"{path}/REQUESTED"):
            yield f"asked {path}"
    needs = tools.grep(tree, "^Requires-Dist: ", (f"{path}/METADATA" for path in local))
    yield from islice((line for line in needs if not _is_extra(line)), 5000)


def _is_extra(line: str) -> bool:
    return "extra" in line.partition(";")[2]


def _extensions(tree: Tree) -> Iterator[str]:
    """What is switched on; ucf(1) or dpkg knows whose the PHP extensions are."""
    for path in tools.expand(tree, *_ENABLED):
        if tools.exists(tree, path):
            yield f"enabled {path}"
    rows = (line.split() for line in tools.lines(tree, "/var/lib/ucf/registry"))
    for row in rows:
        if len(row) == 2 and tools.found("/etc/php/[^/]+/mods-available/", row[1]):
            yield f"ucf {row[0]} {row[1]}"
    for line in tools.grep(tree, _SHIPPED, tools.expand(tree, f"{_INFO}/php*.list")):
        yield "owner " + line.removeprefix(f"{_INFO}/")


def _hiding(tree: Tree, wanted: set[str]) -> Iterator[str]:
    """Local programs that hide one of the system's; what is hidden goes to `wanted`."""
    for path in tools.expand(tree, *_OVER):
        if not tools.is_program(tree, path) or "\n" in path:
            continue
        hidden = [f"{place}/{basename(path)}" for place in _UNDER]
        under = next((other for other in hidden if tools.is_program(tree, other)), "")
        real, leads = tree.real(path), tree.real(under) if under else ""
        if under and real != leads:
            yield from (f"over {path}", f"real {real}", f"under {under}", f"leads {leads}")
            wanted.update((leads, leads.removeprefix("/usr")))
