"""The dnf probe: repositories in dnf's own order, what is held back, and settings."""

import base64
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Payload, Raw
from driftscan.probes import dnf as probe
from driftscan.probes import openpgp

BASEOS = """[baseos]
name=CentOS Stream $releasever - BaseOS
metalink=https://mirrors.example.org/metalink?repo=baseos&arch=$basearch
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centos
gpgcheck=1
enabled=1

[debuginfo]
baseurl=https://example.org/debug/
enabled=0
"""
THIRD = """# written by a script
[third]
baseurl = https://joe:secret@one.example.org/el9/,
          https://two.example.org/el9/
priority=10
cost = 50
excludepkgs=kernel*
gpgkey=https://example.org/key.asc
"""
REPOS = "/etc/yum.repos.d/"


def parsed(files, *, timers=(), gaps=None):
    texts = {path: Payload(tuple(text.splitlines())) for path, text in files.items()}
    rows = tuple(f"7 a1ff 0 0 40 /etc/systemd/system/timers.target.wants/{n}" for n in timers)
    return probe.parse(Raw(files=texts, outputs={"timers": Payload(rows)}, gaps=gaps or {}))


def test_repositories_stand_in_the_order_that_dnf_prefers():
    files = {f"{REPOS}centos.repo": BASEOS, f"{REPOS}third.repo": THIRD}
    files[f"{REPOS}local.repo"] = "[z]\ncost=10\n[a]\n[main]\nname=no repository\n"
    sections = parsed(files)
    assert sections["repositories"].items == {
        "rpm/third": {"position": 0, "signed": True},
        "rpm/z": {"position": 1, "signed": True},
        "rpm/a": {"position": 2, "signed": True},
        "rpm/baseos": {"position": 3, "signed": True},
    }
    assert sections["rpm-repositories-off"].items == {
        "rpm/debuginfo": {"places": [f"{REPOS}centos.repo"]}
    }


def test_addresses_and_keys_of_a_repository_are_evidence():
    sections = parsed({f"{REPOS}third.repo": THIRD, f"{REPOS}centos.repo": BASEOS})
    assert sections["repository-sources"].items["rpm/third"] == {
        "urls": ["https://joe:secret@one.example.org/el9/", "https://two.example.org/el9/"],
        "places": [f"{REPOS}third.repo"],
        "keys": ["https://example.org/key.asc"],
    }


def test_an_override_of_dnf5_changes_what_there_is():
    files = {f"{REPOS}centos.repo": BASEOS}
    files["/etc/dnf/repos.override.d/50.repo"] = "[debug*]\nenabled=1\n[other]\nenabled=1\n"
    assert list(parsed(files)["repositories"].items) == ["rpm/baseos", "rpm/debuginfo"]


def test_a_repository_without_signatures_is_told_whichever_file_says_so():
    def items(main, own):
        repo = f"[a]\nbaseurl=http://a.example\n{own}"
        texts = {"/etc/dnf/dnf.conf": f"[main]\n{main}", "/etc/yum.repos.d/a.repo": repo}
        return parsed(texts)["repositories"].items["rpm/a"]

    signed = {"position": 0, "signed": True}

    assert items("gpgcheck=1", "gpgcheck=0")["signed"] is False
    assert items("gpgcheck=False", "")["signed"] is False
    assert items("gpgcheck=0", "gpgcheck=1") == items("gpgcheck=1", "") == signed


def test_excludes_and_locks_that_are_no_package_are_pins():
    files = {
        "/etc/dnf/dnf.conf": "[main]\nexclude=php* ,mysql\n",
        f"{REPOS}third.repo": THIRD + "[off]\nenabled=0\nexclude=x\n",
        "/etc/dnf/plugins/versionlock.list": "bash-0:5.1.8-6.el9.*\nkernel*\n!curl-0:8-1.el9.*\n",
    }
    sections = parsed(files)
    assert sections["rpm-pins"].items == {
        "exclude|php*|main": {"excludes": True},
        "exclude|mysql|main": {"excludes": True},
        "exclude|kernel*|third": {"excludes": True},
        "versionlock|kernel*": {"excludes": False},
        "versionlock|curl-0:8-1.el9.*": {"excludes": True},
    }
    places = sections["rpm-pin-files"].items
    assert places["versionlock|bash-0:5.1.8-6.el9.*"] == {
        "place": "/etc/dnf/plugins/versionlock.list:1"
    }
    assert places.keys() > sections["rpm-pins"].items.keys()


def test_module_streams_are_told_by_module():
    module = "[{}]\nname={}\nstream={}\nprofiles={}\nstate={}\n"
    files = {
        "/etc/dnf/modules.d/nodejs.module": module.format(
            "nodejs", "nodejs", 18, "dev, common", "enabled"
        ),
        "/etc/dnf/modules.d/php.module": module.format("php", "php", "", "", "disabled"),
        "/etc/dnf/modules.d/perl.module": module.format("perl", "perl", "5.26", "", ""),
    }
    assert parsed(files)["rpm-modules"].items == {
        "nodejs": {"state": "enabled", "stream": "18", "profiles": ["common", "dev"]},
        "php": {"state": "disabled", "stream": "", "profiles": []},
    }


