"""The apt-sources probe against real machines, apt's own view of them, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Payload, Raw
from driftscan.probes import apt_sources

BOOKWORM = (
    "ID=debian",
    'VERSION_ID="12"',
    "VERSION_CODENAME=bookworm",
)
JAMMY = ("ID=ubuntu", 'VERSION_ID="22.04"', "VERSION_CODENAME=jammy", "UBUNTU_CODENAME=jammy")


def files(release=BOOKWORM, **named):
    """A machine of that release whose files under /etc/apt are these: list__d stands for list.d."""
    paths = {f"/etc/apt/{name}": Payload(tuple(text.split("\n"))) for name, text in named.items()}
    return Raw(files={**paths, "/etc/os-release": Payload(release)})


def keys(text, release=BOOKWORM, name="sources.list"):
    return list(apt_sources.parse(files(release, **{name: text}))["repositories"].items)


def pins(text, name="preferences"):
    return apt_sources.parse(files(**{name: text}))["apt-pins"].items


# apt does not tell of components that hold no package; the sources there do.
EMPTY = {"Debian/trixie-updates/contrib", "Debian/trixie-updates/non-free-firmware"}


@pytest.mark.parametrize(
    ("machine", "empty"), [("web-a", set()), ("web-b", set()), ("trixie", EMPTY)]
)
def test_repositories_with_lists_are_those_apt_tells(captured, oracle, machine, empty):
    sections = apt_sources.parse(captured("apt-sources", machine))
    assert isinstance(sections["repositories"], Collected)
    told = dict(line.rsplit(" ", 1) for line in oracle("apt-sources", machine))
    items = sections["repositories"].items
    assert set(items) == set(told) | empty
    assert [item["position"] for item in items.values()] == list(range(len(items)))
    sources = sections["repository-sources"].items
    assert {key: item["urls"][0].rstrip("/") for key, item in sources.items() if key in told} == {
        key: url.rstrip("/") for key, url in told.items()
    }
    for item in sources.values():
        assert item["date"].endswith("UTC")
        assert item["fetched"] > 1_700_000_000


def test_a_mirror_has_the_same_keys_with_and_without_lists(captured):
    """The corporate mirror of the capture has neither Debian's host name nor its paths."""
    full = apt_sources.parse(captured("apt-sources", "trixie"))
    bare = apt_sources.parse(captured("apt-sources", "trixie-without-lists"))
    assert full["repositories"] == bare["repositories"]
    assert full["apt-pins"] == bare["apt-pins"]
    for item in bare["repository-sources"].items.values():
        assert "date" not in item
        assert "fetched" not in item


def test_evidence_names_files_and_lines(captured):
    sources = apt_sources.parse(captured("apt-sources", "trixie"))["repository-sources"].items
    assert sources["Debian/trixie/main"]["places"] == ["/etc/apt/sources.list.d/debian.sources:2"]
    assert sources["Debian Backports/trixie-backports/main"]["places"] == [
        "/etc/apt/sources.list.d/old.list:2"
    ]


def test_pins_are_those_that_apt_cache_policy_applies(captured):
    """`apt-cache policy` there: bash at priority 1001, curl at -1, backports at 50."""
    sections = apt_sources.parse(captured("apt-sources", "trixie"))
    assert sections["apt-pins"].items == {
        "*|release n=trixie-backports": {"priority": "50"},
        "bash|version 5.2*": {"priority": "1001"},
        "dash|version 5.2*": {"priority": "1001"},
        'curl|origin "127.0.0.1"': {"priority": "-1"},
    }
    assert sections["apt-pin-files"].items['curl|origin "127.0.0.1"'] == {
        "place": "/etc/apt/preferences.d/20-curl.pref:1"
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", "deb [trusted=yes arch=amd64] http://a.example/x s main"),
        (
            "sources.list.d/a.sources",
            "Types: deb\nURIs: http://a.example/x\nSuites: s\nComponents: main\nTrusted: Yes",
        ),
    ],
)
def test_what_is_taken_without_a_signature_is_told(name, text):
    def items(text):
        return apt_sources.parse(files(**{name: text}))["repositories"].items

    ((key, item),) = items(text).items()
    assert item["signed"] is False
    safe = text.replace("trusted=yes", "trusted=no").replace("Trusted: Yes", "Trusted: no")
    assert items(safe) == {key: {"position": 0, "signed": True}}


def test_a_machine_without_apt_has_none_of_it(captured):
    sections = apt_sources.parse(captured("apt-sources", "alpine"))
    assert sections == {about.name: Absent() for about in apt_sources.GIVES}


def test_an_unreadable_source_denies_repositories_but_not_pins():
    raw = Raw(
        files=files(preferences="Package: a\nPin: version 1\nPin-Priority: 1").files,
        gaps={"/etc/apt/sources.list.d/private.list": "denied"},
    )
    sections = apt_sources.parse(raw)
    for name in ("repositories", "repository-sources"):
        assert isinstance(sections[name], Denied)
        assert "/etc/apt/sources.list.d/private.list" in sections[name].cure
    assert sections["apt-pins"].items == {"a|version 1": {"priority": "1"}}


