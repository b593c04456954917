"""The naming probe against getent and the resolver's own file."""

from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Partial
from driftscan.probes import naming
from tests.probes.texts import answer


def parsed(**files):
    return naming.parse(answer({f"/etc/{k.replace('_', '.')}": v for k, v in files.items()}))


def test_names_of_the_hosts_file_are_found_where_getent_finds_them(captured, oracle):
    rows = [line.split() for line in oracle("naming", "furnished") if line[:1].isdigit()]
    items = naming.parse(captured("naming", "furnished"))["hosts"].items
    assert items == {name: {"addresses": [row[0]]} for row in rows for name in row[1:]}


def test_the_resolver_is_that_of_its_file(captured, oracle):
    told = {line.split()[0]: line.split()[1:] for line in oracle("naming", "furnished")}
    items = naming.parse(captured("naming", "furnished"))["resolver"].items
    assert items["nameserver"]["values"] == told["nameserver"]
    assert items["search"]["values"] == told["search"]
    assert items["options"]["values"] == sorted(told["options"])


def test_the_last_search_line_counts_and_comments_do_not():
    items = parsed(resolv_conf=["search a", "domain b", "; nameserver 1.1.1.1", "nameserver ::1"])
    assert items["resolver"].items == {
        "search": {"values": ["b"]},
        "nameserver": {"values": ["::1"]},
    }


def test_a_machine_does_not_tell_its_own_name():
    items = parsed(hostname=["web-a"], hosts=["10.0.0.1 web-a.example web-a db", "127.0.0.1 x"])
    assert items["hosts"].items == {"db": {"addresses": ["10.0.0.1"]}}


def test_what_packages_write_into_name_services_is_left_out():
    items = parsed(nsswitch_conf=["passwd: files systemd sss # x", "hosts: files dns myhostname"])
    assert items["name-services"].items == {
        "passwd": {"sources": ["files", "sss"]},
        "hosts": {"sources": ["files", "dns"]},
    }


def test_a_closed_file_is_a_gap():
    section = naming.parse(answer({}, "/etc/hosts"))["hosts"]
    assert section == Partial(items={}, gaps=["/etc/hosts: denied"])


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
FILES = st.sampled_from(["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hostname"])


@given(st.dictionaries(FILES | TEXT, st.lists(TEXT, max_size=4)))
def test_whatever_a_host_says_only_parse_errors_escape(files):
    try:
        sections = naming.parse(answer(files))
    except ParseError:
        return
    assert set(sections) == {about.name for about in naming.GIVES}
