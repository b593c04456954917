"""Capture what probes are answered on a real machine, into captured/MACHINE/PROBE.txt.gz.

Run by hand from the root of the repository; everything after `--` gets the script on its
standard input (here by default):

    python -m tests.probes.capture web-a dpkg os -- docker exec -i driftscan-lab-web-a sh -s
    python -m tests.probes.capture web-a -- ssh web-a sudo -n sh -s

A probe without data there is captured too: that is an answer. `--oracle PROBE COMMAND` runs the
command there as well (its script is `COMMAND`) and keeps its output as PROBE.oracle.txt.gz.
"""

import argparse
import gzip
import subprocess
import sys
from pathlib import Path

from driftscan.model import Scope
from driftscan.probes.contract import Probe
from driftscan.probes.table import of
from driftscan.script import questions

NONCE = "00000000driftscan-capture00000000"
CAPTURED = Path(__file__).parent / "captured"


def ask(command: list[str], script: str) -> bytes:
    """What the command prints when it gets the script on its standard input."""
    return subprocess.run(command, input=script.encode(), stdout=-1, check=True, timeout=120).stdout


def transcript(command: list[str], probe: Probe) -> bytes:
    """The framed answer to one probe, from its BEGIN mark on."""
    answer = ask(command, questions([probe], deadline=100, nonce=NONCE).script)
    begin = answer.find(NONCE.encode() + b" BEGIN ")
    if begin < 0 or not answer.endswith(NONCE.encode() + b" END\n"):
        raise SystemExit(f"no whole answer for {probe.NAME}: {answer[-200:]!r}")
    return answer[begin:]


def keep(machine: str, name: str, data: bytes) -> None:
    """Small answers as text that a review can read, large ones packed (without a time)."""
    plain = CAPTURED / machine / f"{name}.txt"
    packed = plain.with_name(plain.name + ".gz")
    plain.parent.mkdir(parents=True, exist_ok=True)
    for old in (plain, packed):
        old.unlink(missing_ok=True)
    if len(data) < 4000:
        plain.write_bytes(data)
    else:
        packed.write_bytes(gzip.compress(data, mtime=0))


def main() -> None:
    """Ask the named probes, or all, one by one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("machine")
    parser.add_argument("probes", nargs="*")
    parser.add_argument("--app", action="append", default=[], help="a further root")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--oracle", nargs=2, action="append", default=[])
    words, command = sys.argv[1:], ["sh", "-s"]
    if "--" in words:
        split = words.index("--")
        words, command = words[:split], words[split + 1 :]
    arguments = parser.parse_args(words)
    scope = Scope(apps=tuple(arguments.app), verify=arguments.verify)
    for probe in of(scope):
        if not arguments.probes or probe.NAME in arguments.probes:
            keep(arguments.machine, probe.NAME, transcript(command, probe))
    for name, script in arguments.oracle:
        keep(arguments.machine, f"{name}.oracle", ask(command, script + "\n"))


if __name__ == "__main__":
    main()
