"""The libraries probe against real machines, dpkg and the kernel's maps, and bad input."""

from posixpath import dirname

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Failed, Partial, Payload, Raw
from driftscan.probes import libraries

GLIBC = ("have cache", "have ldconfig", "have dpkg", "have owners")


def answered(*lines, files=None):
    """The sections for these lines of an answer, and these files as (path, lines)."""
    read = {path: Payload(tuple(text)) for path, text in (files or {}).items()}
    return libraries.parse(Raw(files=read, outputs={"loader": Payload(lines)}))


def processes(*lines):
    return answered("have processes", "self 1", "boot 1000", *lines)["processes"]


def merged(path):
    return path if path.startswith(("/usr/", "/opt/")) else "/usr" + path


@pytest.mark.parametrize(("machine", "count"), [("web-a", 200), ("shadowed", 200), ("trixie", 60)])
def test_every_cached_library_is_an_item(captured, machine, count):
    raw = captured("libraries", machine)
    section = libraries.parse(raw)["libraries"]
    assert isinstance(section, Collected)
    cached = [line for line in raw.outputs["loader"].lines if line.startswith("\t")]
    assert len(section.items) == len(cached) > count
    for line in cached:
        soname, _, rest = line.strip("\t").partition(" (")
        abi, _, path = rest.partition(") => ")
        assert abi == "libc6,x86-64"
        assert f"{soname}|{abi}|{merged(dirname(path))}" in section.items


@pytest.mark.parametrize("machine", ["web-a", "shadowed"])
def test_owners_are_those_dpkg_names(captured, oracle, machine):
    items = libraries.parse(captured("libraries", machine))["libraries"].items
    owners: dict[str, set[str]] = {}
    for key, item in items.items():
        soname, _, directory = key.split("|")
        owners.setdefault(directory, set()).add(f"{soname} {item['owner']}")
    told = [line.partition(" ")[::2] for line in oracle("libraries", machine)]
    assert len(told) == len(items)
    for path, owner in told:
        soname = path.rpartition("/")[2]
        assert f"{soname} {owner.removesuffix(':amd64')}" in owners[merged(dirname(path))]


def test_an_unpackaged_copy_in_usr_local_comes_first_and_tells_its_file(captured):
    """There zlib was copied to /usr/local/lib and ldconfig run, as a `make install` does."""
    items = libraries.parse(captured("libraries", "shadowed"))["libraries"].items
    assert items["libz.so.1|libc6,x86-64|/usr/local/lib"] == {
        "position": 0,
        "owner": "",
        "target": "/usr/local/lib/libz.so.1.2.13",
    }
    assert items["libz.so.1|libc6,x86-64|/usr/lib/x86_64-linux-gnu"] == {
        "position": 1,
        "owner": "zlib1g",
    }


@pytest.mark.parametrize("machine", ["web-a", "shadowed"])
def test_processes_load_what_the_kernel_maps(captured, oracle, machine):
    section = libraries.parse(captured("libraries", machine))["processes"]
    assert isinstance(section, Collected)
    programs = {key.partition("|")[0]: item for key, item in section.items.items()}
    told = [line.partition(" ")[::2] for line in oracle("processes", machine)]
    assert "/usr/sbin/php-fpm8.2" in programs
    programs.pop("/usr/bin/sleep", None)  # the oracle leaves its own tools out
    for program, item in programs.items():
        mapped = {path for name, path in told if name == program}
        gone = {path.removesuffix(" (deleted)") for path in mapped if path.endswith("(deleted)")}
        assert set(item["loads"]) == {path.removesuffix(" (deleted)") for path in mapped}
        assert set(item["deleted"]) == gone
        assert item["count"] == len(item["pids"]) > 0
        assert item["service"] == ""
        assert item["started"] > 1_700_000_000
    loads = programs["/usr/sbin/php-fpm8.2"]["loads"]
    assert loads["/usr/sbin/php-fpm8.2"] == "php8.2-fpm"
    assert (
        loads["/usr/lib/x86_64-linux-gnu/libMagickCore-6.Q16.so.6.0.0"] == "libmagickcore-6.q16-6"
    )


