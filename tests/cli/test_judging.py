"""A fault while one host is explained is that host's result, and the others keep theirs."""

import json

from driftscan.explain import engine


def test_a_fault_in_explaining_one_host_leaves_the_others_their_reports(
    driftscan, machine, monkeypatch
):
    explain = engine.explain

    def failing(subject, *others):
        if subject.name == "bad":
            raise KeyError("text of a host \x1b[31m")
        return explain(subject, *others)

    monkeypatch.setattr(engine, "explain", failing)
    words = [machine("bad", curl="1"), machine("good", curl="2"), "--baseline", "./good.json"]

    done = driftscan("check", *words, "-f", "json")

    report = json.loads(done.out)
    states = {name: host["state"] for name, host in report["hosts"].items()}
    assert states == {"bad.json": "internal_error", "good.json": "in-sync"}
    assert (done.code, report["complete"]) == (3, False)
    assert done.err.startswith("Traceback (most recent call last):\n")
    assert "\x1b" not in done.err
