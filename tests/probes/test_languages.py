"""What the managers of languages installed is told by place, once, and a limit is never silent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Partial, Payload, Raw
from driftscan.probes import languages

SECTIONS = ("python", "npm", "gems", "go", "jars")


def parse(*lines):
    return languages.parse(Raw(outputs={"walk": Payload(lines)}))


def items(section, *lines):
    return parse(*lines, "walked", "")[section].items


@pytest.fixture
def found(captured):
    return languages.parse(captured("languages", "languages"))


# --- a real machine, beside what the managers themselves say -----------------------------------


def test_python_and_jars_are_what_the_machine_itself_tells(found, oracle):
    python, jars = set(), {}
    for line in oracle("languages", "languages"):
        kind, *words = line.split(" ")
        if kind == "python":
            python.add((words[0].lower().replace("_", "-"), words[1], words[2]))
        else:
            jars[words[0]] = int(words[1])
    told = {
        (key.partition("//")[2].partition("@")[0], item["version"], key.partition("@")[2])
        for key, item in found["python"].items.items()
    }

    assert told == python
    assert sum(len(item.get("versions", [1])) for item in found["jars"].items.values()) == len(jars)
    assert {item["size"] for item in found["jars"].items.values()} == set(jars.values())


def test_npm_tells_what_npm_itself_lists(found, captured_json):
    """`npm ls --all --json`, taken when the packages were installed."""
    listed = dict(sorted(_flat(captured_json("npm-ls"))))
    told = {
        "/".join(filter(None, key.partition("@/")[0].split("/")[1:])): item["version"]
        for key, item in found["npm"].items.items()
        if key.endswith("@/app/node_modules")
    }

    assert told == listed


def _flat(node):
    for name, one in node.get("dependencies", {}).items():
        if "version" in one:
            yield name, one["version"]
        yield from _flat(one)


@pytest.fixture
def captured_json():
    from tests.probes.conftest import read_captured

    return lambda name: json.loads(read_captured("languages", name))


def test_a_local_package_tells_where_it_came_from(found):
    item = found["python"].items["pypi//demo-pkg@/opt/shop/lib/python3.11/site-packages"]

    assert (item["version"], item["installer"]) == ("1.2", "pip")
    assert item["url"].startswith("file:///")


def test_versions_side_by_side_are_one_item_that_tells_all(found):
    rack = found["gems"].items["gem//rack@/var/lib/gems/3.1.0"]
    stored = found["npm"].items["npm//is-number@/srv/web/node_modules"]
    jar = found["jars"].items["jar//commons-lang3@/srv/shop/lib"]

    assert (rack["version"], rack["versions"]) == ("3.0.8", ["2.2.7", "3.0.8"])
    assert (stored["version"], stored["versions"]) == ("7.0.0", ["6.0.0", "7.0.0"])
    assert (jar["version"], jar["versions"]) == ("3.14.0", ["3.12.0", "3.14.0"])


def test_a_go_program_tells_its_module_and_compiler(found):
    (key,) = found["go"].items

    assert key == "golang/github.com/docker/cli/cmd/docker@/usr/local/bin/docker"
    assert found["go"].items[key]["go"] == "1.24.3"


def test_a_directory_too_deep_makes_every_section_partial_and_is_named(found):
    for name in SECTIONS:
        assert isinstance(found[name], Partial)
        assert found[name].gaps == ["/opt/a/b/c/d/e/f/g/h/i/j/k: deeper than is looked at"]


def test_another_account_is_told_which_directories_are_closed_to_it(captured):
    found = languages.parse(captured("languages", "languages-ops"))

    assert "/srv/closed: denied" in found["jars"].gaps


def test_a_machine_with_nothing_of_it_has_whole_and_empty_sections(captured):
    found = languages.parse(captured("languages", "web-a"))

    assert {name: found[name] for name in SECTIONS} == dict.fromkeys(SECTIONS, Collected(items={}))


# --- limits and what is odd ----------------------------------------------------------------------


def test_a_walk_that_was_ended_is_partial_with_the_reason():
    found = parse("160 /srv/a/one-1.0.jar", "")

    assert found["jars"].items == {"jar//one@/srv/a": {"version": "1.0", "size": 160}}
    assert found["jars"].gaps == ["a walk has 10 s and tells 4 MB: the rest was not looked at"]


def test_a_line_that_was_cut_in_the_middle_is_left_out_where_the_walk_was_cut():
    found = parse("160 /srv/a/one-1.0.jar", "16", "have dpkg")

    assert list(found["jars"].items) == ["jar//one@/srv/a"]
    assert isinstance(found["jars"], Partial)


def test_a_line_that_nobody_prints_fails_a_whole_walk_and_is_named():
    with pytest.raises(ParseError, match="expected a file, its version or its owner, got 'hello'"):
        parse("hello", "walked", "")


def test_what_a_package_has_is_told_with_its_owner():
    lines = ("9 /opt/agent/lib/a-1.jar", "9 /opt/own/b-2.jar")
    owned = ("have dpkg", "owner agent.list:/opt/agent")
    jars = parse(*lines, "walked", "", *owned)["jars"].items

    assert {key: item["owner"] for key, item in jars.items()} == {
        "jar//a@/opt/agent/lib": "agent",
        "jar//b@/opt/own": "",
    }


@pytest.mark.parametrize(
    ("name", "key", "version"),
    [
        ("lodash@4.17.21", "npm//lodash@/a/node_modules", "4.17.21"),
        ("@babel+core@7.1.0_supports-color@8.1", "npm/@babel/core@/a/node_modules", "7.1.0"),
        ("react-dom@18.2.0(react@18.2.0)", "npm//react-dom@/a/node_modules", "18.2.0"),
    ],
)
def test_pnpms_store_names_scope_name_and_version(name, key, version):
    assert items("npm", f"4096 /a/node_modules/.pnpm/{name}") == {key: {"version": version}}


@pytest.mark.parametrize(
    ("line", "key", "item"),
    [
        ("mod\texample.org/x\tv1.2.3\th1:abc", "golang/example.org/x@/opt/x", "v1.2.3"),
        ("mod\texample.org/x\t(devel)\t", "golang/example.org/x@/opt/x", "(devel)"),
    ],
)
def test_a_module_of_a_go_program_has_its_version(line, key, item):
    build = r"/opt/x:Go buildinf:\x08\x02\x00\x08go1.22.5\x030w" + "path\texample.org/x"
    found = items("go", build, f"/opt/x:{line}")

    assert found == {key: {"version": item, "go": "1.22.5"}}


@pytest.mark.case("H26")
@pytest.mark.parametrize(
    "text", ["{oops", "[" * 60_000, '{"url": NaN}', '{"url": ' + "9" * 5000 + "}", '{"x":' * 30_000]
)
def test_a_direct_url_that_is_no_json_leaves_the_rest(text):
    info = "/opt/v/lib/python3.11/site-packages/x-1.dist-info"
    (item,) = items("python", f"{info}/direct_url.json:{text}", f"9 {info}").values()

    assert item == {"version": "1", "installer": ""}


@given(st.lists(st.sampled_from(["9 /opt/a-1.jar", "walked", "", "have dpkg"]) | st.text()))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        found = parse(*lines)
    except ParseError:
        return
    assert set(found) == set(SECTIONS)
