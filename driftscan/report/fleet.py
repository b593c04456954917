"""Many hosts for people: a line a host, worst first, and each cause once with its hosts."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan.model import LEVELS, Cause, Finding, HostReport, Level, Report
from driftscan.report import rootless, settled, words
from driftscan.report.finding import label
from driftscan.report.page import Page

_MOST_CAUSES = 20
_MOST_BREAKS = 10
_MOST_NAMES = 8
_MOST_ALIKE = 2


def render(report: Report, *, width: int = 100, color: bool = False, brief: bool = False) -> str:
    """The summary, each host's line, then what they have in common; `brief` ends with the hosts.

    One host in full is told by `driftscan explain`, all of them by `--all`.
    """
    page = Page(width, color)
    page.line(words.summary(report))
    for note in report.notes:
        page.item("Note", note)
    page.line()
    hosts = sorted(report.hosts.items(), key=lambda entry: (_rank(entry[1]), entry[0]))
    margin = min(max(len(name) for name in report.hosts), 30)
    behind = _behind(dict(hosts))
    for name, host in hosts:
        if name not in behind:
            page.item(_state(host), f"{name.ljust(margin)}  {_line(host)}")
        elif behind[name]:
            page.item(_state(host), f"{', '.join(behind[name])}: {_line(host)}")
    if not brief:
        _together(page, dict(hosts))
        rootless.told(page, report)
    return page.text()


def _rank(host: HostReport) -> int:
    """Drift by its level, then what could not be judged, then what is in order."""
    if host.unreached is not None:
        return len(LEVELS)
    if host.worst is not None:
        return LEVELS.index(host.worst)
    if any(gap.blocks for gap in host.unknown):
        return len(LEVELS) + 1
    return len(LEVELS) + (2 if host.accepted else 3)


def _state(host: HostReport) -> str:
    if host.unreached is not None:
        return "UNREACHED"
    if host.worst is not None:
        return label(host.worst)
    if any(gap.blocks for gap in host.unknown):
        return "UNKNOWN"
    return "ACCEPTED" if host.accepted else "IN SYNC"


def _line(host: HostReport) -> str:
    if host.unreached is not None:
        return words.unreached(host)
    levels = [finding.level for finding in host.findings]
    counts = {level: levels.count(level) for level in LEVELS if level in levels}
    parts = [f"{count} {level.replace('-', ' ')}" for level, count in counts.items()]
    accepted = {n for r in host.accepted if r.state == "active" for n in r.members}
    parts += [f"{len(accepted)} accepted"] if accepted else []
    parts.append(f"{sum(host.equal.values())} items equal")
    blind = sorted({gap.what for gap in host.unknown if gap.blocks})
    parts += [f"not known: {', '.join(blind)}"] if blind else []
    return ", ".join(parts)


def _behind(hosts: Mapping[str, HostReport]) -> dict[str, list[str]]:
    """The hosts that one jump host, or an interrupt, keeps from us, by the first of them; none by
    the others."""
    of: dict[str, list[str]] = {}
    for name, host in hosts.items():
        lost = host.unreached
        if lost is not None and (lost.stage == "via_bastion" or lost.state == "interrupted"):
            of.setdefault(_line(host), []).append(name)
    groups = [names for names in of.values() if len(names) > 1]
    return {name: names if name == names[0] else [] for names in groups for name in names}


# --- what hosts have in common -----------------------------------------------------------------


class _Shared(Struct, frozen=True):
    """Something that several hosts have, in the words that fit all of them."""

    level: Level
    id: str
    text: str
    hosts: list[str]
    size: int


def _together(page: Page, hosts: Mapping[str, HostReport]) -> None:
    reached = sum(host.unreached is None for host in hosts.values())
    page.line()
    for shared in _capped(page, _folded(_causes(hosts)), _MOST_CAUSES, "causes"):
        page.item(label(shared.level), f"{_names(shared, reached)}: {shared.text}", name=shared.id)
    page.line()
    for shared in _capped(page, _breaks(hosts), _MOST_BREAKS, "findings that break"):
        page.item(label(shared.level), f"{_names(shared, reached)}: {shared.text}", name=shared.id)
    for name, host in hosts.items():
        for mark, text in settled.lines(host, everything=False):
            if mark != "ACCEPTED":
                page.item(mark, f"{name}: {text}")
    page.line()
    page.line("`driftscan explain HOST` tells all of one host, --all of every host.")


def _capped(page: Page, found: Sequence[_Shared], most: int, what: str) -> Iterator[_Shared]:
    yield from found[:most]
    if len(found) > most:
        page.item("", f"{len(found) - most} more {what} (--all)")


def _names(shared: _Shared, reached: int) -> str:
    names = sorted(shared.hosts)
    if len(names) == reached > 2:
        return f"all {reached} hosts"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _causes(hosts: Mapping[str, HostReport]) -> list[_Shared]:
    """The same id on several hosts is one cause: its text once, its share for each."""
    of: dict[str, list[tuple[str, Cause]]] = {}
    for name, host in hosts.items():
        for cause in host.causes:
            of.setdefault(cause.id, []).append((name, cause))
    return _ordered(
        [
            _Shared(
                level=min((cause.level for _, cause in found), key=LEVELS.index),
                id=id_,
                text=_text(found, hosts),
                hosts=[name for name, _ in found],
                size=sum(len(cause.claims) for _, cause in found),
            )
            for id_, found in of.items()
        ]
    )


def _folded(found: Sequence[_Shared]) -> list[_Shared]:
    """Of many causes of one type on the same hosts a few, and the names of the others."""
    groups: dict[tuple[str, Level, str], list[_Shared]] = {}
    for shared in found:
        kind = shared.id.partition(":")[0]
        groups.setdefault((kind, shared.level, " ".join(shared.hosts)), []).append(shared)
    result: list[_Shared] = []
    for group in groups.values():
        if len(group) <= _MOST_ALIKE:
            result += group
            continue
        rest = [shared.id.partition(":")[2] for shared in group[1:]]
        more = f" and {len(rest) - _MOST_NAMES} more" if len(rest) > _MOST_NAMES else ""
        names = ", ".join(rest[:_MOST_NAMES]) + more
        text = f"{group[0].text}; and {len(rest)} alike: {names}"
        result.append(replace(group[0], text=text))
    return result


def _ordered(found: Sequence[_Shared]) -> list[_Shared]:
    """Worst first, then what concerns most hosts, then what claims most."""
    return sorted(found, key=lambda s: (LEVELS.index(s.level), -len(s.hosts), -s.size, s.id))


def _text(found: Sequence[tuple[str, Cause]], hosts: Mapping[str, HostReport]) -> str:
    name, most = max(found, key=lambda pair: len(pair[1].claims))
    text = words.nameless(most.text, hosts[name])
    sure = "probably: " if all(cause.confidence == "inferred" for _, cause in found) else ""
    shares = dict.fromkeys(
        f"all {e.of}" if e.differences == e.of else f"{e.differences} of {e.of}"
        for _, cause in sorted(found, key=lambda pair: pair[0])
        if (e := cause.explains) is not None
    )
    explains = f". Explains {', '.join(shares)} version differences" if shares else ""
    return f"{sure}{text}{explains}"


def _breaks(hosts: Mapping[str, HostReport]) -> list[_Shared]:
    of: dict[tuple[str, str], list[str]] = {}
    for name, host in hosts.items():
        for finding in host.findings:
            if finding.level == "breaks" and not _is_all(finding, host):
                of.setdefault((finding.id, words.finding(finding)), []).append(name)
    return _ordered(
        [
            _Shared(level="breaks", id=id_, text=text, hosts=names, size=1)
            for (id_, text), names in of.items()
        ]
    )


def _is_all(finding: Finding, host: HostReport) -> bool:
    """Whether the cause is about this finding alone, and so has told it."""
    members = {member.id for member in finding.members}
    return any(c.id == finding.cause and members >= set(c.claims) for c in host.causes)
