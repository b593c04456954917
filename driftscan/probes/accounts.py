"""Who may use a machine, and as whom: users, groups, rules of sudo, the SSH server's settings.

Password hashes and key material never leave the host: of a password the script tells whether it is
set, of a public key a fingerprint is kept.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from driftscan.model import Absent, Collected, Denied, Item, Items, Partial, Raw, Section, Shell
from driftscan.probes import reading, texts
from driftscan.probes.contract import About
from driftscan.probes.texts import Texts
from driftscan.probes.twins import shadow

NAME = "accounts"

_KEYS = tuple(
    f"{home}/.ssh/authorized_keys" for home in ("/root", "/home/*", "/srv/*", "/var/lib/*")
)
ASK = (
    texts.question(
        "files",
        (
            "/etc/passwd",
            "/etc/group",
            "/etc/sudoers",
            "/etc/sudoers.d/*",
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/*.conf",
            *_KEYS,
        ),
        ("/etc/sudoers.d", "/etc/ssh/sshd_config.d", "/root", "/home/*", "/home/*/.ssh"),
    ),
    Shell(
        "states",
        r"""
[ -e /etc/shadow ] || return 0
[ -r /etc/shadow ] || { echo 'closed /etc/shadow'; return 0; }
awk -F : '{ print "state", $1, ($2 == "" ? "none" : $2 ~ /^[!*]/ ? "locked" : "set") }' /etc/shadow
return 0
""",
        shadow.read,
    ),
)
_ROOT = "root for sudo's rules and for keys of others"
GIVES = (
    About(
        "users",
        "facts",
        "name",
        "uid (not of 100 to 999: those are given as packages come), group, home, shell, "
        "groups (the others, sorted)",
        cost="all seven 8 ms",
        source="/etc/passwd, /etc/group",
    ),
    About(
        "groups",
        "facts",
        "name",
        "gid (as uid), others (members that are no local user)",
        source="/etc/group",
    ),
    About(
        "sudo",
        "facts",
        "rule, with single blanks; its tag NOPASSWD: as [no password] (secrets redacted)",
        "kind (rule, default or alias)",
        privilege=_ROOT,
        source="/etc/sudoers, /etc/sudoers.d",
    ),
    About(
        "sshd",
        "facts",
        "keyword, or match CRITERIA|keyword",
        "values (the first, or all where all count)",
        source="/etc/ssh/sshd_config, /etc/ssh/sshd_config.d/*.conf",
    ),
    About(
        "authorized-keys",
        "facts",
        "account or home|SHA256 fingerprint",
        "type, options (names)",
        privilege=_ROOT,
        source="authorized_keys of /root and homes",
    ),
    About(
        "user-states",
        "evidence",
        "as users",
        "password (set, locked or none; no hash is read out)",
        privilege="root",
        source="/etc/shadow",
    ),
    About("sudo-files", "evidence", "as sudo", "file", privilege=_ROOT, source="as sudo"),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the questions cannot print."""
    found = texts.read(raw, "files")
    states = texts.read(raw, "states", re.compile(r"state (.{0,256}) (set|locked|none)"))
    users, groups = _rows(found, "/etc/passwd", 7), _rows(found, "/etc/group", 4)
    rules = dict(_rules(found))
    homes = {fields[5]: fields[0] for fields in reversed(users)}
    return {
        "users": _section(found, _users(users, groups), "passwd", "group"),
        "groups": _section(found, _groups(users, groups), "/etc/group"),
        "sudo": _sudo(found, {rule: {"kind": _kind(rule)} for rule in rules}),
        "sshd": _sshd(found),
        "authorized-keys": _section(found, _keys(found, homes), "/root", "/home"),
        "user-states": _states(states),
        "sudo-files": Collected(items={rule: {"file": path} for rule, path in rules.items()}),
    }


def _section(found: Texts, items: Items, *names: str) -> Section:
    gaps = found.gaps(*names)
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


# --- users and groups --------------------------------------------------------------------------


def _rows(found: Texts, path: str, count: int) -> list[list[str]]:
    """The lines of passwd(5) or group(5); those with other fields (NIS's `+`) are passed over."""
    rows = (line.split(":") for line in found.lines(path))
    return [row for row in rows if len(row) == count and row[0][:1] not in ("+", "-", "#", "")]


def _given(number: str) -> bool:
    """Whether somebody chose the number: from 100 to 999 the next free one is taken."""
    return not re.fullmatch(r"0*[1-9][0-9]{2}", number)


def _users(users: Iterable[list[str]], groups: Iterable[list[str]]) -> Items:
    names = {row[2]: row[0] for row in groups}
    others: dict[str, list[str]] = {}
    for row in groups:
        for member in filter(None, row[3].split(",")):
            others.setdefault(member, []).append(row[0])
    items: Items = {}
    for name, _, uid, gid, _, home, shell in users:
        item: Item = {
            "group": names.get(gid, gid),
            "home": home,
            "shell": shell,
            "groups": sorted(others.get(name, [])),
        }
        if _given(uid):
            item["uid"] = uid
        items[name] = item
    return items


def _groups(users: Iterable[list[str]], groups: Iterable[list[str]]) -> Items:
    local = {row[0] for row in users}
    items: Items = {}
    for name, _, gid, members in groups:
        item: Item = {"gid": gid} if _given(gid) else {}
        others = sorted({*filter(None, members.split(","))} - local)
        if others:
            item["others"] = others
        items[name] = item
    return items


