"""python -m tests.fuzz [--seconds N] [TARGET...]: atheris on each parser, led by its coverage.

What was found is kept in the lab's cache, so the next run goes on from there; the input of a crash
is left in `crashes/` beside it and named.
"""

import argparse
import re
import subprocess
import sys
from hashlib import sha256

from tests.lab.settings import cache

RUNS = re.compile(r"Done (\d+) runs")
COVERED = re.compile(r"cov: (\d+)")


def main() -> int:
    """The number of targets that crashed, at most 1 as exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    chosen, rest = parser.parse_known_args()
    if chosen.run:
        return _fuzz(chosen.targets[0], rest)
    from tests.fuzz.targets import TARGETS

    unknown = {*chosen.targets} - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
    crashed = [name for name in chosen.targets or TARGETS if not _one(name, chosen.seconds)]
    if crashed:
        say(f"crashed: {', '.join(crashed)}")
    return 1 if crashed else 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _one(name: str, seconds: int) -> bool:
    """One target for so long, in a process of its own; whether it came through."""
    from tests.fuzz.targets import seeds

    corpus = cache() / "fuzz" / name
    crashes = cache() / "fuzz" / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-max_len=65536", "-timeout=20", "-rss_limit_mb=2048"]
    words = [sys.executable, "-m", "tests.fuzz", "--run", name, *limits]
    words += [f"-artifact_prefix={crashes}/{name}-", str(corpus)]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    told = done.stdout + done.stderr
    runs, covered = RUNS.findall(told), COVERED.findall(told)
    good = done.returncode == 0
    figures = f"{(runs or ['?'])[-1]:>10} runs {(covered or ['?'])[-1]:>7} edges"
    say(f"{name:<28}{figures}{'' if good else '  CRASH'}")
    if not good:
        say(told[-3000:])
    return good


def _fuzz(name: str, arguments: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["driftscan"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
