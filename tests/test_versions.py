"""Version order against the real tools, other projects' tables, and the laws of an order."""

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from driftscan import versions

FIXTURES = Path(__file__).parents[1].parent / "shared" / "fixtures"
SIGNS = {"<": -1, "=": 0, ">": 1}
ECOSYSTEMS = ["deb", "rpm", "apk", "alpm", "pypi", "npm", "gem", "maven", "golang"]

# --- rows of the tables without an answer, each with the reason ----------------------------

# Rows of which the ecosystem's own rules call a version invalid: the table asks what a tool
# does with it all the same, we say that the order is unknown.
INVALID = {
    # apk: two letters, an unknown suffix, an empty component, an upper-case letter
    "apk": re.compile(
        r"^[a-z.]| \.|\.\.|\d[a-z]+\d|\dbc|[A-Z]|-r(?!\d)|-(?!r)|\.r|_blah|_csv|_foo|r0-"
    ),
    # rpm: an epoch that is no number, an empty or one-sided release, not ASCII
    "rpm": re.compile(r"[^0-9 <=>].*:|^[a-z]|[^\x00-\x7f]|- |-$|^1 < 1-"),
    "pypi": re.compile(
        r"-[a-z]{4}|-git|^20\d\d-|< 20\d\d-|fix1|svn|p\d|trunk|-class|m\d|-STAGING|^a3|beta6\.1"
    ),
    "gem": re.compile(r"1(beta|gamma)$"),
    "npm": re.compile(r"^\d+ < \d+$|1\.1\.3\.4\.5"),  # not three numbers
}


def table(path: str) -> list[tuple[str, str, int]]:
    file = FIXTURES / path
    if not file.exists():
        pytest.skip(f"the version tables are not part of a clone: {file} is missing")
    rows = (re.fullmatch(r"(\S+) ([<>=]) (\S+)", line) for line in file.read_text().splitlines())
    return [(row[1], row[3], SIGNS[row[2]]) for row in rows if row and row[1] not in ("#", "//")]


LONG = partial(pytest.param, marks=pytest.mark.long)
OSV = "osv-scalibr/semantic/testdata"
TABLES = [
    # ecosystem, file, rows at least, rows called invalid at most
    ("apk", f"{OSV}/alpine-versions.txt", 770, 37),
    LONG("apk", f"{OSV}/alpine-versions-generated.txt", 13_900, 60),
    ("apk", "apk-tools/test/unit/version.data", 730, 1),
    ("deb", f"{OSV}/debian-versions.txt", 30, 0),
    LONG("deb", f"{OSV}/debian-versions-generated.txt", 14_400, 0),
    ("maven", f"{OSV}/maven-versions.txt", 100, 0),
    LONG("maven", f"{OSV}/maven-versions-generated.txt", 14_700, 0),
    ("pypi", f"{OSV}/pypi-versions.txt", 35, 11),
    LONG("pypi", f"{OSV}/pypi-versions-generated.txt", 12_300, 69),
    ("gem", f"{OSV}/rubygems-versions.txt", 25, 2),
    LONG("gem", f"{OSV}/rubygems-versions-generated.txt", 4_000, 0),
    ("rpm", f"{OSV}/redhat-versions.txt", 160, 39),
    ("npm", f"{OSV}/semver-versions.txt", 80, 2),
]


@pytest.mark.parametrize(("ecosystem", "path", "rows", "invalid"), TABLES)
def test_every_row_of_a_table_is_ordered_as_its_reference_does(ecosystem, path, rows, invalid):
    """All rows, no sample; the 60,000 that were generated in `make test`."""
    found = table(path)
    answers = [
        (a, sign, b, versions.compare(ecosystem, a, b))
        for a, b, want in found
        for sign in [{-1: "<", 0: "=", 1: ">"}[want]]
    ]
    unknown = [f"{a} {sign} {b}" for a, sign, b, answer in answers if answer is None]
    wrong = {
        f"{a} {sign} {b}" for a, sign, b, got in answers if got is not None and got != SIGNS[sign]
    }
    assert (len(found) >= rows, wrong) == (True, set())
    pattern = INVALID.get(ecosystem, re.compile("$^"))
    assert ([row for row in unknown if not pattern.search(row)], len(unknown) <= invalid) == (
        [],
        True,
    )


def test_apk_accepts_and_refuses_the_forms_apk_tools_does():
    file = FIXTURES / "apk-tools/test/unit/version.data"
    if not file.exists():
        pytest.skip(f"the version tables are not part of a clone: {file} is missing")
    forms = [line for line in file.read_text().splitlines() if re.fullmatch(r"!?\S+", line)]
    forms = [form for form in forms if form != "!"]
    refused = [f for f in forms if versions.compare("apk", f.lstrip("!"), f.lstrip("!")) is None]
    assert (len(forms) > 20, refused) == (True, [f for f in forms if f.startswith("!")])


