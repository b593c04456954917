"""Secrets everywhere on a machine: none of them in what is stored, reported or complained of."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan.cli.configuration import FORMATS
from tests.canaries import FILES, HISTORY, STEM, Canaries
from tests.lab import engine
from tests.lab.conftest import Program

pytestmark = pytest.mark.lab

IMAGE = "driftscan-lab/web-a:latest"


@pytest.fixture
def planted() -> Iterator[str]:
    """A running container of a lab image with all of these files and processes."""
    chosen, canaries = engine.current(), Canaries()
    name = f"driftscan-lab-test-secrets-{os.getpid()}"
    environment = canaries.planted("--env DB_PASSWORD=@ --env REDIS_URL=redis://:@@r.example.com/0")
    words = ["--name", name, "--network", "none", *chosen.limits(), *environment.split()]
    chosen.run("run", "--detach", *words, IMAGE, "sleep", "3600")
    try:
        for path, text in FILES.items():
            place = shlex.quote(path)
            write = f"mkdir -p $(dirname {place}) && cat > {place}"
            chosen.run("exec", "-i", name, "sh", "-c", write, stdin=canaries.planted(text))
        log = "cat >> /var/log/apt/history.log"
        chosen.run("exec", "-i", name, "sh", "-c", log, stdin=canaries.planted(HISTORY))
        service = canaries.planted("exec -a 'app --password @ --db x://u:@@h' sleep 3600")
        secret = canaries.planted("LD_API_KEY=@")
        chosen.run("exec", "--detach", "--env", secret, name, "bash", "-c", service)
        assert canaries.count > 40
        yield name
    finally:
        chosen.succeeds("rm", "-f", name)


@pytest.mark.case("H30", "D14", "D15")
def test_no_planted_secret_is_stored_or_told(
    planted: str, driftscan: Program, tmp_path: Path
) -> None:
    out, fixes = tmp_path / "out", tmp_path / "fixes"
    told = [driftscan("scan", f"docker://{planted}", "-o", str(out))]
    for form in FORMATS:
        options = ("-f", form, "--all") if form == "text" else ("-f", form)
        words = ("compare", f"docker://{planted}", f"image://{IMAGE}", *options)
        details = "--details" if form == "text" else "--no-details"
        told.append(driftscan(*words, "--fix", str(fixes), details))
    for about in ("curl", "inhouse", "AWS_SECRET_ACCESS_KEY"):
        words = ("explain", f"docker://{planted}", f"image://{IMAGE}", "--about", about)
        told.append(driftscan(*words))

    texts = {f"{done.code} {n} {s}": getattr(done, s) for n, done in enumerate(told) for s in _BOTH}
    texts |= {str(p): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    leaks = {
        where: text[max(0, at - 80) : at + 20]
        for where, text in texts.items()
        if (at := text.find(STEM)) >= 0
    }
    assert leaks == {}
    # what stands beside the secrets was read
    (stored,) = (path.read_text() for path in out.glob("*.json"))
    for seen in (
        "apt.example.com",
        "apt2.example.com",
        "AWS_SECRET_ACCESS_KEY",
        "proxy.example.com",
    ):
        assert seen in stored
    assert "Traceback" not in "".join(texts.values())


_BOTH = ("out", "err")