def test_a_replaced_library_that_still_runs_is_told_as_deleted(captured):
    items = libraries.parse(captured("libraries", "shadowed"))["processes"].items
    assert items["/usr/sbin/php-fpm8.2|"]["deleted"] == ["/usr/local/lib/libz.so.1.2.13"]
    assert items["/usr/sbin/php-fpm8.2|"]["loads"]["/usr/local/lib/libz.so.1.2.13"] == ""


def test_another_account_sees_the_same_libraries_and_no_processes(captured):
    root = libraries.parse(captured("libraries", "web-a"))
    user = libraries.parse(captured("libraries", "web-a-ops"))
    assert user["libraries"] == root["libraries"]
    assert user["linker-path"] == root["linker-path"]
    section = user["processes"]
    assert isinstance(section, Partial)
    assert section.items == {}
    assert section.gaps == [
        "5 of 5 processes: run with sudo (in a container also with CAP_SYS_PTRACE)"
    ]


def test_musl_has_no_cache_and_no_linker_path(captured):
    sections = libraries.parse(captured("libraries", "alpine"))
    assert sections["libraries"] == Absent()
    assert sections["linker-path"] == Absent()
    assert sections["processes"] == Failed(reason="/proc is not mounted")


def test_the_linker_path_follows_the_includes_in_their_order(captured):
    section = libraries.parse(captured("libraries", "web-a"))["linker-path"]
    assert section == Collected(
        items={
            "/usr/local/lib": {"position": 0},
            "/usr/local/lib/x86_64-linux-gnu": {"position": 1},
            "/lib/x86_64-linux-gnu": {"position": 2},
            "/usr/lib/x86_64-linux-gnu": {"position": 3},
        }
    )


def test_the_linker_path_knows_preloads_comments_and_foreign_includes():
    sections = answered(
        files={
            "/etc/ld.so.conf": [
                "/opt/first/  # comment",
                "include ld.so.conf.d/*.conf",
                "include /opt/x/*.conf",
                "hwcap 1 nosegneg",
                "/opt/first",
            ],
            "/etc/ld.so.conf.d/b.conf": ["/b", "include /etc/ld.so.conf"],
            "/etc/ld.so.conf.d/a.conf": ["# nothing", "", "/a"],
            "/etc/ld.so.preload": ["/p/one.so:/p/two.so # last", "/p/three.so /p/one.so"],
        }
    )
    section = sections["linker-path"]
    assert section == Partial(
        items={
            "/opt/first": {"position": 0},
            "/a": {"position": 1},
            "/b": {"position": 2},
            "preload:/p/one.so": {"position": 0},
            "preload:/p/two.so": {"position": 1},
            "preload:/p/three.so": {"position": 2},
        },
        gaps=["/etc/ld.so.conf includes /opt/x/*.conf, which was not read"],
    )


def test_a_linker_path_whose_files_all_include_each_other_ends():
    files = {
        f"/etc/ld.so.conf.d/{number:02}.conf": ["include *.conf", f"/opt/{number}"]
        for number in range(60)
    }
    section = answered(files={"/etc/ld.so.conf": ["include ld.so.conf.d/*.conf"], **files})
    assert len(section["linker-path"].items) == 60


def test_an_unreadable_part_of_the_linker_path_denies_it():
    raw = Raw(outputs={"loader": Payload(GLIBC)}, gaps={"/etc/ld.so.conf.d/x.conf": "denied"})
    section = libraries.parse(raw)["linker-path"]
    assert isinstance(section, Denied)
    assert "/etc/ld.so.conf.d/x.conf" in section.cure


def test_files_alone_tell_the_linker_path_only():
    sections = libraries.parse(Raw(files={"/etc/ld.so.conf": Payload(("/a",))}))
    assert sections["linker-path"] == Collected(items={"/a": {"position": 0}})
    assert isinstance(sections["libraries"], Failed)
    assert isinstance(sections["processes"], Failed)


@pytest.mark.parametrize(
    ("have", "reason"),
    [
        (("have cache",), "no ldconfig"),
        (("have ldconfig",), "never run"),
        (("have cache", "have ldconfig"), "told nothing"),
    ],
)
def test_a_tool_or_its_data_missing_is_a_failure(have, reason):
    section = answered(*have)["libraries"]
    assert isinstance(section, Failed)
    assert reason in section.reason


def test_neither_cache_nor_ldconfig_is_absent():
    assert answered()["libraries"] == Absent()