def test_rpm_orders_the_table_of_rpm_itself():
    file = FIXTURES / "rpm/rpmvercmp.at"
    if not file.exists():
        pytest.skip(f"the version tables are not part of a clone: {file} is missing")
    rows = re.findall(r"^RPMVERCMP\((\S+), (\S+), (-?\d)\)", file.read_text(), re.MULTILINE)
    got = [(a, b, versions.compare("rpm", a, b)) for a, b, _ in rows]
    assert (len(rows) > 80, got) == (True, [(a, b, int(want)) for a, b, want in rows])


@pytest.mark.parametrize(("scheme", "ecosystem"), [("alpm", "alpm"), ("maven", "maven")])
def test_the_tables_of_univers_hold(scheme, ecosystem):
    file = FIXTURES / f"univers/tests/data/schema/{scheme}_version_cmp.json"
    if not file.exists():
        pytest.skip(f"the version tables are not part of a clone: {file} is missing")
    wrong = []
    for case in json.loads(file.read_text()):
        a, b = case["input"]["versions"]
        expected = case["expected_output"]
        want = 0 if expected is True else -1 if expected == [a, b] else 1
        if versions.compare(ecosystem, a, b) != want:
            wrong.append((a, b, want))
    assert wrong == []


# --- dpkg as the oracle --------------------------------------------------------------------

REAL_DEB = [
    ("1.0.9-2+b6", "1.0.9-2+deb12u1"),
    ("1.0.9-2+b6", "1.0.9-2"),
    ("2:8.39-15", "10.42-1"),
    ("1.2.3-4~bpo12+1", "1.2.3-4"),
    ("1.2.3-4~bpo12+1", "1.2.3-3"),
    ("6.9.11.60+dfsg-1.6+deb12u1", "8:6.9.11.60+dfsg-1.6+deb12u2"),
    ("3.0.11-1~deb12u2", "3.0.11-1"),
    ("20230311", "20230311+deb12u1"),
    ("1.0~rc1-1", "1.0-1"),
    ("1.0~~", "1.0~"),
    ("1.0-0", "1.0"),
    ("1.0-00", "1.0-0"),
    ("0:1.0-1", "1.0-1"),
    ("1.0-1ubuntu0.22.04.1", "1.0-1ubuntu1"),
    ("1.0a", "1.0+"),
    ("2024a-0+deb12u1", "2024b-0+deb12u1"),
    ("1.2-3-4", "1.2-3-5"),
    ("09.1", "9.01"),
]
deb = st.from_regex(
    r"\A([0-2]:)?[0-9]{1,2}([.+~-]?[0-9a-bA-B]{1,2}){0,3}(-[0-9]([+.~]?(b|deb|bpo)?[0-9]){0,2})?\Z"
)


def dpkg_order(a: str, b: str) -> int:
    if shutil.which("dpkg") is None:
        pytest.skip("the oracle dpkg is not on this machine")
    for operator, sign in (("lt", -1), ("eq", 0), ("gt", 1)):
        done = subprocess.run(["dpkg", "--compare-versions", a, operator, b], capture_output=True)
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 0:
            return sign
    raise AssertionError(f"dpkg orders {a!r} and {b!r} in no way")


@pytest.mark.parametrize(("a", "b"), REAL_DEB)
def test_a_real_debian_pair_is_ordered_as_dpkg_does(a, b):
    want = dpkg_order(a, b)
    assert (versions.compare("deb", a, b), versions.compare("deb", b, a)) == (want, -want)


def test_a_binnmu_is_older_than_a_stable_update():
    assert versions.compare("deb", "1.0.9-2+b6", "1.0.9-2+deb12u1") == -1


@given(deb, deb)
def test_a_generated_debian_pair_is_ordered_as_dpkg_does(a, b):
    assert versions.compare("deb", a, b) == dpkg_order(a, b)


@given(st.text("0123456789abAB.+~-:", min_size=1, max_size=8))
def test_what_dpkg_refuses_has_no_order(text):
    done = subprocess.run(
        ["dpkg", "--compare-versions", text, "lt", "1"], capture_output=True, text=True
    )
    assume("bad syntax" in done.stderr or "error" in done.stderr)
    assert versions.compare("deb", text, text) is None


# --- the laws of an order ------------------------------------------------------------------

numbers = st.lists(st.integers(0, 12), min_size=1, max_size=3).map(
    lambda parts: ".".join(map(str, parts))
)


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def maybe(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *choices])


