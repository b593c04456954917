"""Pairs of targets -> explained, each on its own: one host's fault is never the end of the run."""

import functools
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftscan.cli import faults
from driftscan.cli.asking import learned, sides
from driftscan.errors import DriftscanError

_INTERRUPTED = 130
_FAREWELL = 0.5

if TYPE_CHECKING:
    from driftscan.cli.options import Asking, Explaining
    from driftscan.details.needs import Needs
    from driftscan.model import Comparison, HostReport, Mirror, Side, Target, Unreached, Want
    from driftscan.resolve import Wanting
    from driftscan.simulate import Road


def judged(
    pairs: "Iterable[tuple[Target, Target]]",
    asking: "Asking",
    explaining: "Explaining",
    about: str | None = None,
    road: "Road | None" = None,
    stopped: Callable[..., object] = lambda _reports, **_: None,
) -> "dict[str, HostReport]":
    """The report of each subject against its reference, by the subject's name.

    A pair is compared as soon as both sides are there. If nothing more is wanted to explain it,
    it is explained at once and let go; all others wait for the one second trip of the run.
    With a road the remedies are simulated. An interrupt goes on to the caller; `stopped` is
    called before with what there is by then and the exit code that this will end with.
    """
    from driftscan import resolve

    run = _Run(resolve.Wanting(), explaining, about, road)
    targets: dict[str, Target] = {}
    open_: dict[str, str] = {}
    subjects_of: dict[str, list[str]] = {}
    for subject, reference in pairs:
        targets |= {subject.name: subject, reference.name: reference}
        open_[subject.name] = reference.name
        subjects_of.setdefault(reference.name, []).append(subject.name)
    found: dict[str, Side | Unreached] = {}
    names = [*open_]
    try:
        with closing(sides(targets.values(), asking)) as arriving:
            for arrived, side in arriving:
                found[arrived] = side
                run.see(targets[arrived], side)
                for name in sorted({arrived, *subjects_of.get(arrived, ())} & open_.keys()):
                    if name in found and open_[name] in found:
                        one, other = targets[name], targets[open_.pop(name)]
                        run.compare(one, other, found[one.name], found[other.name])
                        if name not in subjects_of:
                            del found[name]
        run.explain(asking)
    except BaseException as stop:
        if not isinstance(stop, Exception | GeneratorExit):
            stopped(run.ended(names), interrupted=getattr(stop, "code", _INTERRUPTED))
        raise
    return run.reports


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two sides that were compared, by the names of their targets, and what more is wanted."""

    names: tuple[str, str]
    sides: "tuple[Side, Side]"
    comparison: "Comparison"
    wants: "list[Want]"

    @property
    def wanted(self) -> "tuple[list[Want], list[Want]]":
        """The wants of the subject, and those of the reference."""
        ours = [want for want in self.wants if want.side == "subject"]
        return ours, [want for want in self.wants if want.side == "reference"]

    def knowing(self, needs: "Needs") -> "tuple[Side, Side]":
        """The sides with what the second trip brought."""
        from msgspec.structs import replace

        def with_details(number: int) -> "Side":
            side = self.sides[number]
            details = needs.sections(self.names[number], self.wanted[number])
            return replace(side, fingerprint=replace(side.fingerprint, details=details))

        return with_details(0), with_details(1)


class _Run:
    """The pairs of one run: reports that are made, and pairs that wait for the second trip."""

    def __init__(
        self,
        wanting: "Wanting",
        explaining: "Explaining",
        about: str | None,
        road: "Road | None",
    ) -> None:
        self.reports: dict[str, HostReport] = {}
        self._wanting = wanting
        self._explaining = explaining
        self._about = about
        self._road = road
        self._waiting: list[_Pair] = []

    def see(self, target: "Target", side: "Side | Unreached") -> None:
        """A machine that answered may later tell what another cannot."""
        from driftscan.model import Unreached

        if not isinstance(side, Unreached):
            self._wanting.see(target, side)

    def compare(
        self,
        one: "Target",
        other: "Target",
        subject: "Side | Unreached",
        reference: "Side | Unreached",
    ) -> None:
        """Report the pair, or note what explaining it wants."""
        from msgspec.structs import replace

        from driftscan.model import HostReport, Unreached

        if isinstance(subject, Unreached):
            self.reports[one.name] = HostReport(state=subject.state, unreached=subject)
        elif isinstance(reference, Unreached):
            lost = replace(reference, cause=f"its reference {reference.target}: {reference.cause}")
            self.reports[one.name] = HostReport(state=lost.state, unreached=lost)
        else:
            self._guarded(one.name, lambda: self._compare(one, other, subject, reference))

    def _compare(self, one: "Target", other: "Target", subject: "Side", reference: "Side") -> None:
        from driftscan import diff, simulate
        from driftscan.explain import engine

        subject, reference = _told_apart((one, subject), (other, reference))
        comparison = diff.compare(subject.fingerprint, reference.fingerprint)
        wants: list[Want] = []
        if self._explaining.details:
            symptom, about = self._explaining.symptom, self._about or ""
            wants = engine.wants(subject, reference, comparison, symptom, about)
            wants += simulate.wants(comparison) if self._road else []
        pair = _Pair((one.name, other.name), (subject, reference), comparison, wants)
        if not wants:
            self._explain(pair, pair.sides)
            return
        self._waiting.append(pair)
        for target, side, wanted in zip((one, other), pair.sides, pair.wanted, strict=True):
            self._wanting.want(target, side, wanted)

    def explain(self, asking: "Asking") -> None:
        """Ask once more for all that wait, and report them."""
        if not self._waiting:
            return
        needs, asked = learned(self._wanting, asking, self._explaining)
        for pair in self._waiting:
            trips = 2 if asked & {*pair.names} else 1
            work = functools.partial(self._explain, pair, pair.knowing(needs), trips)
            self._guarded(pair.names[0], work)

    def ended(self, names: Iterable[str]) -> "dict[str, HostReport]":
        """What there is when the run is interrupted: who waits for the second trip is explained
        without, as long as that takes no time; the others have the state `interrupted`."""
        from driftscan.model import HostReport, Unreached

        ends = time.monotonic() + _FAREWELL
        for pair in self._waiting:
            if pair.names[0] not in self.reports and time.monotonic() < ends:
                self._guarded(pair.names[0], functools.partial(self._explain, pair, pair.sides))
        for name in names:
            if name not in self.reports:
                lost = Unreached(
                    target=name, state="interrupted", stage="run", cause="stopped on request"
                )
                self.reports[name] = HostReport(state=lost.state, unreached=lost)
        return self.reports

    def _explain(self, pair: _Pair, sides: "tuple[Side, Side]", trips: int = 1) -> None:
        from msgspec.structs import replace

        from driftscan import simulate
        from driftscan.explain import engine

        symptom = self._explaining.symptom
        report = engine.explain(*sides, pair.comparison, self._about, symptom)
        one_kind = len({side.is_image for side in sides}) == 1
        if self._about is None and (one_kind or sides[0].is_image):
            report = replace(report, mirror=_mirror(report, sides, symptom))
        if self._road is not None:
            report = simulate.simulated(report, *sides, self._road)
        self.reports[pair.names[0]] = replace(report, trips=trips)

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        """A fault of ours is this host's result: the other hosts' reports are still wanted."""
        from driftscan import scan
        from driftscan.model import HostReport

        try:
            work()
        except DriftscanError:
            raise
        except Exception as error:  # noqa: BLE001
            faults.tell(error)
            lost = scan.unreached(name, scan.fault(error), 0)
            self.reports[name] = HostReport(state=lost.state, unreached=lost)


def _told_apart(*pair: "tuple[Target, Side]") -> "list[Side]":
    """Where both have one name, as today's and last month's of a host, a file goes by its path."""
    sides = [side for _, side in pair]
    if len({side.name for side in sides}) == len(sides):
        return sides
    return [_by_path(side, target.path) if target.road == "file" else side for target, side in pair]


def _by_path(side: "Side", path: str) -> "Side":
    """That both are one machine is meant, and no slip in an inventory."""
    from msgspec.structs import replace

    meta = replace(side.fingerprint.meta, target=path, machine="")
    return replace(side, fingerprint=replace(side.fingerprint, meta=meta))


def _mirror(report: "HostReport", sides: "tuple[Side, Side]", symptom: str) -> "Mirror | None":
    """Of two machines of one kind none is the record, and an image is one: look from both sides."""
    from driftscan import diff
    from driftscan.explain import engine, mirror

    subject, reference = sides
    compared = diff.compare(reference.fingerprint, subject.fingerprint)
    return mirror.mirror(report, engine.explain(reference, subject, compared, None, symptom))
