"""The question what runs here, read from files: architecture and C library, no kernel."""

import re
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

# Programs and loaders that any machine has one of; their ELF header tells what they run on.
_PROGRAMS = (
    "/bin/sh",
    "/lib64/ld-*.so*",
    "/lib/ld-*.so*",
    "/lib/*-linux-*/ld-*.so*",
    "/lib/*-linux-*/libc.so.6",
    "/usr/bin/*",
    "/usr/local/bin/*",
    "/bin/*",
    "/*",
)
# e_machine (elf(5)) as `uname -m` names it, of 64 and of 32 bits; arm's 32 bits run as armv7l.
_MACHINES = {
    3: "i686",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_LITTLE = {"ppc64": "ppc64le", "mips": "mipsel"}
_GLIBC = re.compile(rb"GNU C Library .{0,200}?release version ([0-9.]+[0-9])")
_GLIBCS = ("/lib/*-linux-*/libc.so.6", "/lib64/libc.so.6", "/lib/libc.so.6", "/usr/lib/libc.so.6")
_MUSL = re.compile(rb"\x00([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9a-z-]{1,40})?)\x00")
_MUSLS = "/lib/ld-musl-*.so.1"


def read(tree: Tree) -> Iterator[str]:
    """As uname(1), getconf(1) and musl's loader tell it on a machine that runs."""
    named = (_architecture(tree, path) for path in tools.expand(tree, *_PROGRAMS))
    if name := next(filter(None, named), tree.machine):
        yield f"architecture {name}"
    for path in tools.expand(tree, *_GLIBCS):
        if found := _GLIBC.search(tree.read(path, tools.LARGEST)):
            yield f"glibc glibc {found[1].decode()}"
            break
    for path in tools.expand(tree, _MUSLS):
        if tools.is_program(tree, path):
            versions = _MUSL.findall(tree.read(path, tools.LARGEST))
            yield f"musl {versions[0].decode() if versions else ''}"


def _architecture(tree: Tree, path: str) -> str:
    head = tree.read(path, 20) if tools.is_file(tree, path) else b""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    little = head[5] == 1
    name = _MACHINES.get(int.from_bytes(head[18:20], "little" if little else "big"), "")
    return _LITTLE.get(name, name) if little else name
