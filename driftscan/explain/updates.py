"""Whether a host updates itself, and why it did not: its settings, its stamps, its log."""

import re

from driftscan.explain.case import Case
from driftscan.explain.records import utc
from driftscan.explain.suites import is_older
from driftscan.explain.wording import some
from driftscan.model import Divergence, Evidence
from driftscan.model.managers import RPM

_ON = "APT::Periodic::Unattended-Upgrade"
_ANY = "APT::Periodic::Enable"
_BARRED = "Unattended-Upgrade::Package-Blacklist"
_OFF = {"0", "no", "false", "off", "never", ""}


def updates(case: Case) -> list[Evidence]:
    """Why automatic updates did not bring the newer versions; nothing where nobody could look."""
    if case.records.manager is RPM:
        return _of_dnf(case)
    if case.subject.is_image or case.records.logged("apt-settings") == "unknown":
        return []
    off = _off(case) or _missing(case)
    return [off] if off else [*_failing(case), *_barred(case), *_last_run(case)]


_DNF = "dnf-settings"


def _of_dnf(case: Case) -> list[Evidence]:
    """What starts dnf-automatic, and whether it may install what it finds (dnf-automatic(8))."""
    settings = case.evidence(case.subject, _DNF)
    if case.subject.is_image or case.records.logged(_DNF) != "recorded":
        return []
    here = case.subject.label
    timers = sorted(key for key in settings if key.startswith("timer:dnf"))
    if not timers:
        text = f"nothing updates {here} by itself: no timer of dnf-automatic is enabled"
        cites = case.cite_packages(case.subject, *(d.key for d in _older(case)))
        return [Evidence(text=text, confidence="recorded", cites=cites)]
    for key, item in sorted(settings.items()):
        off = str(item.get("value", "")).lower() in _OFF
        if (
            key.endswith(":commands.apply_updates")
            and off
            and "timer:dnf-automatic.timer" in timers
        ):
            text = f"automatic updates of {here} are not installed: apply_updates={item['value']}"
            cites = case.cite(case.subject, _DNF, key, *timers)
            return [Evidence(text=text, confidence="recorded", cites=cites)]
    return []


def _value(case: Case, name: str) -> tuple[str | None, str]:
    item = case.evidence(case.subject, "apt-settings").get(name, {})
    value = item.get("value")
    return (value if isinstance(value, str) else None), str(item.get("place", ""))


def _off(case: Case) -> Evidence | None:
    """A setting says so, or there is none, or the package is not there."""
    here = case.subject.label
    for name in (_ANY, _ON):
        value, place = _value(case, name)
        if value is not None and value.lower() in _OFF:
            text = f'automatic updates are off on {here}: {name} "{value}" ({place})'
            cites = case.cite(case.subject, "apt-settings", name)
            return Evidence(text=text, confidence="recorded", cites=cites)
    return None


_PACKAGE = "unattended-upgrades"


def _missing(case: Case) -> Evidence | None:
    """Not installed, or not switched on: apt's default is off (apt.systemd.daily)."""
    older = [d.key for d in _older(case)]
    if _PACKAGE not in case.packages(case.subject):
        text = f"nothing updates {case.subject.label} by itself: {_PACKAGE} is not installed"
        cites = case.cite_packages(case.subject, *older)
        return Evidence(text=text, confidence="recorded", cites=cites)
    if _value(case, _ON)[0] is None and case.records.logged("apt-settings") == "recorded":
        text = f"automatic updates are off on {case.subject.label}: {_ON} is not set"
        cites = case.cite_packages(case.subject, _PACKAGE, *older)
        return Evidence(text=text, confidence="recorded", cites=cites)
    return None


def _older(case: Case) -> list[Divergence]:
    return [d for d in case.comparison.divergences if is_older(d)]


_FAILED = re.compile(r"\S+ \S+ (?:ERROR|CRITICAL) (.{1,200})")
_GOOD = ("All upgrades installed", "No packages found that can be upgraded unattended")


def _failing(case: Case) -> list[Evidence]:
    """The last thing its log says is an error."""
    lines = case.evidence(case.subject, "automatic-updates").get("log", {}).get("lines")
    for line in reversed(lines if isinstance(lines, list) else []):
        failed = _FAILED.match(line)
        if failed:
            text = f"automatic updates of {case.subject.label} fail: {failed[1]} ({line[:10]})"
            cites = case.cite(case.subject, "automatic-updates", "log")
            return [Evidence(text=text, confidence="recorded", cites=cites)]
        if any(word in line for word in _GOOD):
            break
    return []


def _barred(case: Case) -> list[Evidence]:
    """Packages that differ and that its list of exceptions names."""
    values = case.evidence(case.subject, "apt-settings").get(_BARRED, {}).get("values")
    if not isinstance(values, list):
        return []
    names = sorted(d.key for d in _older(case) if any(_matches(value, d.key) for value in values))
    if not names:
        return []
    text = f"automatic updates of {case.subject.label} leave out {some(names)} ({_BARRED})"
    cites = case.cite(case.subject, "apt-settings", _BARRED)
    return [Evidence(text=text, confidence="recorded", cites=cites)]


_SIMPLE = re.compile(r"\^?([a-z0-9+.-]*?)(?:\.?\*)?(\$)?")


def _matches(pattern: str, package: str) -> bool:
    """The patterns people write: a name, or what it begins with.

    They are regular expressions of a host, which could be made to run for ever: none is run.
    """
    simple = _SIMPLE.fullmatch(pattern.replace("\\", ""))
    if simple is None or not simple[1]:
        return False
    return package == simple[1] if simple[2] else package.startswith(simple[1])


def _last_run(case: Case) -> list[Evidence]:
    """When they last ran, by the stamp that apt's daily job leaves."""
    here, runs = case.subject.label, case.evidence(case.subject, "automatic-updates")
    time = runs.get("upgrade", {}).get("time")
    if isinstance(time, int):
        text = f"automatic updates of {here} last ran on {utc(time)} UTC"
        cites = case.cite(case.subject, "automatic-updates", "upgrade")
        return [Evidence(text=text, confidence="recorded", cites=cites)]
    if case.records.logged("automatic-updates") == "unknown":
        return []
    text = f"automatic updates of {here} are on and never ran: apt left no stamp of a run"
    cites = case.cite(case.subject, "apt-settings", _ON)
    return [Evidence(text=text, confidence="inferred", cites=cites)]