def test_lists_that_may_not_be_read_are_not_lists_without_owners():
    lines = ("have cache", "have ldconfig", "have dpkg", "\ta.so (libc6) => /lib/a.so", "target /x")
    assert isinstance(answered(*lines)["libraries"], Denied)


def test_a_machine_without_dpkg_tells_no_owners():
    lines = ("have cache", "have ldconfig", "\ta.so (libc6) => /lib64/a.so", "target /lib64/a.so")
    assert answered(*lines)["libraries"].items == {"a.so|libc6|/usr/lib64": {"position": 0}}


def test_kinds_of_libraries_are_ranked_apart_and_their_marks_sorted():
    section = answered(
        *GLIBC,
        "5 libs found in cache `/etc/ld.so.cache'",
        '\tlibm.so.6 (libc6,x86-64, hwcap: "x86-64-v3") => /lib/v3/libm.so.6',
        "\tlibm.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => /lib/x/libm.so.6",
        "\tlibm.so.6 (libc6,x86-64) => /lib/x/libm.so.6",
        "\tlibm.so.6 (libc6,x86-64) => /usr/lib/x/libm.so.6",
        "\tlibm.so.6 (libc6) => /lib32/libm.so.6",
        *["target /opt/libm.so.6"] * 5,
        "native amd64",
        "libc6:i386.list:/lib32/libm.so.6",
        "libc6:amd64.list:/lib/x/libm.so.6",
        "aaa.list:/opt/other",
        "Cache generated by: ldconfig (Debian GLIBC 2.36) stable release version 2.36",
    )["libraries"]
    unowned = {"owner": "", "target": "/opt/libm.so.6"}
    assert section.items == {
        'libm.so.6|libc6,hwcap: "x86-64-v3",x86-64|/usr/lib/v3': {"position": 0, **unowned},
        "libm.so.6|libc6,OS ABI: Linux 3.2.0,x86-64|/usr/lib/x": {"position": 0, "owner": "libc6"},
        "libm.so.6|libc6,x86-64|/lib/x": {"position": 0, "owner": "libc6"},
        "libm.so.6|libc6,x86-64|/usr/lib/x": {"position": 1, "owner": "libc6"},
        "libm.so.6|libc6|/usr/lib32": {"position": 0, "owner": "libc6:i386"},
    }


def test_a_link_of_ldconfig_belongs_to_the_owner_of_its_target():
    section = answered(
        *GLIBC,
        "\tlibblas.so.3 (libc6,x86-64) => /lib/x/libblas.so.3",
        "target /usr/lib/x/blas/libblas.so.3.11.0",
        "libblas3:amd64.list:/usr/lib/x/blas/libblas.so.3.11.0",
    )["libraries"]
    assert section.items["libblas.so.3|libc6,x86-64|/usr/lib/x"]["owner"] == "libblas3"


def test_processes_are_grouped_by_program_and_service():
    section = processes(
        "stat 1 S 1 4194560 0",
        "stat 10 S 10 4194560 500",
        "stat 11 S 10 4194560 900",
        "stat 12 S 12 4194560 900",
        "stat 2 S 0 2129984 0",  # a kernel thread (PF_KTHREAD)
        "stat 13 Z 13 4194560 900",  # a zombie
        "/proc/self/ns/mnt -> mnt:[1]",
        "root 1:2 /",
        *(f"/proc/{pid}/ns/mnt -> mnt:[1]" for pid in (10, 11, 12)),
        "/proc/2/exe",
        "/proc/13/exe",
        "/proc/10/exe -> /usr/sbin/php-fpm8.2",
        "/proc/11/exe -> /usr/sbin/php-fpm8.2 (deleted)",
        "/proc/12/exe -> /usr/sbin/php-fpm8.2",
        "/proc/10/cgroup:0::/system.slice/php8.2-fpm.service",
        "/proc/11/cgroup:1:name=systemd:/system.slice/php8.2-fpm.service",
        "/proc/12/cgroup:0::/user.slice/user@1.service/app.slice/mine.service/x.scope",
        "map 10,11 /usr/lib/x/liba.so.1 (deleted)",
        "map 10 /usr/lib/x/liba.so.1",
        "map 10,12 /usr/lib/x/b c.so",
        "map 10 /dev/zero (deleted)",
        "map 10 /memfd:x (deleted)",
        "map 10 /SYSV00000000 (deleted)",
        "map 10 /tmp/jna1.tmp (deleted)",
        "map 10 /tmp/kept.so",
        "liba:amd64.list:/lib/x/liba.so.1",
    )
    assert section == Collected(
        items={
            "/usr/sbin/php-fpm8.2|mine.service": {
                "count": 1,
                "pids": ["12"],
                "service": "mine.service",
                "loads": {"/usr/lib/x/b c.so": ""},
                "deleted": [],
                "started": 1009,
                "ports": [],
            },
            "/usr/sbin/php-fpm8.2|php8.2-fpm.service": {
                "count": 2,
                "pids": ["10", "11"],
                "service": "php8.2-fpm.service",
                "loads": {
                    "/tmp/kept.so": "",
                    "/usr/lib/x/b c.so": "",
                    "/usr/lib/x/liba.so.1": "liba",
                },
                "deleted": ["/usr/lib/x/liba.so.1"],
                "started": 1005,
                "ports": [],
            },
        }
    )


