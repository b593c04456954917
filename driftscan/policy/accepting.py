"""Rules of the accept file and explained pairs -> which findings are accepted, and why not.

A rule covers the finding of its id, or every finding that its cause leads. A finding is accepted
when each of its members has a value that a rule in force has pinned. Pure: the day is given.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec.structs import replace

from driftscan.model import Accepted, Divergence, Finding, HostReport, Item, Pin, Rule, Rules

_SHOWN = 120


def pins(name: str, host: HostReport) -> list[Pin]:
    """What accepting this id of a finding or cause pins in one host's report, in order."""
    members = {m.id: m for f in host.findings if _covers(name, f) for m in f.members}
    return [_pin(members[key]) for key in sorted(members)]


def accept(
    hosts: Mapping[str, HostReport],
    rules: Rules,
    today: date,
    groups: Mapping[str, Collection[str]],
    *,
    whole: bool = True,
) -> tuple[dict[str, HostReport], list[str]]:
    """Each host with what is accepted of it, and what is to be told of the rules themselves.

    `groups` are those of each host. A rule is only told to be of no use when the run is `whole`
    and every host it is for was seen.
    """
    judged = {
        name: _host(host, [r for r in rules.rules if _is_for(r, name, groups)], today)
        for name, host in hosts.items()
    }
    notes: list[str] = []
    for rule in sorted(rules.rules, key=lambda r: r.line):
        mine = [name for name in hosts if _is_for(rule, name, groups)]
        used = any(_covers(rule.id, f) for name in mine for f in hosts[name].findings)
        seen = whole and all(_is_whole(hosts[name]) for name in mine)
        if mine and (text := _note(rule, today, used=used, seen=seen)):
            notes.append(f"{rules.path}:{rule.line}: {text}")
    return judged, notes


def _note(rule: Rule, today: date, *, used: bool, seen: bool) -> str:
    if not used and seen:
        over = f" and ended on {rule.until}" if _is_over(rule, today) else ""
        return f"the rule for {rule.told} matches nothing{over}: remove it"
    if _is_over(rule, today):
        return f"the rule for {rule.told} ended on {rule.until}: repair it, or accept it again"
    return ""


def _is_for(rule: Rule, host: str, groups: Mapping[str, Collection[str]]) -> bool:
    return rule.host in ("", host) and (not rule.group or rule.group in groups.get(host, ()))


def _is_whole(host: HostReport) -> bool:
    return host.unreached is None and not any(gap.blocks for gap in host.unknown)


def _is_over(rule: Rule, today: date) -> bool:
    """A rule holds until its last day has ended, in UTC."""
    return today > date.fromisoformat(rule.until)


def _covers(name: str, finding: Finding) -> bool:
    return name in (finding.id, finding.cause)


# --- one host ----------------------------------------------------------------------------------


def _host(host: HostReport, rules: Sequence[Rule], today: date) -> HostReport:
    in_force = [rule for rule in rules if not _is_over(rule, today)]
    done = {finding.id for finding in host.findings if _is_pinned(finding, in_force)}
    accepted = [entry for rule in rules for entry in _entries(rule, host.findings, done, today)]
    judged = replace(host, accepted=accepted)
    if host.findings and not judged.open_findings:
        return replace(judged, state="accepted")
    return judged


def _is_pinned(finding: Finding, rules: Iterable[Rule]) -> bool:
    pinned = {
        (pin.id, pin.digest) for rule in rules if _covers(rule.id, finding) for pin in rule.values
    }
    return all((member.id, digest(member)) in pinned for member in finding.members)


def _entries(
    rule: Rule, findings: Iterable[Finding], done: Collection[str], today: date
) -> Iterator[Accepted]:
    """What a rule is about on this host: those it accepts, and those it does not any more."""
    mine = [finding.id for finding in findings if _covers(rule.id, finding)]
    if _is_over(rule, today):
        yield from _entry(rule, "expired", [name for name in mine if name not in done])
        return
    yield from _entry(rule, "active", [name for name in mine if name in done])
    yield from _entry(rule, "changed", [name for name in mine if name not in done])


def _entry(rule: Rule, state: str, members: list[str]) -> Iterator[Accepted]:
    if members:
        yield Accepted(
            id=rule.id,
            state="active" if state == "active" else "expired" if state == "expired" else "changed",
            reason=rule.reason,
            owner=rule.owner,
            until=rule.until,
            ticket=rule.ticket,
            members=members,
        )


# --- values ------------------------------------------------------------------------------------


def digest(divergence: Divergence) -> str:
    """What makes it this difference and no other: which fields differ and how; else the item.

    No host and no position is in it: the same difference on two hosts is the same.
    """
    value: object = divergence.changes
    if divergence.kind != "changed":
        item = divergence.subject if divergence.kind == "extra" else divergence.reference
        value = {k: v for k, v in (item or {}).items() if k != "position"}
    text = json.dumps([divergence.id, divergence.kind, value], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _pin(divergence: Divergence) -> Pin:
    fields = sorted({name.partition(".")[0] for name in divergence.changes})
    return Pin(
        id=divergence.id,
        digest=digest(divergence),
        subject=_readable(divergence.subject, fields),
        reference=_readable(divergence.reference, fields),
    )


def _readable(item: Item | None, fields: Sequence[str]) -> str:
    """The version, with what else differs; of what has none, the fields."""
    if item is None:
        return ""
    version = [str(item["version"])] if "version" in item else []
    hidden = ("version", "source_version", "position")
    rest = [name for name in fields or ([] if version else sorted(item)) if name not in hidden]
    text = ", ".join([*version, *(f"{name}={item.get(name, '')}" for name in rest)])
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
