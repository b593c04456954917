"""Where packages come from and what keeps them: repositories, holds, pins."""

import shlex
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import commands, packages, words
from driftscan.explain.remedies.words import NAME, SUITE, URL
from driftscan.model import Cause, Divergence, Field, Side, Step
from driftscan.model.managers import DPKG, MANAGERS


def add(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The reference's repository, with its signing key when it is not the distribution's."""
    claims = sorted(d.key for d in members if d.section == "repositories")
    if not claims:
        return []
    if claims[0].partition("/")[0] in MANAGERS:
        return _add_by_name(case, claims)
    line = source_line(case, case.reference, claims)
    why = f"the repository of {case.reference.label}"
    if not line:
        text = f"add the repository {cause.subject} first: its address is not recorded"
        return [words.review(text, phase="repository")]
    name = _suite(claims[0]).replace("/", "-")
    run = f"echo {shlex.quote(line)} > /etc/apt/sources.list.d/{name}.list"
    return [*_key(case, claims[0]), Step(run=run, why=why, phase="repository"), packages.UPDATE]


def _add_by_name(case: Case, keys: Sequence[str]) -> list[Step]:
    """Repositories of dnf, apk and pacman: apk's is one line, those of the others are sections."""
    why = f"the repository of {case.reference.label}"
    found: list[Step] = []
    for key in keys:
        manager, _, name = key.partition("/")
        url = _first(case.evidence(case.reference, "repository-sources").get(key, {}).get("urls"))
        known = words.fits(URL, url)
        if key in case.evidence(case.subject, "rpm-repositories-off") and words.fits(NAME, name):
            command = ("dnf", "config-manager", "--set-enabled", name)
            found.append(words.run(*command, why=why, phase="repository"))
        elif manager == "apk" and known:
            run = f"echo {shlex.quote(url)} >> /etc/apk/repositories"
            found.append(Step(run=run, why=why, phase="repository"))
        else:
            address = f" ({url})" if known else ": its address is not recorded"
            text = f"add or enable the repository {name} first{address}"
            found.append(words.review(text, why, "repository"))
    return found


def source_line(case: Case, side: Side, keys: Sequence[str]) -> str:
    """The line of sources.list(5) for the components of one suite; empty when not recorded."""
    if keys[0].partition("/")[0] in MANAGERS:
        return ""
    item = case.evidence(side, "repository-sources").get(keys[0], {})
    url, suite = _first(item.get("urls")), _suite(keys[0])
    components = sorted(key.rpartition("/")[2] for key in keys)
    flat = components == ["-"]
    parts = [suite + "/"] if flat else [suite, *components]
    if not words.fits(URL, url) or not words.fits(SUITE, *parts):
        return ""
    key = _first(item.get("keys"))
    option = f"[signed-by={key}] " if words.is_path(key) and not _own_key(key) else ""
    return f"deb {option}{url} {' '.join(parts)}"


def _key(case: Case, claim: str) -> list[Step]:
    item = case.evidence(case.reference, "repository-sources").get(claim, {})
    path, url = _first(item.get("keys")), _first(item.get("urls"))
    own = claim.partition("/")[0].lower() == str(
        case.facts(case.subject, "os").get("release", {}).get("id", "")
    )
    if (path and _own_key(path)) or own:
        return []
    where = f"{path} of {case.reference.label}" if path else f"the signing key of {url}"
    text = f"first put {where} at the same place here: apt refuses what it cannot verify"
    if not path:
        text = f"first trust {where}: apt refuses what it cannot verify"
    return [words.review(text, phase="repository")]


def _own_key(path: str) -> bool:
    """The distribution's own keyring, which every host of it has."""
    name = path.rpartition("/")[2]
    return name.startswith(("debian-archive-", "ubuntu-archive-", "raspbian-archive-"))


def _first(value: Field) -> str:
    return value[0] if isinstance(value, list) and value else ""


def _suite(key: str) -> str:
    """`Debian/bookworm-security/main` -> `bookworm-security`."""
    return key.partition("/")[2].rpartition("/")[0]


def remove(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The subject's own repository, a line of a `.list` file turned into a comment."""
    sources = case.evidence(case.subject, "repository-sources")
    keys = [d.key for d in members if d.section == "repositories"]
    places = sorted({place for key in keys for place in _list(sources.get(key, {}).get("places"))})
    why = f"not on {case.reference.label}: review before you run it"
    found: list[Step] = []
    for place in places:
        path, _, line = place.rpartition(":")
        lines = path.endswith(".list") or path == "/etc/apk/repositories"
        if words.is_path(path) and lines and line.isdecimal():
            command = ("sed", "-i", f"{int(line)}s/^/# /", path)
            found.append(words.run(*command, why=why, phase="repository"))
        else:
            off = "enabled=0" if path.endswith(".repo") else "Enabled: no"
            text = f"review: set `{off}` at {place}"
            found.append(words.review(text, why, "repository"))
    if keys and not found:
        found.append(words.review(f"review: {cause.text}", phase="repository"))
    apt = case.records.manager is DPKG
    return [*found, *([packages.UPDATE] if apt and found else [])]


def _list(value: Field) -> list[str]:
    return value if isinstance(value, list) else []


def unhold(case: Case, _cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Lift the hold of the packages that are claimed."""
    return commands.unhold(case, members)


def unpin(case: Case, _cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The place of each pin: only a person knows why it is there."""
    files = case.evidence(case.subject, "apt-pin-files")
    places: dict[tuple[str, str], list[str]] = {}
    for pin in (d for d in members if d.section == "apt-pins"):
        package, _, expression = pin.key.partition("|")
        where = str(files.get(pin.key, {}).get("place") or "/etc/apt/preferences.d")
        places.setdefault((where, expression), []).append(package)
    return [
        words.review(
            f"review, then remove: {where} pins {', '.join(sorted(packages))} to {expression}",
            phase="unblock",
        )
        for (where, expression), packages in sorted(places.items())
    ]