def test_unreadable_lists_only_leave_the_origin_inferred():
    raw = Raw(
        files=files(**{"sources.list": "deb http://deb.debian.org/debian bookworm main"}).files,
        gaps={"/var/lib/apt/lists": "denied"},
    )
    assert list(apt_sources.parse(raw)["repositories"].items) == ["Debian/bookworm/main"]


@pytest.mark.parametrize(
    ("line", "release", "expected"),
    [
        ("deb http://deb.debian.org/debian bookworm main", BOOKWORM, ["Debian/bookworm/main"]),
        ("deb http://mirror.corp/x bookworm main", BOOKWORM, ["Debian/bookworm/main"]),
        ("deb http://u:p@mirror.corp:8080/x/ bookworm main", BOOKWORM, ["Debian/bookworm/main"]),
        ("deb http://mirror.corp/debian stable main", BOOKWORM, ["Debian/bookworm/main"]),
        (
            "deb http://mirror.corp/debian stable-security main",
            BOOKWORM,
            ["Debian/bookworm-security/main"],
        ),
        ("deb http://deb.debian.org/debian unstable main", BOOKWORM, ["Debian/sid/main"]),
        ("deb http://deb.debian.org/debian testing main", BOOKWORM, ["Debian/testing/main"]),
        (
            "deb http://deb.debian.org/debian bookworm-backports main",
            BOOKWORM,
            ["Debian Backports/bookworm-backports/main"],
        ),
        (
            "deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official]/ bookworm main contrib",
            BOOKWORM,
            ["Debian/bookworm/main", "Debian/bookworm/contrib"],
        ),
        (
            "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main",
            BOOKWORM,
            ["Debian/bookworm/main"],
        ),
        (
            "deb [signed-by=/etc/apt/keyrings/hashicorp.gpg] https://apt.releases.x bookworm main",
            BOOKWORM,
            ["apt.releases.x/bookworm/main"],
        ),
        (
            "deb [arch=amd64 signed-by=/x/debian-archive-keyring.gpg] http://m/x bookworm main",
            BOOKWORM,
            ["Debian/bookworm/main"],
        ),
        (
            "deb https://dl.google.com/linux/chrome/deb/ stable main",
            BOOKWORM,
            ["dl.google.com-linux-chrome-deb/stable/main"],
        ),
        (
            "deb https://download.docker.com/linux/debian bookworm stable",
            BOOKWORM,
            ["download.docker.com-linux-debian/bookworm/stable"],
        ),
        (
            "deb http://apt.postgresql.org/pub/repos/apt bookworm-pgdg main",
            BOOKWORM,
            ["apt.postgresql.org-pub-repos-apt/bookworm-pgdg/main"],
        ),
        (
            "deb http://ppa.launchpad.net/ondrej/php/ubuntu jammy main",
            JAMMY,
            ["LP-PPA-ondrej-php/jammy/main"],
        ),
        (
            "deb http://eu.archive.ubuntu.com/ubuntu jammy-updates main universe",
            JAMMY,
            ["Ubuntu/jammy-updates/main", "Ubuntu/jammy-updates/universe"],
        ),
        (
            "deb https://developer.download.nvidia.com/cuda/ ./",
            BOOKWORM,
            ["developer.download.nvidia.com-cuda/./-"],
        ),
        ("deb http://x.org/y /", BOOKWORM, ["x.org-y//-"]),
        ("deb file:/srv/packages ./", BOOKWORM, ["-srv-packages/./-"]),
        (
            "deb http://deb.debian.org/debian bookworm main",
            (),
            ["deb.debian.org-debian/bookworm/main"],
        ),
    ],
)
def test_without_lists_the_origin_is_inferred(line, release, expected):
    assert keys(line, release) == expected


def test_a_rival_of_the_same_suite_does_not_become_the_distribution():
    own = "deb http://deb.debian.org/debian bookworm main"
    text = f"deb https://packages.sury.org/php/ bookworm main\n{own}"
    assert keys(text) == ["packages.sury.org-php/bookworm/main", "Debian/bookworm/main"]


def test_two_mirrors_of_one_repository_are_one_with_two_urls():
    text = "deb http://a.corp/debian bookworm main\ndeb http://b.corp/debian bookworm main"
    sections = apt_sources.parse(files(**{"sources.list": text}))
    assert list(sections["repositories"].items) == ["Debian/bookworm/main"]
    assert sections["repository-sources"].items == {
        "Debian/bookworm/main": {
            "urls": ["http://a.corp/debian", "http://b.corp/debian"],
            "places": ["/etc/apt/sources.list:1", "/etc/apt/sources.list:2"],
        }
    }


