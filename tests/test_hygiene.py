"""What the project promises about itself: its workflows, its code, its packages."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml

import driftscan

ROOT = Path(__file__).parents[1]
CODE = sorted(Path(driftscan.__path__[0]).rglob("*.py"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*"))
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / ".ci").glob("*.lock"))]

# --- workflows -----------------------------------------------------------------------------------

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def loaded(path):
    """A workflow; YAML 1.1 takes its key `on` for a truth."""
    workflow = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in workflow.items()}


def steps(path):
    return [step for job in loaded(path)["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow_for_lint_test_and_release():
    assert {"lint.yml", "release.yml", "test.yml"} <= {path.name for path in WORKFLOWS}


@each_workflow
def test_a_workflow_has_no_right_but_those_its_jobs_name(path):
    workflow = loaded(path)
    given = {right for job in workflow["jobs"].values() for right in job["permissions"].items()}

    assert workflow["permissions"] == {}
    more = {("contents", "write"), ("id-token", "write")} if path.name == "release.yml" else set()
    assert given <= {("contents", "read")} | more


@each_workflow
def test_a_workflow_never_runs_what_a_stranger_wrote_with_our_rights(path):
    text = path.read_text()

    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(loaded(path)["on"])
    for step in steps(path):
        assert "${{" not in step.get("run", ""), "an expression is pasted into a script"
    assert "secrets." not in text


@each_workflow
def test_an_action_is_named_by_its_commit(path):
    for step in steps(path):
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@each_workflow
def test_a_checkout_leaves_no_credentials_behind(path):
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_a_job_ends(path):
    for job in loaded(path)["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert not job["runs-on"].endswith("-latest")


def test_only_the_job_that_publishes_has_an_identity_and_it_runs_no_code_of_ours():
    jobs = loaded(ROOT / ".github/workflows/release.yml")["jobs"]
    able = [name for name, job in jobs.items() if "id-token" in job["permissions"]]

    assert able == ["publish"]
    assert jobs["publish"]["environment"] == "release"
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]


def test_a_release_is_tested_first_and_gets_its_bill_of_materials_from_a_job_without_our_code():
    jobs = loaded(ROOT / ".github/workflows/release.yml")["jobs"]
    able = [name for name, job in jobs.items() if job["permissions"].get("contents") == "write"]

    assert able == ["attach"]
    assert [step["run"] for step in jobs["test"]["steps"] if "run" in step] == ["sh .ci/run"]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("test", "build")
    (kept,) = [
        step["with"]["path"]
        for step in jobs["build"]["steps"]
        if step.get("with", {}).get("name") == "bill-of-materials"
    ]
    used = [step.get("uses", "").partition("@")[0] for step in jobs["attach"]["steps"]]
    assert used == ["actions/download-artifact", ""]
    (attached,) = [step["run"] for step in jobs["attach"]["steps"] if "run" in step]
    assert attached.startswith(f'gh release upload "$TAG" {kept} ')


def test_whoever_finds_a_fault_is_told_where_to_say_so_in_private():
    text = (ROOT / "SECURITY.md").read_text()
    assert "Report a vulnerability" in text.partition("##")[0]


# --- what the code may not do --------------------------------------------------------------------

NETWORK = {"socket", "paramiko", "urllib.request", "http", "requests", "ftplib", "smtplib", "ssl"}
NEVER = {"pickle", "marshal", "shelve", "dill", "telnetlib", "xmlrpc", "webbrowser"}
CODE_OF_BYTES = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all"),
}
# Only a host over SSH, an agent's or an engine's socket is ever spoken to.
SPEAKS = ("machines", "demo")


@cache
def parsed(path):
    return ast.parse(path.read_text())


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def called(tree):
    """The dotted name of each function that is called by one, with the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def naming(words):
    """The modules in whose text one of the names stands: no other can import or call it."""
    named = re.compile(rf"\b({'|'.join(words)})\b")
    return [path for path in CODE if named.search(path.read_text())]


def test_nothing_but_ssh_and_the_engine_is_spoken_to():
    for path in naming(module.partition(".")[0] for module in NETWORK):
        part = path.relative_to(Path(driftscan.__path__[0])).parts[0]
        used = set(imported(parsed(path)))
        network = {module for module in used if {module, module.partition(".")[0]} & NETWORK}
        assert not network or part in SPEAKS, f"{path} imports {network}"


def test_nothing_is_run_by_a_shell_of_ours_or_made_from_bytes_as_code():
    last = {name.rpartition(".")[2] for name in CODE_OF_BYTES}
    for path in naming({*NEVER, *last, "subprocess"}):
        assert dangers(parsed(path)) == [], path


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from marshal import loads", "eval(x)", "exec(x)", "os.system(x)"),
        *("subprocess.run(x, shell=True)", "subprocess.Popen(x, shell=y)", "yaml.load(x)"),
    ],
)
def test_a_danger_is_seen(line):
    assert dangers(ast.parse(line)) != []


def dangers(tree):
    """What could run a text of a host as code."""
    found = [module for module in imported(tree) if module.partition(".")[0] in NEVER]
    for name, call in called(tree):
        shells = [word.value for word in call.keywords if word.arg == "shell"]
        no_shell = all(isinstance(v, ast.Constant) and v.value is False for v in shells)
        if name in CODE_OF_BYTES or (name.startswith("subprocess.") and not no_shell):
            found.append(f"{name} at line {call.lineno}")
    return found


# --- what is installed ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_hashes(path):
    text = path.read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and line[0] not in "# "]

    assert packages
    for line in packages:
        assert re.match(r"[A-Za-z0-9._\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line[:80]


def exceptions():
    """ID, last day and reason of each known vulnerability that is let through for a while."""
    for line in (ROOT / ".ci/audit-exceptions.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split(" ", 2)


def test_an_exception_of_the_audit_has_a_reason_and_a_day_that_is_not_over_and_not_far():
    today = datetime.now(UTC).date()
    for name, until, reason in exceptions():
        assert re.fullmatch(r"(CVE|GHSA|PYSEC|OSV)-[A-Za-z0-9-]+", name)
        assert today <= date.fromisoformat(until) <= today + timedelta(days=90), name
        assert len(reason) > 10


@pytest.mark.long
def test_the_same_sources_give_the_same_wheel_at_any_time_and_place(tmp_path):
    sums = []
    for place, moment in (("one", 1_700_000_000), ("another/place", 1_750_000_000)):
        copy = tmp_path / place
        shutil.copytree(ROOT / "driftscan", copy / "driftscan", ignore=_caches)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy / name)
        for path in copy.rglob("*"):
            os.utime(path, (moment, moment))
        code = "from hatchling.build import build_wheel as build; build('.')"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        subprocess.run([sys.executable, "-c", code], cwd=copy, env=environment, check=True)
        (wheel,) = copy.glob("*.whl")
        sums.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
        with zipfile.ZipFile(wheel) as archive:
            assert "driftscan/script.py" in archive.namelist()

    assert sums[0] == sums[1]


def _caches(_folder, names):
    return [name for name in names if name == "__pycache__"]