semver = joined(
    st.tuples(*[st.integers(0, 3)] * 3).map(lambda parts: ".".join(map(str, parts))),
    maybe("-rc.1", "-rc.2", "-alpha", "-1", "+build"),
)
VALID = {
    "deb": deb,
    "rpm": joined(
        maybe("1:"),
        numbers,
        maybe("~rc1", "^git1", "a", "_1"),
        st.just("-"),
        numbers,
        maybe(".el9"),
    ),
    "apk": joined(
        numbers,
        maybe(".01", ".001", ".0"),
        maybe("a", "z"),
        maybe("_alpha", "_rc2", "_p1", "_git20240101", "_alpha_pre2"),
        maybe("~12ab"),
        maybe("-r0", "-r1", "-r12"),
    ),
    "alpm": joined(maybe("1:"), numbers, maybe("rc1", "a", ".b", "+git1"), st.just("-"), numbers),
    "pypi": joined(maybe("1!"), numbers, maybe("a1", "rc2", ".dev3", ".post1", "+local.1")),
    "npm": semver,
    "gem": joined(numbers, maybe(".a", ".rc1", ".b.2", "-java")),
    "maven": joined(numbers, maybe("-alpha", "-SNAPSHOT", "-rc1", ".Final", ".RELEASE", "-sp")),
    "golang": joined(maybe("v"), semver),
}


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_an_order_is_antisymmetric_and_transitive(ecosystem):
    @given(st.lists(VALID[ecosystem], min_size=3, max_size=3))
    def holds(three):
        signs = {
            (i, j): versions.compare(ecosystem, three[i], three[j])
            for i in range(3)
            for j in range(3)
        }
        assert all(signs[i, j] == -(signs[j, i] or 0) for i, j in signs)
        for a, b, c in [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 0, 2)]:
            if signs[a, b] in (-1, 0) and signs[b, c] in (-1, 0):
                assert signs[a, c] == min(signs[a, b], signs[b, c])

    holds()


@pytest.mark.parametrize("ecosystem", [*ECOSYSTEMS, "no-such-ecosystem"])
def test_no_text_makes_an_order_raise(ecosystem):
    anything = st.one_of(
        st.text(max_size=40),
        st.text("0123456789.-+~^:_vabrcp!", max_size=20),
        st.text("9", max_size=400),
    )

    @given(anything, anything)
    def holds(a, b):
        forth, back = versions.compare(ecosystem, a, b), versions.compare(ecosystem, b, a)
        assert forth == (None if back is None else -back)
        assert versions.upstream(ecosystem, a) != "" or a == ""
        assert isinstance(versions.level(ecosystem, a, b), str)

    holds()


# --- single traps --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        ("apk", ["1.9-r0", "1.10-r0"]),  # univers: >= is wrong here
        ("apk", ["006", "13", "087-r1", "87.1"]),  # univers refuses leading zeros
        ("apk", ["1.0_alpha", "1.0_rc1", "1.0", "1.0_git1", "1.0_p1", "1.0a", "1.0.0"]),
        ("apk", ["1.0~1234", "1.0~1234-r1", "1.0~2345-r0"]),
        # the list of vercmp(8)
        (
            "alpm",
            [
                "1.0a",
                "1.0alpha",
                "1.0b",
                "1.0beta",
                "1.0p",
                "1.0pre",
                "1.0rc",
                "1.0",
                "1.0.a",
                "1.0.1",
            ],
        ),
        ("rpm", ["2.0~rc1-1", "2.0-1", "2.0-1.el9_4", "2.0^git1-1", "2.0.1-1", "1:0-1"]),
        ("rpm", ["v20-1", "20-1"]),  # univers.versions eats the v
        ("maven", ["1.0-alpha", "1.0-SNAPSHOT", "1.0", "1.0-sp", "1.1.RELEASE", "1.2.Final"]),
        ("golang", ["v0.0.0-20200101000000-abcdefabcdef", "v0.1.0", "v1", "v1.2", "v1.2.1"]),
        ("pypi", ["1.0.dev1", "1.0a1", "1.0", "1.0+local", "1.0.post1", "1!0.1"]),
        ("npm", ["1.0.0-alpha.9", "1.0.0-alpha.10", "1.0.0-alpha.beta", "1.0.0"]),
        ("gem", ["1.0.a9", "1.0.a10", "1.0", "1.0.1"]),
    ],
)
def test_the_order_of_a_documented_list_is_kept(ecosystem, ascending):
    assert [versions.compare(ecosystem, a, b) for a, b in pairwise(ascending)] == [-1] * (
        len(ascending) - 1
    )


@pytest.mark.parametrize(
    ("ecosystem", "a", "b"),
    [
        ("maven", "4.1.0", "4.1.0.RELEASE"),
        ("maven", "1.0.Final", "1.0.RELEASE"),
        ("deb", "1.0-0", "0:1.0-00"),
        ("alpm", "1.5", "1.5-1"),
        ("alpm", "0.0.0+git1-1", "0.0.0~git1-1"),  # univers orders these, vercmp does not
        ("npm", "1.0.0+a", "1.0.0+b"),
        ("golang", "v1.2", "1.2.0"),
    ],
)
def test_two_spellings_of_one_version_are_equal(ecosystem, a, b):
    assert versions.compare(ecosystem, a, b) == 0


