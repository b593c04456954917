"""Rules of PAM's common files that no profile of a package brings (pam-auth-update(8)).

pam-auth-update writes common-auth and its kin from the profiles in /usr/share/pam-configs and keeps
what somebody changed there by hand. Whether a profile is used differs with the packages and is no
news; a rule that none of them brings is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from driftscan.probes import reading

_PROFILES = "/usr/share/pam-configs/"
_COMMON = "/etc/pam.d/common-"
_HEAD = re.compile(r"(Auth|Account|Password|Session)[A-Za-z-]*:.*")
_RULE = re.compile(r"(-?[a-z]+)[ \t]+(\[[^\]]*\]|[^ \t]+)[ \t]+(.*)")
_TYPES = ("auth", "account", "password", "session")
# How pam-auth-update ends each block, whatever the profiles are.
_TEMPLATE = {
    *("auth requisite pam_deny.so", "auth required pam_permit.so"),
    *("account requisite pam_deny.so", "account required pam_permit.so"),
    *("password requisite pam_deny.so", "password required pam_permit.so"),
    *("session [default=1] pam_permit.so", "session requisite pam_deny.so"),
    "session required pam_permit.so",
}


def own(files: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """By path of a common file the rules that are somebody's own, in their order.

    `files` are the lines of common files and of profiles by path, comments left out.
    """
    known = {_plain(rule) for rule in _TEMPLATE}
    for path, lines in files.items():
        if path.startswith(_PROFILES):
            known.update(_brought(lines))
    found: dict[str, list[str]] = {}
    for path, lines in files.items():
        if path.startswith(_COMMON):
            rules = [_plain(line) for line in lines]
            if strange := [rule for rule in rules if rule and rule not in known]:
                found[path] = strange
    return found


def _brought(lines: Sequence[str]) -> Iterator[str]:
    """The rules of one profile, each with the type of its field."""
    kind = ""
    for line in lines:
        head = _HEAD.fullmatch(line)
        if head:
            kind = head[1].lower()
        elif kind and line[:1] in (" ", "\t"):
            yield _plain(f"{kind} {line}")
        else:
            kind = ""


def _plain(line: str) -> str:
    """A rule with one blank between its words. How many modules `success` jumps over depends on
    the profiles, which say `end`: told as that."""
    words = " ".join(reading.words(line.partition("#")[0].replace("\t", " ")))
    match = _RULE.fullmatch(words)
    if match is None or match[1] not in _TYPES:
        return words
    control = re.sub(r"\b(success|default)=[0-9]+", r"\1=end", match[2])
    return f"{match[1]} {control} {match[3]}"