def test_processes_of_a_container_are_not_this_machines():
    section = processes(
        *("stat 1 S 1 0 0", "stat 5 S 5 0 0", "stat 6 S 6 0 0", "stat 7 S 7 0 0"),
        "/proc/self/ns/mnt -> mnt:[1]",
        "root 1:2 /",
        *("/proc/5/exe -> /hardened", "/proc/5/ns/mnt -> mnt:[2]", "root 1:2 /proc/5/root"),
        *("/proc/6/exe -> /chrooted", "/proc/6/ns/mnt -> mnt:[1]", "root 1:9 /proc/6/root"),
        *("/proc/7/exe -> /contained", "/proc/7/ns/mnt -> mnt:[3]", "root 8:2 /proc/7/root"),
    )
    assert list(section.items) == ["/chrooted|", "/hardened|"]


def test_what_could_not_be_read_hidden_or_understood_is_told():
    section = answered(
        *(
            "have processes",
            "self 9",
            "boot x",
            "stat 9 S 9 0 0",
            "stat 5 S 5 0 0",
            "stat nonsense",
        ),
        "stat 6 S 6 0 0",  # gone before its links were read: not a gap
        "/proc/5/exe",
    )["processes"]
    assert section == Partial(
        items={},
        gaps=[
            "1 of 1 processes: run with sudo (in a container also with CAP_SYS_PTRACE)",
            "processes of other accounts are hidden: "
            "run with sudo (in a container also with CAP_SYS_PTRACE)",
            "1 lines were not understood, as 'nonsense'",
        ],
    )


def test_an_unknown_line_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        answered("nonsense")


@pytest.mark.parametrize(
    "lines", [("\tnonsense", "target /x"), ("\ta.so (libc6) => /lib/a.so",), ("x.list:/a b.list",)]
)
def test_a_cache_that_is_none_is_named(lines):
    with pytest.raises(ParseError):
        answered(*GLIBC, *lines, "x:y:z.list:/")


def test_an_answer_cut_at_the_limit_is_refused():
    with pytest.raises(ParseError, match="limit"):
        libraries.parse(Raw(outputs={"loader": Payload(GLIBC, cut=True)}))


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
STARTS = st.sampled_from(
    [
        *GLIBC,
        *("have ", "have processes", "self ", "boot ", "native ", "target ", "x.list:/"),
        *("\t", "\ta.so (libc6", "stat ", "stat 1 S 1 1 1", "map ", "map 1 /"),
        *("root ", "root 1:1 /proc/1/root", "/proc/self/ns/mnt -> ", "/proc/1/exe -> "),
        "/proc/1/cgroup:0::/",
    ]
)
LINES = st.lists(st.builds(str.__add__, STARTS, LINE | st.just("")) | LINE).map(tuple)


@given(LINES, LINES)
def test_whatever_a_host_says_only_parse_errors_escape(lines, conf):
    try:
        sections = answered(*lines, files={"/etc/ld.so.conf": conf, "/etc/ld.so.preload": conf})
    except ParseError:
        return
    assert set(sections) == {about.name for about in libraries.GIVES}