@pytest.mark.parametrize(
    ("ecosystem", "a", "b"),
    [
        ("deb", "1.2_3", "1.2"),
        ("deb", "1.0-", "1.0"),
        ("rpm", "(none)", "1.0-1"),
        ("rpm", "2.0", "2.0-1"),
        ("npm", "1.2", "1.2.0"),
        ("npm", "1.2.3\n", "1.2.3"),
        ("pypi", "2004d", "2005a"),
        ("golang", "(devel)", "v1.0.0"),
        ("apk", "6.6.2p1", "6.6.2p2"),
        ("deb", "1" * 257, "1"),
        ("cargo", "1.0.0", "1.0.1"),
    ],
)
def test_an_order_nobody_defines_is_unknown(ecosystem, a, b):
    assert (versions.compare(ecosystem, a, b), versions.direction(ecosystem, a, b)) == (
        None,
        "unknown",
    )


def test_the_direction_is_told_from_the_subject():
    pairs = [("1.0", "1.1"), ("1.1", "1.0"), ("1.0-0", "1.0")]
    assert [versions.direction("deb", *pair) for pair in pairs] == ["older", "newer", "equal"]


@pytest.mark.parametrize(
    ("ecosystem", "version", "want"),
    [
        ("deb", "8:6.9.11.60+dfsg-1.6+deb12u1", "6.9.11.60"),
        ("deb", "1.2~dfsg.2-1", "1.2"),
        ("deb", "1.2+ds1-3", "1.2"),
        ("deb", "20230311+deb12u1", "20230311"),
        ("deb", "1.0-rc1-2", "1.0-rc1"),
        ("deb", "3.0.11-1~bpo12+1", "3.0.11"),
        ("deb", "1.0+b2", "1.0"),
        ("deb", "-", "-"),
        ("rpm", "1:3.0.7-18.el9_2", "3.0.7"),
        ("apk", "1.2.3_p1-r4", "1.2.3_p1"),
        ("alpm", "1:1.2.3-4", "1.2.3"),
        ("pypi", "1!2.0+local", "2.0"),
        ("golang", "v1.2.3+incompatible", "1.2.3"),
        ("maven", "1.0.Final", "1.0.Final"),
    ],
)
def test_upstream_is_what_the_author_chose(ecosystem, version, want):
    assert versions.upstream(ecosystem, version) == want


@pytest.mark.parametrize(
    ("ecosystem", "a", "b", "want"),
    [
        ("deb", "8:6.9-1", "6.9-1", "epoch"),
        ("rpm", "1:1.0-1", "1.0-1", "epoch"),
        ("deb", "1.2.3-1", "2.0.0-1", "major"),
        ("deb", "1.2.3-1", "1.10.0-1", "minor"),
        ("deb", "2.36-9", "2.36.1-1", "patch"),
        ("deb", "1.1.1n-0", "1.1.1w-0", "patch"),
        ("deb", "1.0~rc1-1", "1.0-1", "patch"),
        ("deb", "3.0.11-1~deb12u1", "3.0.11-1~deb12u2", "revision"),
        ("deb", "1.2+dfsg-1", "1.2+dfsg1-1", "revision"),
        ("deb", "1.0.9-2+b6", "1.0.9-2+b7", "rebuild"),
        ("deb", "1.0.9-2+b6", "1.0.9-2", "rebuild"),
        ("deb", "1.0.9-2+b6", "1.0.9-2+deb12u1", "revision"),
        ("deb", "20230311", "20250419", "data"),
        ("deb", "20230311", "20230311+deb12u1", "revision"),
        ("deb", "2024a-0+deb12u1", "2024b-0+deb12u1", "data"),
        ("rpm", "3.0.7-16.el9_2", "3.0.7-18.el9_2", "revision"),
        ("apk", "3.1.4-r5", "3.1.4-r6", "revision"),
        ("alpm", "1.2.3-1", "1.2.3-2", "revision"),
        ("pypi", "2.32.3", "2.28.1", "minor"),
        ("pypi", "1.0", "1.0+cpu", "revision"),
        ("npm", "1.0.0", "1.0.0-rc.1", "patch"),
        ("deb", "1.0-0", "1.0", "equal"),
        ("pypi", "2004d", "2005a", "unknown"),
    ],
)
def test_the_level_is_the_most_significant_part_that_differs(ecosystem, a, b, want):
    assert (versions.level(ecosystem, a, b), versions.level(ecosystem, b, a)) == (want, want)


def test_univers_is_not_imported_before_two_versions_are_compared():
    code = "import sys, driftscan.versions; print('univers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout == "False\n"