def _states(found: Texts) -> Section:
    if found.closed:
        return Denied(cure="read access to /etc/shadow (root); of it only set or locked is told")
    words = (line.removeprefix("state ").rpartition(" ") for line in found.more)
    return Collected(items={name: {"password": state} for name, _, state in words if name})


# --- sudo --------------------------------------------------------------------------------------

_INCLUDE = re.compile(r"[#@]include(dir)?\b.*")


def _rules(found: Texts) -> Iterator[tuple[str, str]]:
    """Each rule of sudoers(5) on one line, and its file; comments are left out.

    sudo passes over files of sudoers.d whose names hold a dot or end with a tilde.
    """
    for path in ("/etc/sudoers", *sorted(found.named(r"/etc/sudoers\.d/[^.]*[^.~]"))):
        held = ""
        for line in found.lines(path):
            text = held + line.strip(" \t")
            if text.endswith("\\"):
                held = text[:-1].rstrip(" \t") + " "
                continue
            held = ""
            rule = " ".join(reading.words(_TAG.sub(_tagged, _uncommented(text))))
            if rule and not _INCLUDE.fullmatch(rule):
                yield rule, path


# What redaction would take for a password's assignment.
_TAG = re.compile(r"\b(NO)?PASSWD[ \t]*:")


def _tagged(match: re.Match[str]) -> str:
    return "[no password] " if match[1] else "[password] "


def _uncommented(text: str) -> str:
    """`#` begins a comment unless a number follows it, which is a user id, or it is escaped."""
    return re.split(r"(?<!\\)#(?![0-9])", text, maxsplit=1)[0]


def _kind(rule: str) -> str:
    word = rule.partition(" ")[0]
    if word.startswith("Defaults"):
        return "default"
    return "alias" if word.endswith("_Alias") else "rule"


def _sudo(found: Texts, items: Items) -> Section:
    closed = found.gaps("sudoers")
    if closed and not items:
        return Denied(cure="root, or --become: sudo's rules are readable by root alone")
    if not items and not closed:
        return Absent()
    return Partial(items=items, gaps=closed) if closed else Collected(items=items)


# --- the SSH server ----------------------------------------------------------------------------

# Keywords of which every line counts (sshd_config(5)); of the others the first.
_ALL = {
    *("acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers", "hostkey"),
    *("hostcertificate", "listenaddress", "permitlisten", "permitopen", "port", "setenv"),
    *("subsystem",),
}
_SETTING = re.compile(r"[ \t]*([A-Za-z0-9]+)(?:[ \t]*=[ \t]*|[ \t]+)(.*?)[ \t]*")


def _sshd(found: Texts) -> Section:
    values: dict[str, list[str]] = {}
    files = ["/etc/ssh/sshd_config"]
    for key, value in _settings(found, files, "", 0):
        if key.rpartition("|")[2] in _ALL or key not in values:
            values.setdefault(key, []).append(" ".join(reading.words(value)))
    items: Items = {key: {"values": told} for key, told in values.items()}
    gaps = found.gaps("sshd_config")
    if len(files) > reading.MOST_INCLUDED:
        gaps.append(f"{files[0]}: it includes more than {reading.MOST_INCLUDED} files")
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _settings(found: Texts, files: list[str], scope: str, depth: int) -> Iterator[tuple[str, str]]:
    """Keyword, with the `Match` block it is in, and value; such a block ends with its file.

    Of `files` the last is read; those that it includes are added, one after the other.
    """
    for line in found.lines(files[-1]):
        match = _SETTING.fullmatch(line.partition("#")[0])
        if match is None:
            continue
        keyword, value = match[1].lower(), match[2].strip('"')
        if keyword == "match":
            scope = "" if value.lower() == "all" else f"match {' '.join(reading.words(value))}|"
        elif keyword != "include":
            yield f"{scope}{keyword}", value
        elif depth < 4:
            for other in _included(found, value):
                if len(files) > reading.MOST_INCLUDED:
                    return
                files.append(other)
                yield from _settings(found, files, scope, depth + 1)


def _included(found: Texts, value: str) -> Iterator[str]:
    for pattern in reading.words(value):
        full = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
        yield from sorted(path for path in found.files if fnmatchcase(path, full))


# --- keys that may log in ----------------------------------------------------------------------

_KEY = re.compile(
    r"(?:(.*?)[ \t]+)?((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)[ \t]+([A-Za-z0-9+/=]+)(?:[ \t].*)?"
)
_OPTION = re.compile(r"([A-Za-z-]+)(?:=\"(?:[^\"\\]|\\.)*\")?(?:,|$)")


def _keys(found: Texts, homes: Mapping[str, str]) -> Items:
    items: Items = {}
    for path, lines in found.named(r"/.*/authorized_keys").items():
        home = path.removesuffix("/.ssh/authorized_keys")
        for match in filter(None, (_KEY.fullmatch(line) for line in lines)):
            key = f"{homes.get(home, home)}|{fingerprint(match[3])}"
            item: Item = {"type": match[2]}
            if match[1] and not match[1].startswith("#"):
                item["options"] = sorted(option.lower() for option in _OPTION.findall(match[1]))
            if not (match[1] or "").startswith("#"):
                items[key] = item
    return items


def fingerprint(key: str) -> str:
    """`SHA256:...` as `ssh-keygen -l` prints it; of the text itself where it is no base64."""
    try:
        data = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        data = key.encode()
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
