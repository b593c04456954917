"""Reports whose every free text is an attack, and what no form of the report may let through."""

from typing import Any

import msgspec
from msgspec.structs import replace

from driftscan.model import (
    Accepted,
    Cause,
    Divergence,
    Evidence,
    Expected,
    Finding,
    Gap,
    HostRecord,
    HostReport,
    Meta,
    Mirror,
    Place,
    Remedy,
    Report,
    Step,
    Unreached,
    Use,
)

MARK = "evil"

CORPUS = {
    "newline": f"a\n{MARK}: forged\r\nline\n# {MARK}",
    "ansi": f"\x1b[31m\x1b[2J{MARK}\x1b]8;;http://x\x07\x9b1m\x90q\x9c\x08\x7f",
    "nul and controls": "".join(map(chr, range(32))) + MARK,
    "c1 and nel": f"\x80\x85\x9f{MARK}",
    "bidi": f"\u202e{MARK}\u2066\u2069\u200b\u200f\ufeff",
    "separators": f"{MARK}\u2028{MARK}\u2029{MARK}\u00a0\u3000",
    "not characters": f"{MARK}\ufffe\uffff\U000e0001\ue000",
    "surrogate": f"{MARK}\ud800",
    "workflow command": f"::set-output name=x::{MARK}",
    "workflow command after a newline": f"x\n::error file=x,line=1::{MARK}\n::add-mask::{MARK}",
    "workflow command in a text": f"apt-get install x # ::stop-commands::{MARK} ::endgroup::",
    "old commands": f"##[set-env name=x]{MARK} ##vso[task.setvariable]{MARK} ##teamcity[{MARK}]",
    "percent": f"%0A::set-output::{MARK}%25%0D,:%3A",
    "cdata": f"]]>{MARK}<![CDATA[ <!-- {MARK} -->",
    "xml": f'"\'/><failure message="{MARK}">&lt;&amp;&bogus;&#0;',
    "html": f"<script>{MARK}</script><img src=x onerror={MARK}><details></details>",
    "backticks": f"`{MARK}` ```` {MARK}\n```\n# {MARK} `",
    "backtick at the ends": f"`{MARK}`",
    "pipes": f"|{MARK}|\\|{MARK}\\\\|a|",
    "links": f"[{MARK}](javascript:x) ![{MARK}](http://x/{MARK}) <http://{MARK}> www.{MARK}.org",
    "mentions": f"@{MARK} #1 {MARK}@example.org GH-1",
    "markdown": f"**{MARK}** _{MARK}_ ~~{MARK}~~ # {MARK} - {MARK} > {MARK} &copy; \\{MARK}",
    "rich": f"[/red][link=http://x]{MARK}[/link] :smile:",
    "long": MARK * 3000,
    "long words": f"{MARK} " * 2000,
    "empty": "",
    "blank": "   ",
    "backslash": f"{MARK}\\",
}
"""By name; `MARK` tells what came from the attack wherever it is found again."""

# Fields that hold one of a few words of ours, and the host's state, which the program sets.
_FIXED = {
    "kind",
    "direction",
    "confidence",
    "level",
    "state",
    "schema",
    "fail_on",
    "answer",
    "phase",
}


def attacked(text: str) -> Report:
    """A report in which every field that can hold other text holds this one."""
    plain = _poisoned(msgspec.to_builtins(_report()), text)
    report = msgspec.convert(plain, type=Report)
    hosts = {
        name: replace(host, findings=[replace(f, cause=host.causes[0].id) for f in host.findings])
        for name, host in report.hosts.items()
    }
    return replace(report, hosts=hosts)


def _poisoned(value: Any, text: str, key: str = "") -> Any:
    if isinstance(value, str):
        return value if key in _FIXED else text
    if isinstance(value, list):
        return [_poisoned(item, text, key) for item in value]
    if isinstance(value, dict):
        return {
            name + text if key in ("hosts", "equal") else name: _poisoned(item, text, name)
            for name, item in value.items()
        }
    return value


META = Meta(target="web-a", kind="host", address="x", taken="2026-11-23T17:20:00Z", privilege="r")
LINE = Place(kind="line", file="web/Dockerfile", line=3, text="RUN x", built="2026-11-23T16:00:00Z")
RECORD = HostRecord(time="2026-10-21 14:02", zone="UTC", user="deploy", command="apt-get install a")


def finding(key: str, level: str) -> Finding:
    item = {"version": "1"}
    member = Divergence(
        section="dpkg",
        key=key,
        kind="changed",
        subject=item,
        reference={"version": "2"},
        changes={"version": ["1", "2"]},
        group=key,
    )
    return Finding(
        section="dpkg",
        key=key,
        kind="changed",
        direction="older",
        subject_version="1",
        reference_version="2",
        level=level,
        members=[member],
        cause="hold:a",
        also=["pin:a"],
        host_record=RECORD,
        reference_record=RECORD,
        image_record=LINE,
        uses=[Use(program="/usr/bin/x", service="x.service", processes=2, files=["/lib/x.so"])],
        proof=[Evidence(text="proof", confidence="proven")],
        dependencies=["b"],
        dependency_count=3,
    )


def _report() -> Report:
    levels = ("breaks", "in-use", "installed")
    cause = Cause(
        type="hold",
        subject="a",
        text="a is held",
        confidence="inferred",
        claims=["dpkg:a"],
        evidence=[Evidence(text="seen", confidence="recorded")],
        host_record=RECORD,
        image_record=LINE,
    )
    rule = Accepted(
        id="dpkg:b",
        state="expired",
        reason="why",
        owner="ops",
        until="2026-12-01",
        ticket="INC-1",
        members=["dpkg:b"],
    )
    host = HostReport(
        state="drift",
        subject=META,
        reference=META,
        reference_image=LINE,
        causes=[cause],
        findings=[finding(level, level) for level in levels],
        equal={"dpkg": 3},
        unknown=[Gap(what="os", side="web-a", why="denied", cure="root")],
        remedies=[Remedy(id="r1", causes=["hold:a"], steps=[Step(run="x", why="y")], notes=["n"])],
        expected=[
            Expected(rule="cron", reason="hosts", members=["dpkg:cron"], host_records=[RECORD])
        ],
        symptom="symptom",
        since=Evidence(text="until then", confidence="recorded"),
        mirror=Mirror(level="breaks", cause="hold:x", text="web-b is it", command="driftscan x"),
        accepted=[rule],
    )
    lost = Unreached(target="web-c", state="timeout", stage="connect", cause="none", cure="look")
    return Report(
        complete=False,
        exit_code=4,
        counts={"hosts": 2, "compared": 1, "unreached": 1, "drifted": 1},
        notes=["a rule expired"],
        hosts={
            "web-a": host,
            "web-c": HostReport(state="timeout", unreached=lost, causes=[cause]),
        },
    )
