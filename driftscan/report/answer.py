"""The first sentences: what to do about it, and each cause in a sentence of its own."""

from collections.abc import Sequence

from driftscan.model import Cause, Evidence, HostReport, Hypothesis, managers
from driftscan.model.managers import MANAGERS
from driftscan.report import words
from driftscan.report.about import equal
from driftscan.report.amount import Amount
from driftscan.report.finding import command, label, place
from driftscan.report.page import Page

_NOT_PACKAGES = "Packages do not explain this: "


def answer(page: Page, host: HostReport, amount: Amount) -> None:
    """The worst cause, how much it explains, whether it is what the user sees, and since when."""
    if not host.causes:
        page.line(_nothing(host))
        if host.symptom and host.about is None:
            page.line(f"So no changelog was searched for '{host.symptom}': no version differs.")
        page.line()
        return
    lead = host.causes[0]
    first = _NOT_PACKAGES if bare(lead) and _packages_differ(host) else ""
    parts = [first + sentence(host, lead), _symptom(host)]
    page.item(label(lead.level), " ".join(part for part in parts if part), name=lead.id)
    if host.since is not None:
        page.line(f"{words.since(host)}.")
    if mirror := words.mirror(host):
        page.line(f"Seen from the other side: {mirror}")
    if beside(lead) or amount.all:
        proofs(page, lead, amount)
    page.line()


def brief(page: Page, host: HostReport) -> None:
    """One line a cause, whole: for `grep` rather than for reading."""
    for cause in host.causes:
        told = sentence(host, cause, records=False)
        page.raw(f"{label(cause.level).ljust(11)} {told}{_worst(host, cause)}  [{cause.id}]")
    if not host.causes:
        page.line(_nothing(host))


def _worst(host: HostReport, cause: Cause) -> str:
    """The worst of a group, which its line must not hide."""
    mine = [
        finding
        for finding in host.findings
        if finding.cause == cause.id or (cause.id in finding.also and finding.level == cause.level)
    ]
    if len(mine) < 2 or any(d.key in cause.text for d in mine[0].members):
        return ""
    return f" Worst: {mine[0].key}."


def beside(cause: Cause) -> bool:
    """No package differs for it: only its own evidence tells it."""
    return not any(managers.is_id(claim) for claim in cause.claims)


def bare(cause: Cause) -> bool:
    """It breaks something although no package differs for it."""
    return cause.level == "breaks" and beside(cause)


def proofs(page: Page, cause: Cause, amount: Amount) -> None:
    """The evidence of a cause, one item a statement."""
    for evidence in cause.evidence[: amount.proofs]:
        page.item("  " + evidence.confidence, evidence.text)


def why(cause: Cause, amount: Amount) -> list[Evidence]:
    """What tells a cause of packages from its rivals: that it is not age, else all there is."""
    if beside(cause):
        return []
    rival = [e for e in cause.evidence if e.text.startswith("not age")]
    return (rival or cause.evidence)[: amount.reasons]


def alike(causes: Sequence[Cause], *, records: bool = True) -> list[list[Cause]]:
    """Causes of one kind as one; where records are told, only those of the same operation."""
    groups: dict[tuple[str, ...], list[Cause]] = {}
    for cause in causes:
        told, line = cause.host_record, cause.image_record
        operation = (told.time, told.command) if told and records else ()
        where = (place(line),) if line and line.kind == "line" else ()
        groups.setdefault((cause.type, *operation, *where), []).append(cause)
    return list(groups.values())


def sentence(host: HostReport, cause: Cause, *, records: bool = True) -> str:
    """A cause with its line of the Dockerfile, its share, and the operation that did it."""
    parts = [f"{_told(host, cause)}.", _share(cause)]
    if records:
        parts += [_done(cause), _on_image(cause)]
        parts += [f"Also: {', '.join(cause.also)}." if cause.also else ""]
    return " ".join(part for part in parts if part)


def _told(host: HostReport, cause: Cause) -> str:
    where = cause.image_record
    if where is None or where.kind != "line":
        return cause.text
    subject = host.subject.target if host.subject else ""
    if cause.type == "repository-missing" and subject and cause.text.startswith(f"{subject} "):
        rest = cause.text.removeprefix(subject)
        return f"{subject} never ran line {where.line} of {where.file}: it{rest}"
    stated = cause.type in _OF_THE_IMAGE and place(where) not in cause.text
    return f"{cause.text} ({place(where)})" if stated else cause.text