def test_a_program_tells_where_it_listens(captured):
    items = libraries.parse(captured("libraries", "handmade"))["processes"].items
    ports = {key.partition("|")[0]: item["ports"] for key, item in items.items()}
    assert ports["/usr/sbin/php-fpm8.2"] == ["unix:/run/php/php8.2-fpm.sock"]
    assert ports["/usr/sbin/sshd"] == ["tcp/2300"]
    assert ports["/usr/sbin/cron"] == []


def test_ports_are_hexadecimal_in_the_kernel_and_odd_ones_are_told():
    section = processes(
        "stat 1 S 1 4194560 0",
        "stat 10 S 10 4194560 500",
        "/proc/self/ns/mnt -> mnt:[1]",
        "/proc/10/ns/mnt -> mnt:[1]",
        "/proc/10/exe -> /usr/sbin/nginx",
        "listen 10 tcp/0050",
        "listen 10 tcp/01BB",
        "listen 10 sctp/0035",
    )
    assert section.items["/usr/sbin/nginx|"]["ports"] == ["tcp/443", "tcp/80"]
    assert section.gaps == ["1 lines were not understood, as '10 sctp/0035'"]


def test_what_listens_where_is_what_python_reads_from_the_kernels_tables(captured, oracle):
    told = [line.split() for line in oracle("libraries", "furnished")]
    expected = {
        f"{kind}/{address}/{port}": {"programs": programs}
        for kind, address, port, *programs in told
        if kind == "tcp" or int(port) < 32768
    }
    section = libraries.parse(captured("libraries", "furnished"))["listening"]
    assert section == Collected(items=expected)


def test_what_is_hidden_of_processes_is_told_once():
    lines = ("stat 1 S 1 4194560 0", "/proc/self/ns/mnt -> mnt:[1]", "/proc/1/exe -> ")
    sections = answered("have processes", *lines)
    assert isinstance(sections["processes"], Partial)
    assert sections["listening"] == Collected(items={})


def test_libraries_that_an_upgrade_replaced_under_a_service_are_deleted_and_have_an_owner(captured):
    """There only ImageMagick was upgraded while php-fpm ran."""
    items = libraries.parse(captured("libraries", "web-u"))["processes"].items
    stale = {key.partition("|")[0]: item for key, item in items.items() if item["deleted"]}
    assert set(stale) == {"/usr/sbin/php-fpm8.2"}
    (item,) = stale.values()
    assert {item["loads"][path] for path in item["deleted"]} == {
        "libmagickcore-6.q16-6",
        "libmagickwand-6.q16-6",
    }


@pytest.mark.parametrize("machine", ["owned-rpm", "owned-apk", "owned-pacman"])
def test_files_are_whose_the_managers_of_other_families_say(captured, oracle, machine):
    """What is loaded, and on a machine with ldconfig what the linker finds."""
    sections = libraries.parse(captured("libraries", machine))
    owners = {}
    for line in oracle("libraries", machine):
        path, _, owner = line.partition(" ")
        owners[libraries.folded(path)] = owner
    loads = {p: o for i in sections["processes"].items.values() for p, o in i["loads"].items()}
    assert loads
    assert {p: o for p, o in loads.items() if libraries.folded(p) in owners} == {
        p: owners[libraries.folded(p)] for p in loads if libraries.folded(p) in owners
    }
    assert "" not in loads.values()
    found = sections["libraries"]
    for key, item in found.items.items() if isinstance(found, Collected) else ():
        soname, _, place = key.replace("|", "\0", 1).replace("|", "\0", 1).split("\0")
        assert item["owner"] == owners[f"{place}/{soname}"]


def test_a_tool_that_tells_no_owner_leaves_it_unknown():
    """An rpm that cannot be asked, and a database that is closed: no library is called foreign."""
    line = "\tlibz.so.1 (libc6,x86-64) => /lib64/libz.so.1"
    lines = ("have cache", "have ldconfig", line, "target /usr/lib64/libz.so.1")
    (item,) = answered(*lines)["libraries"].items.values()
    assert item == {"position": 0}
    owned = "zlib.x86_64.list:/usr/lib64/libz.so.1"
    (item,) = answered(*lines, "have rpm", owned)["libraries"].items.values()
    assert item == {"position": 0, "owner": "zlib.x86_64"}
