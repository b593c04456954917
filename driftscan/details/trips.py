"""The second trip of a run: every machine asked at most once more, all at the same time."""

import math
from collections.abc import Callable, Mapping, Sequence

from driftscan import scan
from driftscan.details.asking import learned, questions_for, questions_for_packages
from driftscan.details.needs import Needs
from driftscan.model import Limits, Want
from driftscan.probes.contract import Learned
from driftscan.scan import Job, OnEvent


def ask(
    needs: Needs,
    plan: Mapping[str, Sequence[Want]],
    machines: Mapping[str, Job],
    *,
    packages: bool = False,
    limits: Limits,
    workers: int = 0,
    until: float = math.inf,
    on_event: OnEvent = lambda _name, _event, _text: None,
    close: Callable[[], None] = lambda: None,
) -> None:
    """Ask each machine what the plan has for it; `needs` knows the answers then.

    With `packages` they are containers that fetch package files and read changelogs out of those.

    A machine that does not answer leaves what it was asked for unknown, with the reason.
    """

    def one(job: Job) -> dict[str, Learned]:
        wanted = plan[job.name]
        make = questions_for_packages if packages else questions_for
        asked = make(wanted, deadline=limits.deadline)
        return learned(job.machine.ask(asked, limits), asked, wanted, origin=needs.label(job.name))

    jobs = [machines[name] for name in sorted(plan)]
    asking = scan.each(jobs, one, workers=workers, until=until, on_event=on_event, close=close)
    for name, found in asking:
        failed = "could not fetch packages" if packages else "did not answer again"
        needs.learn(name, plan[name], found, failed)