# Their sentence says what the image does; of others the line is the other record, told apart.
_OF_THE_IMAGE = ("environment",)


def _on_image(cause: Cause) -> str:
    """What the Dockerfile did where the sentence tells what was done on the host."""
    where = cause.image_record
    apart = (*_OF_THE_IMAGE, "repository-missing")
    if where is None or where.kind != "line" or cause.type in apart or place(where) in cause.text:
        return ""
    names = {claim.partition(":")[2] for claim in cause.claims}
    return f"Image: {place(where)} {command(where, names)}".rstrip(".") + "."


def _share(cause: Cause) -> str:
    """Of one difference among many it says nothing."""
    explains = cause.explains
    if explains is None or explains.differences == 1 < explains.of:
        return ""
    probably = "probably " if cause.confidence == "inferred" else ""
    number, of = explains.differences, explains.of
    if of == 1:
        return f"That {probably}explains the one version difference."
    share = f"all {number}" if number == of else f"{number} of {of}"
    sources = f"{explains.sources} source{'' if explains.sources == 1 else 's'}"
    return f"That {probably}explains {share} version differences ({sources})."


def _done(cause: Cause) -> str:
    """The operation on the host; only who did it where the sentence has the rest already."""
    told = cause.host_record
    if told is None:
        return ""
    by = f"by {told.user}" if told.user else ""
    if told.command and told.command in cause.text:
        return f"Done {by}." if by else ""
    sure = "Probably" if told.confidence == "inferred" else "Done"
    when = " ".join(part for part in (sure, told.time, told.zone, by) if part)
    return f"{when}: {told.command}." if told.command else f"{when} ({told.source})."


def dated(cause: Cause) -> str:
    """The day alone, where there is no room for who did it and how."""
    told = cause.host_record
    if told is None or not told.time:
        return ""
    return f" {'Probably' if told.confidence == 'inferred' else 'Done'} {told.time[:10]}."


# More of them, and the message is what many programs say.
_FEW = 3


def _symptom(host: HostReport) -> str:
    if not host.symptom:
        return ""
    hits = [finding.key for finding in host.findings if finding.match is not None]
    read = sum(finding.changes is not None for finding in host.findings)
    if not hits and not read:
        return f"No changelog was read: whether one speaks of '{host.symptom}' is not known."
    if not hits:
        which = "The one changelog read does not speak" if read == 1 else (
            f"None of the {read} changelogs read speaks"
        )  # fmt: skip
        return f"{which} of '{host.symptom}'."
    if len(hits) > _FEW:
        return (
            f"'{host.symptom}' is in the changelogs of {len(hits)} sources: too common to point to "
            "one of them, give more of the message."
        )
    if len(hits) == 1 and host.causes[0].explains is not None:
        return f"One of them matches your symptom: {hits[0]}."
    return f"Your symptom is what the changelog of {', '.join(hits)} speaks of."


def _packages_differ(host: HostReport) -> bool:
    return any(finding.section in MANAGERS for finding in host.findings)


def _nothing(host: HostReport) -> str:
    if host.about is not None:
        return equal(host, host.about)
    blocked = sorted({gap.what for gap in host.unknown if gap.blocks})
    compared = sum(host.equal.values())
    if blocked:
        return f"No difference in the {compared} items that could be compared; not known: " + (
            ", ".join(blocked)
        )
    but = " but what is accepted" if host.state == "accepted" else ""
    return f"No difference{but}: {compared} items are equal."


def answered(hypothesis: Hypothesis, amount: Amount, said: dict[str, str] | None = None) -> str:
    """The answer with its reasons; `said` are those that stand above already, and grows."""
    because = "; ".join(e.text for e in hypothesis.because[: amount.reasons])
    answer = hypothesis.answer.upper() if hypothesis.answer == "yes" else hypothesis.answer
    if hypothesis.confidence == "inferred":
        answer += " (inferred)"
    if said is not None and because:
        told = said.get(because, because)
        said.setdefault(because, "as above")
        because = told
    return f"{answer}: {because}" if because else answer
