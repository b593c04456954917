"""Whether something was probably built on the subject: sources that stayed, tools that came."""

from driftscan.explain import loaded
from driftscan.explain.case import Case
from driftscan.model import Evidence, managers

_TOOLS = ("gcc", "g++", "make", "build-essential", "cmake")


def built(case: Case, directory: str) -> list[Evidence]:
    """Sources that stayed, or compilers and headers that one command brought: a build there."""
    if not directory.startswith("/usr/local/"):
        return []
    files = case.evidence(case.subject, "local-files")
    sources = [path for path in sorted(files) if path.startswith("/usr/local/src/")]
    commands = _tools(case)
    if not sources and not commands:
        return []
    told = [f"{loaded.some(sources)} is there"] if sources else []
    cites = case.cite(case.subject, "local-files", *sources[:3])
    for key, text in commands[-1:]:
        told.append(text)
        cites += case.cite(case.subject, case.records.manager.history, key)
    text = f"it was probably built on {case.subject.label}: {'; '.join(told)}"
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def _tools(case: Case) -> list[tuple[str, str]]:
    """The transactions that brought what a build needs, by key."""
    found: list[tuple[str, str]] = []
    for key, item in sorted(case.evidence(case.subject, case.records.manager.history).items()):
        install = item.get("install")
        names = [managers.bare(name) for name in install] if isinstance(install, dict) else []
        headers = [name for name in names if name.endswith(("-dev", "-devel"))]
        tools = sorted(set(names) & set(_TOOLS))
        if tools or len(headers) > 1:
            brought = [*tools, f"{len(headers)} -dev packages"] if headers else tools
            by = item.get("user") or "root or unknown"
            text = f"{' and '.join(brought)} came {item.get('start')} with {item.get('command')}"
            found.append((key, f"{text} ({by})"))
    return found
