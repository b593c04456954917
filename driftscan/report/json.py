"""The report as JSON: the master form, sorted and complete; every other form shows a part of it."""

import msgspec

from driftscan.model import Report


def render(report: Report) -> str:
    """The whole report, keys sorted, one space of indent; ends with a newline."""
    plain = msgspec.to_builtins(report, order="sorted")
    for name, host in report.hosts.items():
        entry = plain["hosts"][name]
        _with_ids(entry.get("causes", []), [cause.id for cause in host.causes])
        _with_ids(entry.get("findings", []), [finding.id for finding in host.findings])
    data = msgspec.json.encode(plain, order="sorted")
    return msgspec.json.format(data, indent=1).decode() + "\n"


def _with_ids(entries: list[dict[str, object]], ids: list[str]) -> None:
    """Ids are derived in the model; a reader of the file wants them written."""
    for entry, name in zip(entries, ids, strict=True):
        entry["id"] = name
