"""Where packages come from and what keeps them: repositories, holds, pins."""

import shlex
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import packages, words
from driftscan.explain.remedies.words import PACKAGE, SUITE, URL
from driftscan.model import Cause, Divergence, Field, Side, Step


def add(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The reference's repository, with its signing key when it is not the distribution's."""
    claims = sorted(d.key for d in members if d.section == "repositories")
    if not claims:
        return []
    line = source_line(case, case.reference, claims)
    why = f"the repository of {case.reference.label}"
    if not line:
        text = f"add the repository {cause.subject} first: its address is not recorded"
        return [words.review(text, phase="repository")]
    name = _suite(claims[0]).replace("/", "-")
    run = f"echo {shlex.quote(line)} > /etc/apt/sources.list.d/{name}.list"
    return [*_key(case, claims[0]), Step(run=run, why=why, phase="repository"), packages.UPDATE]


def source_line(case: Case, side: Side, keys: Sequence[str]) -> str:
    """The line of sources.list(5) for the components of one suite; empty when not recorded."""
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
        if words.is_path(path) and path.endswith(".list") and line.isdecimal():
            command = ("sed", "-i", f"{int(line)}s/^/# /", path)
            found.append(words.run(*command, why=why, phase="repository"))
        else:
            text = f"review: set `Enabled: no` at {place}"
            found.append(words.review(text, why, "repository"))
    if keys and not found:
        found.append(words.review(f"review: {cause.text}", phase="repository"))
    return [*found, packages.UPDATE] if found else []


def _list(value: Field) -> list[str]:
    return value if isinstance(value, list) else []


def unhold(_case: Case, _cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Lift the hold of the packages that are claimed."""
    names = sorted(d.key for d in members if d.section == "dpkg" and words.fits(PACKAGE, d.key))
    command = ("apt-mark", "unhold", *names)
    return [words.run(*command, why="lift the hold", phase="unblock")] if names else []


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
