"""The bill of materials is valid CycloneDX 1.6, the same each time, and hides no gap."""

import json
import re
from importlib import resources

import jsonschema
import msgspec
import pytest
from cyclonedx.model.bom import Bom
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL
from referencing import Registry, Resource

from driftscan import cyclonedx
from driftscan.model import LANGUAGES, Collected, Denied, Fingerprint, Meta, Partial
from driftscan.purl import purl
from tests import made
from tests.recorded import HOSTS, side


def schema(name):
    """A schema that the library carries: JSON Schema of the standard itself."""
    folder = resources.files("cyclonedx.schema") / "_res"
    return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())


@pytest.fixture(scope="module")
def validator():
    bom = schema("bom-1.6")
    others = {name: Resource.from_contents(schema(name)) for name in ("spdx", "jsf-0.82")}
    registry = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", other)
        for name, other in others.items()
    )
    return jsonschema.Draft7Validator(bom, registry=registry)


def small(found, count=50):
    """The same with the first packages of each section: validating all of them takes minutes."""
    facts = {
        name: Collected(items=dict(list(section.items.items())[:count]))
        if isinstance(section, Collected)
        else section
        for name, section in found.facts.items()
    }
    return msgspec.structs.replace(found, facts=facts)


META = Meta(
    target="web", kind="image", address="web", taken="2026-11-25T10:00:00Z", privilege="root"
)
EVERYTHING = Fingerprint(
    meta=META,
    facts={
        "os": Collected(items={"release": {"id": "fedora", "version_id": "40", "pretty": "F 40"}}),
        "dpkg": Collected(
            items={
                "libstdc++6:i386": made.package("1:12.2.0-14", "gcc-12"),
                "gone": {**made.package("1", "gone"), "status": "config-files"},
                "half": {**made.package("2", "half"), "status": "half-configured"},
            }
        ),
        "rpm": Collected(
            items={
                "kernel.x86_64": {"version": "6.9-1", "versions": ["6.8-1", "6.9-1"]},
                "bind.x86_64": {"version": "32:9.18-1", "source": "bind"},
            }
        ),
        "apk": Collected(items={"musl": {"version": "1.2.5-r0", "architecture": "x86_64"}}),
        "pacman": Collected(items={"bash": {"version": "5.2-1", "architecture": "x86_64"}}),
        "python": Collected(
            items={
                "pypi//zope.interface@/opt/a/lib": {"version": "5", "installer": "pip"},
                "pypi//six@/usr/lib/python3/dist-packages": {
                    "version": "1",
                    "owner": "python3-six",
                },
            }
        ),
        "npm": Collected(
            items={
                "npm/@babel/core@/app/node_modules": {"version": "7.1.0"},
                "npm//lodash@/app/node_modules": {
                    "version": "4.17.21",
                    "versions": ["3.0.0", "4.17.21"],
                },
            }
        ),
        "gems": Collected(
            items={
                "gem//nokogiri@/var/lib/gems/3.1.0": {"version": "1.15.4-x86_64-linux"},
                "gem//rails@/var/lib/gems/3.1.0": {
                    "version": "7.1.0",
                    "versions": ["7.0.1", "7.1.0"],
                },
            }
        ),
        "go": Collected(
            items={
                "golang/github.com/docker/cli/cmd/docker@/usr/local/bin/docker": {"version": "v27"},
                "golang/hello@/usr/local/bin/hello": {"version": "(devel)", "go": "1.22"},
                "golang/command-line-arguments@/opt/a/b": {"version": "", "go": "1.22"},
            }
        ),
        "jars": Collected(items={"jar//guava@/opt/lib": {"version": "31.1-jre", "size": 9}}),
    },
    evidence={},
)


def components(found):
    return {one["bom-ref"]: one for one in json.loads(cyclonedx.render(found))["components"]}


