"""The acceptance list of trust and which tests show each case, for `docs/reliability.md`.

Read from the source of the tests, not by running them; `--cases-report` keeps how a run ended.
"""

import ast
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from driftscan.report.table import FORMS

TESTS = Path(__file__).parent
LIST = TESTS / "cases.toml"
RESULTS = TESTS / "cases.json"
GROUPS = ("faults", "hostile", "data", "told", "never_writes", "load")
_ROADS = (("soak", "make soak"), ("fuzz", "make fuzz"))
_SLOW = {"lab", "sshd", "long"}


@dataclass(frozen=True, order=True)
class Test:
    """One test function: its file below the project, its name, and its markers."""

    file: str
    name: str
    marks: frozenset[str]
    cases: frozenset[str]

    @property
    def id(self) -> str:
        """As pytest names it, without parameters."""
        return f"{self.file}::{self.name}"

    @property
    def sentence(self) -> str:
        """The name as it is read."""
        return self.name.rpartition("::")[2].removeprefix("test_").replace("_", " ")

    @property
    def road(self) -> str:
        """The command that runs it."""
        told = [command for mark, command in _ROADS if mark in self.marks]
        return told[0] if told else "make test" if self.marks & _SLOW else "make check"


@cache
def listed() -> dict[str, dict]:
    """The list as it stands in `cases.toml`."""
    return tomllib.loads(LIST.read_text())


@cache
def tied() -> dict[str, list[Test]]:
    """Each case with the tests that are marked with it."""
    found: dict[str, list[Test]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text()
        for test in read(source, path) if "mark.case" in source else ():
            for case in test.cases:
                found.setdefault(case, []).append(test)
    return found


def read(source: str, path: Path) -> Iterator[Test]:
    """The tests of one file, each with the markers of its file and its own."""
    tree = ast.parse(source)
    file = str(path.relative_to(TESTS.parent))
    whole = [n.value for n in tree.body if isinstance(n, ast.Assign) and _names(n) == "pytestmark"]
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in (inner for outer in (tree, *classes) for inner in outer.body):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = list(_marks([*whole, *node.decorator_list]))
            cases = frozenset(case for name, cases in marks for case in cases if name == "case")
            yield Test(file, node.name, frozenset(name for name, _ in marks), cases)


def _names(node: ast.Assign) -> str:
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _marks(nodes: list[ast.expr]) -> Iterator[tuple[str, list[str]]]:
    """Every `pytest.mark.NAME` of some expressions, with the strings it is called with."""
    for node in (found for root in nodes for found in ast.walk(root)):
        call = node.func if isinstance(node, ast.Call) else node
        if isinstance(call, ast.Attribute) and ast.unparse(call.value) == "pytest.mark":
            given = node.args if isinstance(node, ast.Call) else []
            words = [x.value for x in given if isinstance(x, ast.Constant)]
            yield call.attr, [word for word in words if isinstance(word, str)]


def untold() -> list[str]:
    """The cases that have neither a test nor a reason why not."""
    known, tests = listed(), tied()
    waiting = {case for case, name in known["formats"].items() if name not in FORMS}
    told = {*tests, *known["not_built"], *waiting}
    return [case for group in GROUPS for case in known[group] if case not in told]


def reliability() -> str:
    """`docs/reliability.md`: each case with its tests, where they run and how they ended."""
    known, tests, ended = listed(), tied(), results()
    rows = [
        "# What is tested of trust",
        "",
        "Made from the markers and names of the tests by `make docs`; a test keeps it so. F are",
        "faults of the network and of servers, H hostile input, D data on disk, E what is told,",
        "P what a scan writes on a host (nothing), L load. `make reliability` runs all and writes",
        "the results: the day, and the commit that was tested. `make docs` keeps them.",
        "",
        "| case | what | tests | run by | result |",
        "|---|---|---|---|---|",
    ]
    for group in GROUPS:
        for case, what in known[group].items():
            of = sorted(tests.get(case, []))
            cells = [case, what, "<br>".join(x.sentence for x in of)]
            cells += [", ".join(f"`{road}`" for road in sorted({x.road for x in of}))]
            cells += [_result(case, of, known, ended)]
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _result(case: str, tests: list[Test], known: dict[str, dict], ended: dict[str, str]) -> str:
    if case in known["not_built"]:
        return f"{'in part; ' if tests else ''}not built here: {known['not_built'][case]}"
    if not tests:
        return f"the format {known['formats'][case]} does not exist yet"
    lacks = [f"without: {known['lacks'][case]}"] if case in known["lacks"] else []
    told = [ended[test.id] for test in tests if test.id in ended]
    bad = sorted({end for end in told if not end.startswith("passed")})
    good = sorted(end for end in told if end.startswith("passed"))
    unknown = len(tests) - len(told)
    waiting = [f"{unknown} not run" if told else "not run"] if unknown else []
    return "; ".join([*bad, *good[:1], *waiting, *lacks])


def results() -> dict[str, str]:
    """How the last run of each test ended, from `cases.json`."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(outcomes: dict[str, str]) -> None:
    """Write how tests ended, beside what is known of others that still exist."""
    existing = {test.id for tests in tied().values() for test in tests}
    merged = {key: end for key, end in {**results(), **outcomes}.items() if key in existing}
    RESULTS.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n")
