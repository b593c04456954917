"""The unpackaged probe against Python's own list of distributions, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Partial, Payload, Raw
from driftscan.probes import unpackaged

LOCAL = "/usr/local/lib/python3.11/dist-packages"
APT = "/usr/lib/python3/dist-packages"


def answered(*lines):
    return unpackaged.parse(Raw(outputs={"files": Payload(lines)}))


def stat(path):
    return f"1700000000 81ed 0 0 1 {path}"


def test_distributions_are_those_that_python_finds(captured, oracle):
    section = unpackaged.parse(captured("unpackaged", "handmade"))["python"]
    assert isinstance(section, Collected)
    told = {}
    for line in oracle("unpackaged", "handmade"):
        name, version, path, installer = line.split(" ")
        place = path.rpartition("/")[0]
        told[f"pypi//{name.lower()}@{place}"] = (version, installer.strip("-"))
    found = {key: (i["version"], i["installer"]) for key, i in section.items.items()}
    assert found == told
    assert section.items[f"pypi//requests@{APT}"]["owner"] == "python3-requests"
    assert "owner" not in section.items[f"pypi//requests@{LOCAL}"]


def test_what_a_distribution_needs_is_named_as_pypi_compares_it(captured):
    needs = unpackaged.parse(captured("unpackaged", "handmade"))["python-needs"]
    assert needs.items[f"pypi//requests@{LOCAL}"]["needs"] == [
        "certifi",
        "charset-normalizer",
        "idna",
        "urllib3",
    ]


def test_what_somebody_asked_pip_for_is_marked(captured):
    needs = unpackaged.parse(captured("unpackaged", "web-p"))["python-needs"].items
    asked = {key.partition("@")[0] for key, item in needs.items() if item["requested"]}
    assert asked == {"pypi//requests", "pypi//pillow"}


def test_a_build_from_source_hides_every_program_of_the_package(captured):
    sections = unpackaged.parse(captured("unpackaged", "web-c"))
    hidden = {item["hides"]: item["owner"] for item in sections["programs"].items.values()}
    assert hidden["/usr/bin/convert"] == "imagemagick-6.q16"
    assert set(hidden.values()) == {"imagemagick-6.q16"}
    local, packaged = sorted(sections["builds"].items, reverse=True)
    assert local.startswith("/usr/local/lib/ImageMagick-")
    assert len(sections["builds"].items[local]["delegates"]) < 5
    assert len(sections["builds"].items[packaged]["delegates"]) > 20
    assert any(path.startswith("/usr/local/src/") for path in sections["local-files"].items)


def test_a_local_program_tells_what_it_hides_and_a_link_to_the_packaged_one_hides_nothing(captured):
    section = unpackaged.parse(captured("unpackaged", "handmade"))["programs"]
    item = {"hides": "/usr/bin/convert", "owner": "imagemagick-6.q16"}
    assert section == Collected(items={"/usr/local/bin/convert": item})


def test_directories_with_libraries_of_their_own_list_them(captured):
    section = unpackaged.parse(captured("unpackaged", "handmade"))["vendored"]
    assert section.items["/srv/app/lib"] == {"libraries": ["libpng16.so.16"]}
    assert "libpng16-5c63271e.so.16.44.0" in section.items[f"{LOCAL}/pillow.libs"]["libraries"]
    assert set(section.items) == {"/srv/app/lib", f"{LOCAL}/pillow.libs"}


def test_times_are_kept_of_what_is_local_and_not_of_every_program(captured):
    files = unpackaged.parse(captured("unpackaged", "handmade"))["local-files"].items
    assert {"/usr/local/bin/convert", "/usr/local/src/ImageMagick-6"} <= set(files)
    assert not [path for path in files if path.startswith("/usr/lib/")]
    assert "/usr/local/bin/perl" not in files


def test_builds_of_one_version_tell_what_each_can_do(captured):
    items = unpackaged.parse(captured("unpackaged", "handmade"))["builds"].items
    local = items["/usr/local/lib/ImageMagick-6.9.11/config-Q16"]
    packaged = items["/usr/lib/x86_64-linux-gnu/ImageMagick-6.9.11/config-Q16"]
    assert local["version"] == packaged["version"] == "6.9.11"
    assert local["delegates"] == ["jpeg", "ps", "video"]
    assert {"png", "webp", "heic"} <= set(packaged["delegates"])


def test_a_host_without_anything_local_has_empty_sections(captured):
    for machine in ("web-a", "web-b"):
        sections = dict(unpackaged.parse(captured("unpackaged", machine)))
        assert len(sections.pop("builds").items) == 1
        assert {item["owner"] for item in sections.pop("extensions").items.values()} == {
            *("php8.2-common", "php8.2-imagick", "php8.2-opcache", "php8.2-readline")
        }
        assert all(section == Collected(items={}) for section in sections.values())


def test_a_closed_directory_is_a_gap():
    section = answered("closed /opt/secret", stat("/srv/a/lib/libx.so.1"), "have dpkg")["vendored"]
    assert section == Partial(
        items={"/srv/a/lib": {"libraries": ["libx.so.1"]}}, gaps=["/opt/secret: denied"]
    )


@pytest.mark.parametrize(
    ("directory", "name", "version"),
    [
        ("PyYAML-6.0.dist-info", "pyyaml", "6.0"),
        ("zope.interface-5.5.2-py3.11.egg-info", "zope-interface", "5.5.2"),
        ("psycopg2-2.9.5-py3.11-linux-x86_64.egg-info", "psycopg2", "2.9.5"),
        ("typing_extensions-4.4.0.dist-info", "typing-extensions", "4.4.0"),
        ("a-b-1.0+local.dist-info", "a-b", "1.0+local"),
    ],
)
def test_names_and_versions_are_in_the_directory_s_name(directory, name, version):
    section = answered(stat(f"{LOCAL}/{directory}"), "have dpkg")["python"]
    assert section.items == {f"pypi//{name}@{LOCAL}": {"version": version, "installer": ""}}


def test_a_directory_without_a_version_is_no_distribution_that_can_be_compared():
    assert answered(stat(f"{LOCAL}/cryptography.egg-info"))["python"].items == {}


@pytest.mark.parametrize("line", ["over", "1 2 3", "owner a:/x", "x", "/a/INSTALLER:pip"])
def test_a_line_that_the_question_cannot_print_is_named(line):
    with pytest.raises(ParseError, match="expected a file"):
        answered(line)


def test_a_program_without_what_it_hides_is_refused():
    with pytest.raises(ParseError, match="hide"):
        answered("over /usr/local/bin/x", "real /usr/local/bin/x")


PIECES = st.sampled_from(
    [
        *("over ", "real ", "under ", "leads ", "owner ", "a.list:", "closed ", stat("")),
        *("/usr/local/", "bin/x", "lib/a-1.dist-info", "/INSTALLER:pip", "/opt/a/lib"),
        "/METADATA:Requires-Dist: y",
    ]
)
LINES = st.lists(st.lists(PIECES | st.text(max_size=3), max_size=5).map("".join), max_size=8)


@given(LINES)
def test_any_answer_gives_all_sections_or_names_the_line(lines):
    try:
        sections = answered(*lines)
    except ParseError:
        return
    assert set(sections) == {about.name for about in unpackaged.GIVES}


def test_extensions_that_are_switched_on_have_the_owner_that_ucf_knows(captured):
    items = unpackaged.parse(captured("unpackaged", "web-p"))["extensions"].items
    assert items["php/8.2/fpm/imagick"] == {"owner": "php8.2-imagick"}
    assert items["php/8.2/cli/ctype"] == {"owner": "php8.2-common"}
    section = answered("enabled /etc/nginx/modules-enabled/50-mod-http-geoip.conf")["extensions"]
    assert section.items == {"nginx/mod-http-geoip": {"owner": ""}}