@pytest.mark.parametrize("host", HOSTS)
def test_the_bill_of_a_recorded_host_is_valid(host, validator):
    bill = json.loads(cyclonedx.render(small(side(host).fingerprint)))

    validator.validate(bill)
    assert len(bill["components"]) > 40
    assert Bom.from_json(bill).serial_number.urn == bill["serialNumber"]


def test_the_bill_of_every_manager_is_valid_and_names_each_package_by_its_url(validator):
    validator.validate(json.loads(cyclonedx.render(EVERYTHING)))
    urls = {ref: one.get("purl") for ref, one in components(EVERYTHING).items()}

    assert urls == {
        "os:release": None,
        "dpkg:libstdc++6:i386": (
            "pkg:deb/fedora/libstdc%2B%2B6@1:12.2.0-14?arch=amd64&distro=fedora-40"
        ),
        "dpkg:half": "pkg:deb/fedora/half@2?arch=amd64&distro=fedora-40",
        "rpm:kernel.x86_64@6.8-1": "pkg:rpm/fedora/kernel@6.8-1?arch=x86_64&distro=fedora-40",
        "rpm:kernel.x86_64@6.9-1": "pkg:rpm/fedora/kernel@6.9-1?arch=x86_64&distro=fedora-40",
        "rpm:bind.x86_64": "pkg:rpm/fedora/bind@9.18-1?arch=x86_64&distro=fedora-40&epoch=32",
        "apk:musl": "pkg:apk/fedora/musl@1.2.5-r0?arch=x86_64&distro=fedora-40",
        "pacman:bash": "pkg:alpm/fedora/bash@5.2-1?arch=x86_64&distro=fedora-40",
        "python:pypi//zope.interface@/opt/a/lib": "pkg:pypi/zope.interface@5",
        "npm:npm/@babel/core@/app/node_modules": "pkg:npm/%40babel/core@7.1.0",
        "npm:npm//lodash@/app/node_modules@3.0.0": "pkg:npm/lodash@3.0.0",
        "npm:npm//lodash@/app/node_modules@4.17.21": "pkg:npm/lodash@4.17.21",
        "gems:gem//nokogiri@/var/lib/gems/3.1.0": "pkg:gem/nokogiri@1.15.4?platform=x86_64-linux",
        "gems:gem//rails@/var/lib/gems/3.1.0@7.0.1": "pkg:gem/rails@7.0.1",
        "gems:gem//rails@/var/lib/gems/3.1.0@7.1.0": "pkg:gem/rails@7.1.0",
        "go:golang/github.com/docker/cli/cmd/docker@/usr/local/bin/docker": (
            "pkg:golang/github.com/docker/cli/cmd/docker@v27"
        ),
        "go:golang/hello@/usr/local/bin/hello": "pkg:generic/hello",
        "go:golang/command-line-arguments@/opt/a/b": "pkg:generic/command-line-arguments",
        "jars:jar//guava@/opt/lib": "pkg:generic/guava@31.1-jre",
    }


def owned(name, item):
    """Whether it is not told because a package that is told has it, or is gone."""
    if name in LANGUAGES:
        return bool(item.get("owner"))
    return item.get("status") in ("config-files", "not-installed")


@pytest.mark.parametrize("found", [*HOSTS, EVERYTHING], ids=[*HOSTS, "everything"])
def test_there_is_a_component_for_each_version_of_each_item_and_its_url_is_of_its_type(found):
    found = found if isinstance(found, Fingerprint) else side(found).fingerprint
    items = [
        item
        for name, section in found.facts.items()
        if name in LANGUAGES or name in ("dpkg", "rpm", "apk", "pacman")
        for item in getattr(section, "items", {}).values()
        if not owned(name, item)
    ]
    told = components(found)
    assert len(told) == 1 + sum(len(item.get("versions") or [""]) for item in items)
    urls = [str(one["purl"]) for one in told.values() if one.get("purl")]
    assert {url: wrong(url) for url in urls if wrong(url)} == {}


