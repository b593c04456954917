"""The parts of docs/ that are made from the code: `python -m tests.generated` writes them.

And the golden reports of the recorded hosts, see `tests/golden.py`.
"""

import re
from pathlib import Path

import msgspec
from click.testing import CliRunner

from driftscan.cli.main import COMMANDS, main
from driftscan.demo import story
from driftscan.model import (
    Baseline,
    Files,
    Fingerprint,
    Lines,
    Report,
    Rule,
    Shell,
    Stats,
)
from driftscan.probes.contract import Probe
from driftscan.probes.table import ON_DEMAND, PROBES
from driftscan.probes.wanted.table import KINDS
from tests import cases, golden

DOCS = Path(__file__).parents[1] / "docs"


def probes() -> str:
    """`docs/probes.md`: every section, from the table of probes."""
    rows = [
        "# What is collected",
        "",
        "Made from `driftscan/probes/table.py` by `make docs`; a test keeps it so. Facts are",
        "compared, evidence only explains. Sections marked live exist on running machines only.",
        "Details are asked on a second trip, and only about what differs.",
        "",
        "| section | probe | key | compared fields | evidence fields | source | privilege | cost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for probe in (*PROBES, *ON_DEMAND):
        for about in probe.GIVES:
            name = f"`{about.name}`{', live' if about.live else ''}"
            fields = (about.fields, "-") if about.holds == "facts" else ("-", about.fields)
            source = about.source or _asked(probe)
            rows.append(
                _row(name, probe.NAME, about.key, *fields, source, about.privilege, about.cost)
            )
    for kind in KINDS:
        key, _, fields = kind.GIVES.partition(": ")
        rows.append(_row(f"`{kind.KIND}`, details", f"wanted/{kind.KIND}", key, "-", fields))
    return "\n".join(rows) + "\n"


def _row(*cells: str) -> str:
    filled = [(cell or "-").replace("|", "\\|") for cell in (*cells, "", "", "")[:8]]
    return f"| {' | '.join(filled)} |"


def _asked(probe: Probe) -> str:
    """What the questions of a probe read, where a section does not say which part it is of."""
    told: list[str] = []
    for ask in probe.ASK:
        match ask:
            case Files(globs=globs):
                told += globs
            case (
                Lines(directories=places, pattern=pattern)
                | Stats(directories=places, pattern=pattern)
            ):
                told += [f"{place}/{pattern}" for place in places]
            case Shell(body=body):
                told.append(_programs(body))
    return ", ".join(dict.fromkeys(filter(None, told)))


_READS = ("dpkg-query", "rpm", "ldconfig", "md5sum", "uname", "getconf", "date", "id")


def _programs(body: str) -> str:
    """The programs a question asks, and the first places it names."""
    text = re.sub(r"^\s*#.*", "", body, flags=re.MULTILINE)
    named = [f"`{word}`" for word in _READS if re.search(rf"(?<![\w./-]){word} ", text)]
    places = re.findall(r"(?<![\w$}*./\"'\\])/(?:etc|var|usr|proc|opt|srv|sys|lib)/[\w./*-]+", text)
    return ", ".join([*named, *list(dict.fromkeys(places))[:6]])


def schema(noun: type) -> str:
    """The JSON Schema of one noun, sorted."""
    text = msgspec.json.encode(msgspec.json.schema(noun), order="sorted")
    return msgspec.json.format(text, indent=1).decode() + "\n"


def accept_schema() -> str:
    """The JSON Schema of the accept file, without what only the program adds."""
    day = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    parts = msgspec.json.schema(list[Rule])["$defs"]
    for part in parts.values():
        part["additionalProperties"] = False
        for field in part["properties"].values():
            if field["type"] == "string":
                field.pop("default", None)
                field["minLength"] = 1
    rule, pin = parts["Rule"], parts["Pin"]
    del rule["properties"]["line"], rule["properties"]["values"]["default"]
    rule["properties"]["until"] = day
    rule["properties"]["values"]["minItems"] = 1
    rule["required"] = sorted([*rule["required"], "values"])
    rule["not"] = {"required": ["host", "group"]}
    pin["properties"]["digest"]["pattern"] = "^[0-9a-f]{16}$"
    whole = {
        "$defs": parts,
        "type": "object",
        "required": ["accepted"],
        "additionalProperties": False,
        "properties": {"accepted": {"type": "array", "items": {"$ref": "#/$defs/Rule"}}},
    }
    text = msgspec.json.encode(whole, order="sorted")
    return msgspec.json.format(text, indent=1).decode() + "\n"


def commands() -> str:
    """`docs/commands.md`: what each command says of itself."""
    parts = [
        "# Commands",
        "",
        "Made from the program's own help by `make docs`; a test keeps it so.",
    ]
    for words in [[], *([name] for name in COMMANDS), *(["baseline", n] for n in _BASELINE)]:
        told = CliRunner().invoke(main, [*words, "--help"], prog_name="driftscan", env=_PLAIN)
        title = " ".join(["driftscan", *words])
        parts += ["", f"## {title}", "", "```text", told.output.rstrip(), "```"]
    return "\n".join(parts) + "\n"


_BASELINE = ("build", "show", "list")
_PLAIN = {"COLUMNS": "100"}
_STORY = re.compile(r"(<!-- story.*?-->\n).*(<!-- /story -->)", re.DOTALL)
_TOLD = ("explain", "web-a", "--about", "imagemagick")


def readme() -> str:
    """README.md with the real output of the program over the recorded servers."""
    with story.served() as inventory:
        env = {"XDG_CACHE_HOME": str(inventory.parent)}
        for words in (("compare", "web-a", "web-b"), _TOLD):  # the first fills the cache
            done = CliRunner().invoke(main, [*words, "-i", str(inventory)], env=env)
    block = f"```console\n$ driftscan {' '.join(_TOLD)}\n{done.output}```\n"
    text = (DOCS.parent / "README.md").read_text()
    return _STORY.sub(lambda found: found[1] + block + found[2], text)


def everything() -> dict[Path, str]:
    """Each generated file with its text."""
    schemas = {"fingerprint": Fingerprint, "baseline": Baseline, "report": Report}
    files = {DOCS / "schema" / f"{name}.json": schema(noun) for name, noun in schemas.items()}
    files[DOCS / "schema" / "accept.json"] = accept_schema()
    pages = {DOCS / "commands.md": commands(), DOCS / "probes.md": probes()}
    pages[DOCS / "reliability.md"] = cases.reliability()
    return {DOCS.parent / "README.md": readme(), **pages, **files}


if __name__ == "__main__":
    for path, text in everything().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    golden.main()
