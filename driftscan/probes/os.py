"""What runs here: the distribution's release, its architecture and C library, and the kernel."""

import re
from collections.abc import Mapping

from driftscan.errors import ParseError
from driftscan.model import (
    Collected,
    Denied,
    Failed,
    Files,
    Item,
    Items,
    Partial,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import reading
from driftscan.probes.contract import About
from driftscan.probes.twins import machine

NAME = "os"
ASK = (
    Files(("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version")),
    Shell(
        "machine",
        """
# Release, version, machine, in this order whatever is asked for first (POSIX, uname).
u=$(uname -rvm)
printf 'release %s\\n' "${u%% *}"
v=${u#* }
printf 'version %s\\n' "${v% *}"
printf 'architecture %s\\n' "${u##* }"
g=$(getconf GNU_LIBC_VERSION)
for loader in /lib/*-linux-*/libc.so.6 /lib64/libc.so.6 /usr/lib/libc.so.6; do
  # Small images have no getconf; glibc tells its version as musl does.
  if [ -z "$g" ] && [ -x "$loader" ]; then
    g=$("$loader" | sed -n 's/^GNU C Library .*release version \\([0-9.]*[0-9]\\).*/glibc \\1/p')
  fi
done
printf 'glibc %s\\n' "$g"
for loader in /lib/ld-musl-*.so.1; do
  # musl tells its version only so: its loader, started without a program, prints it and ends.
  [ -x "$loader" ] && printf 'musl %s\\n' "$("$loader" 2>&1 | sed -n 's/^Version //p')"
done
return 0
""",
        machine.read,
    ),
)
GIVES = (
    About(
        "os",
        "facts",
        "release, architecture, libc",
        "id, version_id, codename, pretty, point (/etc/debian_version); name; kind, version",
        cost="7 ms",
    ),
    About("kernel", "facts", "kernel", "release, version", live=True),
)

_PATHS = ("/etc/os-release", "/usr/lib/os-release")
_LINE = re.compile(r"(release|version|architecture|glibc|musl) (.{0,200})")


def parse(raw: Raw) -> Mapping[str, Section]:
    """`os` and `kernel`; raises ParseError for an answer that the question cannot print. A line
    that is not of os-release(5) is a gap of `os`.

    What is not there (no os-release, a C library of neither kind) has no item; where only files
    were read, `os` is Partial and `kernel` Failed.
    """
    items: Items = {}
    gaps: list[str] = []
    refused = [path for path in reading.denied(raw) if path in _PATHS]
    if refused:
        return {"os": Denied(cure=f"read access to {refused[0]}"), "kernel": _kernel(_machine(raw))}
    for path in _PATHS:
        if path in raw.files:
            values, gaps = reading.os_release(raw.files[path].lines, path)
            if values or not gaps:
                items["release"] = _release(values)
            break
    point = raw.files.get("/etc/debian_version")
    if point is not None and point.lines:
        items.setdefault("release", {})["point"] = point.lines[0].strip(" \t")
    machine = _machine(raw)
    items |= _architecture(machine)
    if "architecture" not in items:
        gaps = [*gaps, "architecture and C library: only a running machine tells"]
    section = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"os": section, "kernel": _kernel(machine)}


def _release(values: dict[str, str]) -> Item:
    item: Item = {"id": values.get("ID", "linux")}
    fields = {
        "version_id": "VERSION_ID",
        "codename": "VERSION_CODENAME",
        "pretty": "PRETTY_NAME",
    }
    for name, variable in fields.items():
        if values.get(variable):
            item[name] = values[variable]
    older = re.search(r"\(([a-z]+)\)", values.get("VERSION", ""))
    if "codename" not in item and item["id"] == "debian" and older:
        item["codename"] = older.group(1)
    return item


def _machine(raw: Raw) -> dict[str, str]:
    values: dict[str, str] = {}
    answer = raw.outputs.get("machine")
    for line in answer.lines if answer else ():
        match = _LINE.fullmatch(line)
        if match is None or match.group(1) in values:
            raise ParseError(f"expected 'name value' once, got {line!r}")
        values[match.group(1)] = match.group(2)
    return values


def _architecture(machine: dict[str, str]) -> Items:
    items: Items = {}
    if machine.get("architecture"):
        items["architecture"] = {"name": machine["architecture"]}
    kind, _, version = machine.get("glibc", "").partition(" ")
    if kind == "glibc" and version:
        items["libc"] = {"kind": "glibc", "version": version}
    elif "musl" in machine:
        items["libc"] = {"kind": "musl", "version": machine["musl"]}
    return items


def _kernel(machine: dict[str, str]) -> Section:
    if not machine.get("release"):
        return Failed(reason="uname did not tell the kernel's release")
    kernel: Item = {"release": machine["release"], "version": machine.get("version", "")}
    return Collected(items={"kernel": kernel})