def wrong(url):
    """What the standard's library says against a URL, by the definition of its type."""
    told = PackageURL.validate_string(url, strict=True)
    return [message.message for message in told if message.severity.value == "error"]


def test_a_machine_without_a_name_has_urls_of_its_managers_types_too():
    facts = {
        "rpm": Collected(items={"bash.x86_64": {"version": "5"}}),
        "apk": Collected(items={"musl": {"version": "1"}}),
        "pacman": Collected(items={"bash": {"version": "5"}}),
        "dpkg": Collected(items={"bash": made.package("5", "bash")}),
    }
    for one in components(Fingerprint(meta=META, facts=facts, evidence={})).values():
        assert wrong(one["purl"]) == []


def test_a_package_that_is_not_whole_says_so(validator):
    properties = components(EVERYTHING)["dpkg:half"]["properties"]

    assert {"name": "driftscan:status", "value": "half-configured"} in properties


def test_what_could_not_be_seen_makes_the_bill_incomplete_with_the_reason():
    sections = {
        "dpkg": Denied(cure="read access to /var/lib/dpkg/status"),
        "python": Partial(items={}, gaps=["/opt/x: denied"]),
    }
    bill = json.loads(cyclonedx.render(Fingerprint(meta=META, facts=sections, evidence={})))

    assert bill["compositions"] == [{"aggregate": "incomplete"}]
    assert [
        p["value"] for p in bill["metadata"]["properties"] if p["name"] == "driftscan:unknown"
    ] == [
        "dpkg: read access to /var/lib/dpkg/status",
        "python: /opt/x: denied",
    ]
    assert json.loads(cyclonedx.render(EVERYTHING))["compositions"] == [{"aggregate": "complete"}]


def test_the_same_facts_give_the_same_serial_number_and_others_do_not():
    one, again = (json.loads(cyclonedx.render(EVERYTHING)) for _ in range(2))
    later = msgspec.structs.replace(
        EVERYTHING, meta=msgspec.structs.replace(META, taken="2026-11-26T10:00:00Z")
    )
    other = msgspec.structs.replace(EVERYTHING, facts={})

    assert one == again
    assert json.loads(cyclonedx.render(later))["serialNumber"] == one["serialNumber"]
    assert json.loads(cyclonedx.render(other))["serialNumber"] != one["serialNumber"]


# --- package URLs --------------------------------------------------------------------------------

_NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="/"),
    min_size=1,
    max_size=20,
).filter(lambda text: text not in (".", ".."))


@given(
    st.sampled_from(["deb", "rpm", "apk", "alpm", "pypi", "npm", "gem", "maven", "golang"]),
    st.lists(_NAMES, max_size=2),
    _NAMES,
    st.one_of(st.just(""), _NAMES),
    st.dictionaries(st.sampled_from(["arch", "distro", "epoch"]), _NAMES, max_size=3),
)
def test_a_package_url_is_as_the_library_of_the_standard_writes_it(
    kind, namespace, name, version, qualifiers
):
    if kind not in ("gem", "maven"):  # the library lowers others after encoding, or forgets to
        namespace, name = [part.lower() for part in namespace], name.lower()
    theirs = PackageURL(kind, "/".join(namespace) or None, name, version or None, qualifiers)

    ours = purl(kind, "/".join(namespace), name, version, qualifiers)
    assert _escapes(ours) == _escapes(theirs.to_string())


def test_a_name_that_its_ecosystem_writes_in_small_letters_is_written_so():
    assert purl("deb", "Debian", "Bash", "5.2B") == "pkg:deb/debian/bash@5.2B"
    assert purl("pypi", "", "Foo_Bar.Baz", "1") == "pkg:pypi/foo-bar.baz@1"
    assert purl("rpm", "fedora", "MariaDB", "1") == "pkg:rpm/fedora/MariaDB@1"


def _escapes(url):
    """Escapes of both cases are the same (RFC 3986, 6.2.2.1): the library lowers some."""
    return re.sub("%..", lambda match: match[0].upper(), url)
