"""What tells whether a host updates itself: real answers, apt.conf, bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import automatic_updates
from driftscan.probes.automatic_updates import SETTINGS


def parse(*lines):
    return automatic_updates.parse(Raw(outputs={"all": Payload(tuple(lines))}))


def settings(*lines):
    section = parse("have apt", "file /etc/apt/apt.conf", *(f" {line}" for line in lines))
    return {
        name: item.get("value", item.get("values"))
        for name, item in section["apt-settings"].items.items()
    }


def test_a_real_host_tells_its_settings_its_stamps_and_why_it_fails(captured):
    sections = automatic_updates.parse(captured("automatic-updates", "updates"))

    assert isinstance(sections["apt-settings"], Collected)
    items = sections["apt-settings"].items
    assert items["APT::Periodic::Unattended-Upgrade"] == {
        "value": "0",
        "place": "/etc/apt/apt.conf.d/20auto-upgrades:2",
    }
    assert items["APT::Install-Recommends"]["value"] == "false"
    assert items["Unattended-Upgrade::Package-Blacklist"]["values"] == ["php.*", "libpng16-16"]
    assert len(items["Unattended-Upgrade::Origins-Pattern"]["values"]) == 3
    assert set(items) <= set(SETTINGS)
    runs = sections["automatic-updates"].items
    assert runs["upgrade"] == {"time": 1792476000}
    assert "ERROR The URI" in runs["log"]["lines"][-1]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['APT::Periodic::Enable "1"; // why'], {"APT::Periodic::Enable": "1"}),
        (["APT { Periodic { Enable 0; }; };"], {"APT::Periodic::Enable": "0"}),
        (["apt::periodic { ENABLE", '"1" ; }'], {"APT::Periodic::Enable": "1"}),
        (["APT::Periodic::Enable 1;", "APT::Periodic::Enable 0;"], {"APT::Periodic::Enable": "0"}),
        (["# APT::Periodic::Enable 1;", "/* APT::Periodic::Enable 1; */"], {}),
        (['APT::Periodic::Enable "1";', "#clear APT::Periodic;"], {}),
        (['APT::Update::Post-Invoke { "echo // x; }"; };', "APT::Periodic::Enable 1;"],
         {"APT::Periodic::Enable": "1"}),
        (['Unattended-Upgrade::Package-Blacklist:: "a";'],
         {"Unattended-Upgrade::Package-Blacklist": ["a"]}),
        (["}}};;;", '"', "APT::Periodic::Enable 1;"], {"APT::Periodic::Enable": "1"}),
        (['Acquire::http::Proxy "http://user:secret@proxy/";'], {}),
    ],
)  # fmt: skip
def test_apt_conf_is_read_as_apt_reads_it(lines, expected):
    assert settings(*lines) == expected


def test_a_file_that_apt_does_not_read_sets_nothing():
    lines = ["file /etc/apt/apt.conf.d/20auto.ucf-dist", " APT::Periodic::Enable 1;"]

    assert parse("have apt", *lines)["apt-settings"] == Collected(items={})


def test_what_this_account_may_not_read_is_no_absence():
    logs = parse("have apt", "denied /var/log/unattended-upgrades")
    conf = parse(
        "have apt", "denied /etc/apt/apt.conf", "stamp 5 /var/lib/apt/periodic/update-stamp"
    )

    assert isinstance(logs["automatic-updates"], Denied)
    assert logs["apt-settings"] == Collected(items={})
    assert isinstance(conf["apt-settings"], Denied)
    assert conf["automatic-updates"] == Collected(items={"update": {"time": 5}})


def test_a_machine_without_apt_has_neither():
    assert set(parse().values()) == {Absent()} or list(parse().values()) == [Absent(), Absent()]


def test_a_strange_line_is_counted():
    section = parse("have apt", "stamp x /etc/passwd")["automatic-updates"]

    assert section == Partial(items={}, gaps=["1 lines not understood"])


@given(st.lists(st.sampled_from(["have apt", "file /etc/apt/apt.conf", " {", " }", ' "', " #clear",
                                 " Unattended-Upgrade { Package-Blacklist { \"a\"; };", " ;"])
                | st.text(st.characters(codec="utf-8", exclude_characters="\n"))))  # fmt: skip
def test_whatever_a_host_says_nothing_escapes_and_only_known_settings_are_kept(lines):
    section = parse(*lines)["apt-settings"]

    assert set(getattr(section, "items", {})) <= set(SETTINGS)