def test_the_list_names_the_origin_even_where_the_url_holds_odd_characters():
    raw = Raw(
        files=files(**{"sources.list": "deb https://me:pw@x.org:80/a~b_c/ odd main"}).files,
        outputs={
            "releases": Payload(
                (
                    "/var/lib/apt/lists/x.org:80_a%7eb%5fc_dists_odd_Release:Origin: Some One/x",
                    "/var/lib/apt/lists/x.org:80_a%7eb%5fc_dists_odd_Release:Codename: other",
                )
            )
        },
    )
    assert list(apt_sources.parse(raw)["repositories"].items) == ["Some One-x/odd/main"]


def test_files_are_read_in_the_order_of_apt_and_other_names_ignored():
    raw = files(
        **{
            "sources.list.d/b.list": "deb http://b/x b main",
            "sources.list.d/a.sources": "Types: deb\nURIs: http://a/x\nSuites: a\nComponents: main",
            "sources.list.d/.hidden.list": "deb http://c/x c main",
            "sources.list.d/a b.list": "deb http://d/x d main",
            "sources.list": "deb http://z/x z main",
        }
    )
    sections = apt_sources.parse(raw)
    assert list(sections["repositories"].items) == ["z-x/z/main", "a-x/a/main", "b-x/b/main"]


def test_sources_of_source_packages_and_disabled_ones_are_left_out():
    text = (
        "Types: deb-src\nURIs: http://a/x\nSuites: a\nComponents: main\n\n"
        "Types: deb\nEnabled: No\nURIs: http://b/x\nSuites: b\nComponents: main\n\n"
        "types: deb\nuris: http://c/x\n http://d/x\n# comment\nsuites: c\ncomponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDME\n"
    )
    assert keys(text, name="sources.list.d/x.sources") == ["c-x/c/main", "d-x/c/main"]
    assert keys("deb-src http://a/x bookworm main") == []


@pytest.mark.parametrize(
    "line",
    [
        "rpm http://x y z",
        "deb",
        "deb http://x",
        "deb http://x bookworm",
        "deb http://x ./ main",
        "deb no-uri bookworm main",
        "nonsense",
    ],
)
def test_a_line_that_apt_refuses_is_named(line):
    with pytest.raises(ParseError, match=r"^/etc/apt/sources\.list:3: "):
        keys(f"# one\n\n{line}")


@pytest.mark.parametrize(
    "text",
    [
        "Types: deb\nURIs: http://x",
        "nonsense",
        "Types: rpm\nURIs: http://x\nSuites: a",
        " x",
        "A: 1\nA: 2",
    ],
)
def test_a_stanza_that_apt_refuses_is_named(text):
    with pytest.raises(ParseError, match=r"^/etc/apt/sources\.list\.d/x\.sources"):
        keys(text, name="sources.list.d/x.sources")


def test_the_first_of_equal_pins_wins_and_explanations_may_repeat():
    text = (
        "# comment\nExplanation: a\n  more\nExplanation: b\nPackage: a src:b /^c/\n"
        "Pin:  release  a=x\nPin-Priority: 100\n\nPackage: a\nPin: release a=x\nPin-Priority: 200"
    )
    assert pins(text) == {
        f"{name}|release a=x": {"priority": "100"} for name in ("a", "src:b", "/^c/")
    }


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x", True),
        ("x.pref", True),
        ("x.txt", False),
        ("x.pref.bak", False),
        (".x", False),
        ("x y", False),
    ],
)
def test_pin_files_are_those_whose_names_apt_reads(name, read):
    text = "Package: a\nPin: version 1\nPin-Priority: 1"
    assert bool(pins(text, f"preferences.d/{name}")) is read


@pytest.mark.parametrize(
    "text",
    [
        "Package: a\nPin: version 1",
        "Pin: version 1\nPin-Priority: 1",
        "Package: a\nPin-Priority: x",
    ],
)
def test_a_pin_that_apt_refuses_is_named(text):
    with pytest.raises(ParseError, match=r"^/etc/apt/preferences:1: "):
        pins(text)


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
WORDS = st.sampled_from(
    [
        "deb",
        "deb-src",
        "[",
        "]",
        "[a=b]",
        "http://h/p",
        "stable",
        "bookworm",
        "main",
        "#",
        '"',
        "./",
        "Types:",
        "URIs:",
        "Suites:",
        "Components:",
        "Package:",
        "Pin:",
        "Pin-Priority:",
        "1",
        " ",
        "\t",
        ":",
        "@",
    ]
)
LINES = st.lists(LINE | st.lists(WORDS).map(" ".join)).map(tuple)


@given(LINES, LINES, LINES, st.lists(LINE.map("/x/Release:".__add__)).map(tuple) | LINES)
def test_whatever_a_host_says_only_parse_errors_escape(one, two, three, releases):
    raw = Raw(
        files={
            "/etc/apt/sources.list": Payload(one),
            "/etc/apt/sources.list.d/x.sources": Payload(two),
            "/etc/apt/preferences.d/x": Payload(three),
            "/etc/os-release": Payload(BOOKWORM),
        },
        outputs={"releases": Payload(releases)},
    )
    try:
        sections = apt_sources.parse(raw)
    except ParseError:
        return
    assert set(sections) == {about.name for about in apt_sources.GIVES}
