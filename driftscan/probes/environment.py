"""Environment variables that the machine sets: for everything, for logins, for each service.

Facts are what can be read: /etc/environment, plain exports of /etc/profile and profile.d, and
`Environment=` of units, secrets redacted. What a profile sets under a condition or by a command,
and what an EnvironmentFile holds, is not evaluated: evidence names those places. The environment
of running processes is not read. PATH is a section of its own (runtimes).
"""

from collections.abc import Mapping

from driftscan import sanitize
from driftscan.model import Collected, Item, Items, Partial, Raw, Section, Sections
from driftscan.probes import settings, units
from driftscan.probes.contract import About

NAME = "environment"
ASK = (settings.ASK,)
GIVES = (
    About(
        "environment",
        "facts",
        "scope/NAME; scopes are system, login and unit:NAME.service",
        "value (secrets redacted)",
        cost="8 ms",
    ),
    About(
        "environment-sources",
        "evidence",
        "scope",
        "files (EnvironmentFile=), skipped (places that depend on a condition or a command)",
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """Both sections; raises ParseError for a line that is not one of the question's."""
    found = settings.read(raw.outputs["settings"].lines)
    gaps = list(found.gaps)
    items: Items = _scope("system", settings.pam_env(found))
    variables, skipped = settings.login_variables(found)
    items |= _scope("login", variables)
    sources: Items = {"login": {"skipped": skipped}} if skipped else {}
    for unit, service in units.services(found.units).items():
        items |= _scope(f"unit:{unit}", service.variables)
        gaps += service.gaps
        if service.files:
            sources[f"unit:{unit}"] = {"files": service.files}
    return {
        "environment": Partial(items=items, gaps=gaps) if gaps else Collected(items=items),
        "environment-sources": Collected(items=sources),
    }


def _scope(scope: str, variables: Mapping[str, str]) -> dict[str, Item]:
    return {
        f"{scope}/{name}": {"value": sanitize.redact_variable(name, value)}
        for name, value in variables.items()
        if name != "PATH"
    }


def with_image_env(sections: Mapping[str, Section], env: Mapping[str, str]) -> Sections:
    """The section `environment` of an image: `system` is what its ENV sets, the rest as found.

    A container starts with the image's ENV and without PAM, so /etc/environment counts for
    nothing. Gives only the changed section; PATH belongs to `winners.with_path`.
    """
    section = sections.get("environment")
    if not isinstance(section, Collected | Partial):
        return {}
    kept = {key: item for key, item in section.items.items() if not key.startswith("system/")}
    items = {**kept, **_scope("system", env)}
    if isinstance(section, Partial):
        return {"environment": Partial(items=items, gaps=section.gaps)}
    return {"environment": Collected(items=items)}