def test_settings_and_timers_of_automatic_updates_are_told_and_no_others():
    files = {
        "/etc/dnf/dnf.conf": "[main]\ngpgcheck=1\nbest=True\nproxy_password=hunter2\n",
        "/etc/dnf/automatic.conf": "[commands]\napply_updates = yes\n[email]\nemail_to = root\n",
    }
    items = parsed(files, timers=["dnf-automatic.timer"])["dnf-settings"].items
    assert {key: item["value"] for key, item in items.items()} == {
        "dnf.conf:main.gpgcheck": "1",
        "dnf.conf:main.best": "True",
        "automatic.conf:commands.apply_updates": "yes",
        "timer:dnf-automatic.timer": "enabled",
    }


def test_a_machine_without_dnf_has_none_of_it():
    assert set(parsed({}).values()) == {Absent()}
    assert set(parsed({f"{probe.KEYS}RPM-GPG-KEY-x": "x"}).values()) == {Absent()}


def test_a_closed_file_of_repositories_makes_all_unknown_and_a_closed_setting_only_itself():
    files = {f"{REPOS}centos.repo": BASEOS}
    closed = parsed(files, gaps={f"{REPOS}secret.repo": "denied"})
    assert set(closed.values()) == {Denied(cure=f"read access to {REPOS}secret.repo, or --become")}
    part = parsed(files, gaps={"/etc/dnf/automatic.conf": "denied"})
    assert isinstance(part["repositories"], Collected)
    assert isinstance(part["dnf-settings"], Denied)


@pytest.mark.parametrize("text", ["enabled=1\n", "[a\n", "[a]\n=x\n", "\0"])
def test_a_file_that_dnf_would_refuse_is_named(text):
    with pytest.raises(ParseError, match=f"{REPOS}bad.repo: expected"):
        parsed({f"{REPOS}bad.repo": text})


LINE = st.sampled_from(["[a]", "[b", "x=1", " more", "enabled=0", "", "#x", "exclude=*"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\n"), max_size=8
)
PATHS = st.sampled_from(
    [
        *(f"{REPOS}a.repo", "/etc/dnf/dnf.conf", "/etc/dnf/modules.d/a.module"),
        *("/etc/dnf/automatic.conf", "/etc/dnf/versionlock.toml", f"{probe.KEYS}a"),
        "/etc/dnf/plugins/versionlock.list",
    ]
)


@given(st.dictionaries(PATHS, st.lists(LINE, max_size=5).map("\n".join), max_size=4))
def test_whatever_a_host_says_only_parse_errors_escape(files):
    try:
        sections = parsed(files)
    except ParseError:
        return
    assert set(sections) == {about.name for about in probe.GIVES}


def test_the_labs_machine_has_its_repositories_as_dnf_lists_them(captured, oracle):
    sections = probe.parse(captured("dnf", "rpm-a"))
    listed = dict(line.split()[:: len(line.split()) - 1] for line in oracle("dnf", "rpm-a"))
    assert {f"rpm/{name}" for name, state in listed.items() if state == "enabled"} == set(
        sections["repositories"].items
    )
    assert {f"rpm/{name}" for name, state in listed.items() if state == "disabled"} == set(
        sections["rpm-repositories-off"].items
    )
    assert len(listed) == 2
    assert list(sections["rpm-pin-files"].items) == ["versionlock|nginx-core-1:1.20.1-14.el9.*"]
    assert sections["rpm-pins"].items == {}


# --- keys ----------------------------------------------------------------------------------------

KEYRINGS = sorted(Path("/usr/share/keyrings").glob("debian-archive-*-stable.gpg"))


def armoured(data):
    text = base64.encodebytes(data).decode()
    return f"{openpgp._BEGIN}\nVersion: test\n\n{text}=abcd\n{openpgp._END}\n".splitlines()


@pytest.mark.parametrize("keyring", KEYRINGS, ids=lambda path: path.name)
def test_fingerprints_are_those_that_gpg_tells(keyring, tmp_path):
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not on this machine")
    argv = [
        "gpg",
        "--homedir",
        str(tmp_path),
        "--no-options",
        "--show-keys",
        "--with-colons",
        str(keyring),
    ]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    told = [row.split(":")[9] for above, row in pairwise(rows) if above[:4] == "pub:"]
    assert told
    assert openpgp.fingerprints(armoured(keyring.read_bytes())) == told


def test_a_repository_names_its_keys_by_their_fingerprints():
    packet = b"\x99" + (12).to_bytes(2, "big") + b"\4" + bytes(11)
    key = "\n".join(armoured(packet))
    repo = BASEOS.replace("KEY-centos", "KEY-centos-$releasever")
    files = {f"{REPOS}a.repo": repo, f"{probe.KEYS}RPM-GPG-KEY-centos-9": key}
    (told,) = parsed(files)["repository-sources"].items["rpm/baseos"]["keys"]
    assert len(told) == 40
    assert set(told) <= set("0123456789ABCDEF")


@pytest.mark.parametrize(
    "lines", [[], ["x"], armoured(b""), armoured(b"\x99\xff\xff"), armoured(b"\xc6\xff")]
)
def test_what_is_no_key_has_no_fingerprint(lines):
    assert openpgp.fingerprints(lines) == []
