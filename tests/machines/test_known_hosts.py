"""known_hosts: our verdict beside that of ssh itself, against a real sshd."""

import base64
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan.errors import InputError
from driftscan.machines import known_hosts
from driftscan.machines.known_hosts import Verdict

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """`ssh-keygen` keys by name: the host's own `ed`, others, and a CA with the host's cert."""
    folder = tmp_path_factory.mktemp("keys")
    if shutil.which("ssh-keygen") is None:
        _lacking("ssh-keygen")
    for name, kind in [("ed", "ed25519"), ("ed2", "ed25519"), ("ec", "ecdsa"), ("ca", "ed25519")]:
        _run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", folder / name)
    _run("ssh-keygen", "-q", "-s", folder / "ca", "-I", "host", "-h", folder / "ed.pub")
    public = {
        name: " ".join((folder / f"{name}.pub").read_text().split()[:2])
        for name in ("ed", "ed2", "ec", "ca")
    }
    return SimpleNamespace(folder=folder, **public)


@pytest.fixture(scope="session")
def sshd(keys, tmp_path_factory):
    """Two real servers with the host key `ed`: ports of one without and one with a certificate."""
    if SSHD is None or shutil.which("ssh") is None:
        _lacking("sshd and ssh")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of root refuses to run without
    folder = tmp_path_factory.mktemp("sshd")
    started = []
    try:
        for name, extra in [("plain", ""), ("cert", f"HostCertificate {keys.folder}/ed-cert.pub")]:
            started.append(_sshd(folder / name, f"HostKey {keys.folder}/ed\n{extra}\n"))
        yield SimpleNamespace(plain=started[0], cert=started[1])
    finally:
        for server in started:
            server.process.terminate()
            server.process.wait(timeout=10)


def _sshd(folder, lines):
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nMaxStartups 100\n{lines}"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "conf"], stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return SimpleNamespace(process=process, port=port, conf=folder / "conf")
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"sshd did not start: {(folder / 'log').read_text()}")


def _lacking(what):
    if os.environ.get("DRIFTSCAN_LAB") == "off":
        pytest.skip(f"DRIFTSCAN_LAB=off and {what} is not on this machine")
    pytest.fail(
        f"{what} is not on this machine: install openssh-server and openssh-client, "
        "or set DRIFTSCAN_LAB=off to skip the tests that need them"
    )


def _run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)


def ssh_says(file, server, host="127.0.0.1", port=None, algorithms="ssh-ed25519"):
    """The state ssh comes to. For a name or port that is not the server's own, a sshd of the
    same configuration answers on ssh's standard output: nothing has to resolve."""
    own = (host, port) in (("127.0.0.1", None), ("127.0.0.1", server.port))
    proxy = "none" if own else f"{SSHD} -i -f {server.conf}"
    port = port or server.port
    options = [
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={file}",
        "GlobalKnownHostsFile=none",
        "BatchMode=yes",
        "PreferredAuthentications=none",
        "IdentityAgent=none",
        f"HostKeyAlgorithms={algorithms}",
        f"ProxyCommand={proxy}",
        "ConnectTimeout=10",
    ]
    words = [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        ["ssh", "-F", "none", *words, "-p", str(port), "--", f"nobody@{host}", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
    )
    signs = {
        "REVOKED HOST KEY DETECTED": "revoked",
        "REMOTE HOST IDENTIFICATION HAS CHANGED": "mismatch",
        "host key is known for": "unknown",
        "Permission denied": "ok",  # the key was accepted, the login was not
    }
    for sign, state in signs.items():
        if sign in done.stderr:
            return state
    raise AssertionError(f"ssh says something else: {done.stderr!r}")


def verdict(path, keys, host, port):
    key_type, blob = keys.ed.split()
    return known_hosts.load([path]).verdict(host, port, key_type, base64.b64decode(blob))


def written(path, text, keys, port):
    """`text` with its {names} put in, `{hash:NAME}` being NAME hashed by ssh-keygen -H."""
    text = text.replace("{port}", str(port))
    while "{hash:" in text:
        head, _, rest = text.partition("{hash:")
        name, _, tail = rest.partition("}")
        text = head + hashed(path, name, keys) + tail
    named = {"ed": keys.ed, "ed2": keys.ed2, "ec": keys.ec, "ca": keys.ca}
    for name, value in named.items():
        text = text.replace("{" + name + "}", str(value))
    path.write_bytes(text.encode())
    return path


def hashed(path, name, keys):
    file = path.with_suffix(".hash")
    file.write_text(f"{name} {keys.ed}\n")
    _run("ssh-keygen", "-H", "-f", file)
    return file.read_text().split()[0]


H, P = "[127.0.0.1]:{port}", "127.0.0.1"
# name: (contents, host, port; None is the server's, state, deciding line)
TABLE = {
    "an empty file": ("", P, None, "unknown", None),
    "the key with its port": (H + " {ed}\n", P, None, "ok", 1),
    "no final newline": (H + " {ed}", P, None, "ok", 1),
    "another key": (H + " {ed2}\n", P, None, "mismatch", 1),
    "another key of another type": (H + " {ec}\n", P, None, "mismatch", 1),
    "two keys of one type, the right one second": (f"{H} {{ed2}}\n{H} {{ed}}\n", P, None, "ok", 2),
    "another type first": (f"{H} {{ec}}\n{H} {{ed}}\n", P, None, "ok", 2),
    "another host": ("other {ed}\n", P, None, "unknown", None),
    "another port": ("[127.0.0.1]:1 {ed}\n", P, None, "unknown", None),
    "the bare host on another port": (P + " {ed}\n", P, None, "ok", 1),
    "the bare host with another key": (P + " {ed2}\n", P, None, "unknown", None),
    "the bare host right, the port wrong": (
        f"{P} {{ed}}\n{H} {{ed2}}\n",
        P,
        None,
        "mismatch",
        2,
    ),
    "the bare host revoked": ("@revoked " + P + " {ed}\n", P, None, "revoked", 1),
    "the bare host revoked, the port right": (
        f"@revoked {P} {{ed}}\n{H} {{ed}}\n",
        P,
        None,
        "ok",
        2,
    ),
    "the bare host on port 22": ("web-a {ed}\n", "web-a", 22, "ok", 1),
    "brackets with port 22": ("[web-a]:22 {ed}\n", "web-a", 22, "unknown", None),
    "brackets without a port": ("[web-a] {ed}\n", "web-a", 22, "unknown", None),
    "a list of names": ("a,web-a,b {ed}\n", "web-a", 22, "ok", 1),
    "a hashed name with its port": ("{hash:" + H + "} {ed}\n", P, None, "ok", 1),
    "a hashed bare name": ("{hash:web-a} {ed}\n", "web-a", 22, "ok", 1),
    "a hashed bare name on another port": ("{hash:web-a} {ed}\n", "web-a", 2222, "ok", 1),
    "a hashed name and another key": ("{hash:web-a} {ed2}\n", "web-a", 22, "mismatch", 1),
    "a hashed name of another host": ("{hash:web-b} {ed}\n", "web-a", 22, "unknown", None),
    "a hash in a list": ("{hash:web-a},web-a {ed}\n", "web-a", 22, "unknown", None),
    "a hash with a bad salt": ("|1|AAAA|AAAA {ed}\n", "web-a", 22, "unknown", None),
    "a star": ("*.example.org {ed}\n", "a.example.org", 22, "ok", 1),
    "a star is not the domain": ("*.example.org {ed}\n", "example.org", 22, "unknown", None),
    "a star and its port": ("[127.0.0.*]:{port} {ed}\n", P, None, "ok", 1),
    "a star for everything": ("* {ed}\n", P, None, "ok", 1),
    "a question mark": ("web-? {ed}\n", "web-a", 22, "ok", 1),
    "a question mark is one": ("web-? {ed}\n", "web-", 22, "unknown", None),
    "brackets are no class": ("web-[ab] {ed}\n", "web-a", 22, "unknown", None),
    "a negation after": ("web-*,!web-a {ed}\n", "web-a", 22, "unknown", None),
    "a negation before": ("!web-a,web-* {ed}\n", "web-a", 22, "unknown", None),
    "a negation of another": ("web-*,!web-b {ed}\n", "web-a", 22, "ok", 1),
    "a negation alone": ("!web-b {ed}\n", "web-a", 22, "unknown", None),
    "upper case in the file": ("WEB-A {ed}\n", "web-a", 22, "ok", 1),
    "upper case asked": ("web-a {ed}\n", "WEB-A", 22, "ok", 1),
    "upper case hashed": ("{hash:WEB-A} {ed}\n", "web-a", 22, "ok", 1),
    "revoked for every host": ("@revoked * {ed}\n" + H + " {ed}\n", P, None, "revoked", 1),
    "revoked after it was trusted": (H + " {ed}\n@revoked * {ed}\n", P, None, "revoked", 2),
    "revoked for another host": ("@revoked other {ed}\nweb-a {ed}\n", "web-a", 22, "ok", 2),
    "another key revoked": ("@revoked * {ed2}\nweb-a {ed}\n", "web-a", 22, "ok", 2),
    "another key revoked only": ("@revoked * {ed2}\n", "web-a", 22, "unknown", None),
    "revoked, a tab behind": ("@revoked\t* {ed}\nweb-a {ed}\n", "web-a", 22, "ok", 2),
    "revoked, two blanks behind": ("@revoked  * {ed}\nweb-a {ed}\n", "web-a", 22, "revoked", 1),
    "two markers": ("@revoked @cert-authority * {ed}\nweb-a {ed}\n", "web-a", 22, "ok", 2),
    "an unknown marker": ("@trusted web-a {ed}\n", "web-a", 22, "unknown", None),
    "many blanks and tabs": ("  web-a \t  {ed}   a comment\n", "web-a", 22, "ok", 1),
    "a comment line": ("# web-a {ed2}\n  # x\n\nweb-a {ed}\n", "web-a", 22, "ok", 4),
    "a truncated line": (
        "web-a ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\nweb-a {ed}\n",
        "web-a",
        22,
        "ok",
        2,
    ),
    "a truncated line only": ("web-a ssh-ed25519 AAAAC3NzaC1lZDI1\n", "web-a", 22, "unknown", None),
    "a line without a key": ("web-a\nweb-a ssh-ed25519\nweb-a {ed}\n", "web-a", 22, "ok", 3),
    "no base64": ("web-a ssh-ed25519 AAAA!\n", "web-a", 22, "unknown", None),
    "a key of a type that is not its own": (
        "web-a ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\n",
        "web-a",
        22,
        "unknown",
        None,
    ),
    "a key type nobody knows": ("web-a ssh-foo AAAAB3NzaC1mb28=\n", "web-a", 22, "unknown", None),
    "cr lf": ("# c\r\n\r\nweb-a {ed}\r\n", "web-a", 22, "ok", 3),
    "cr lf and a comment": ("web-a {ed} c\r\n", "web-a", 22, "ok", 1),
    "cr before the name": ("\rweb-a {ed}\n", "web-a", 22, "unknown", None),
    "a letter that is a k in Unicode only": ("\u212aai {ed}\n", "kai", 22, "unknown", None),
    "a zero byte": ("web-a {ed}\0 {ed2}\n", "web-a", 22, "ok", 1),
    "an authority for all and the bare host": (
        "@cert-authority * {ca}\nweb-a {ed}\n",
        "web-a",
        2222,
        "ok",
        2,
    ),
    "a pattern as long as ssh reads": (f"{'x' * 1022},web-a {{ed}}\n", "web-a", 22, "ok", 1),
    "a longer pattern": (f"{'x' * 1023},web-a {{ed}}\n", "web-a", 22, "unknown", None),
    "a longer pattern behind": (f"web-a,{'é' * 512} {{ed}}\n", "web-a", 22, "unknown", None),
    "a longer negation": (f"!{'x' * 1022},web-a {{ed}}\n", "web-a", 22, "ok", 1),
    "a negation before a longer pattern": (
        f"!web-a,{'?' * 1100},web-a {{ed}}\n",
        "web-a",
        22,
        "unknown",
        None,
    ),
    "an address of IPv6": ("::1 {ed}\n", "::1", 22, "ok", 1),
    "an address of IPv6 with a port": ("[::1]:2222 {ed}\n", "::1", 2222, "ok", 1),
}


@pytest.mark.sshd
@pytest.mark.parametrize(("text", "host", "port", "state", "line"), TABLE.values(), ids=TABLE)
@pytest.mark.case("F13")
def test_the_verdict_is_that_of_ssh(sshd, keys, tmp_path, text, host, port, state, line):
    path = written(tmp_path / "known_hosts", text, keys, port or sshd.plain.port)
    found = verdict(path, keys, host, port or sshd.plain.port)
    said = ssh_says(path, sshd.plain, host, port)
    assert (said, found) == (state, Verdict(state, line and str(path), line))


CA_TABLE = {
    # what ssh says of the certificate, what of the bare key, and ours of the bare key: where no
    # key of the host is known the openssh road decides
    "a CA for the host": (
        "@cert-authority web-* {ca}\n",
        *("ok", "unknown"),
        ("certificate-authority", 1, False),
    ),
    "a CA and another key of the host": (
        "web-a {ed2}\n@cert-authority * {ca}\n",
        *("ok", "mismatch"),
        ("mismatch", 1, True),
    ),
    "a CA before a key of another type": (
        "@cert-authority web-a {ca}\nweb-a {ec}\n",
        *("ok", "mismatch"),
        ("mismatch", 2, True),
    ),
    "a CA that did not sign": (
        "@cert-authority web-a {ed2}\n",
        *("unknown", "unknown"),
        ("certificate-authority", 1, False),
    ),
}


@pytest.mark.sshd
@pytest.mark.parametrize(("text", "cert", "bare", "ours"), CA_TABLE.values(), ids=CA_TABLE)
@pytest.mark.case("F13")
def test_a_certificate_authority_needs_the_openssh_road(
    sshd, keys, tmp_path, text, cert, bare, ours
):
    path = written(tmp_path / "known_hosts", text, keys, 22)
    said = [
        ssh_says(path, sshd.cert, "web-a", 22, "ssh-ed25519-cert-v01@openssh.com"),
        ssh_says(path, sshd.cert, "web-a", 22, "ssh-ed25519"),
    ]
    state, line, vouched = ours
    assert said == [cert, bare]
    assert verdict(path, keys, "web-a", 22) == Verdict(state, str(path), line, vouched)


def test_a_known_key_is_trusted_beside_a_certificate_authority(keys, tmp_path):
    path = written(tmp_path / "k", "@cert-authority * {ca}\nweb-a {ed}\n", keys, 22)
    assert verdict(path, keys, "web-a", 22) == Verdict("ok", str(path), 2)


def test_a_certificate_authority_of_another_host_does_not_matter(keys, tmp_path):
    path = written(tmp_path / "k", "@cert-authority db-* {ca}\n", keys, 22)
    assert verdict(path, keys, "web-a", 22) == Verdict("unknown")


def test_a_later_file_may_know_the_host_and_a_missing_one_is_empty(keys, tmp_path):
    first = written(tmp_path / "first", "web-a {ed2}\n", keys, 22)
    second = written(tmp_path / "second", "# c\nweb-a {ed}\n", keys, 22)
    key_type, blob = keys.ed.split()
    loaded = known_hosts.load([tmp_path / "none", first, second])
    found = loaded.verdict("web-a", 22, key_type, base64.b64decode(blob))
    assert found == Verdict("ok", str(second), 2)


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\); name another one"):
        known_hosts.load([tmp_path])


@pytest.mark.case("F13")
def test_a_pipe_or_a_file_without_end_is_no_known_hosts_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a writer
    with pytest.raises(InputError, match=r"cannot be read \(not a regular file\)"):
        known_hosts.load([tmp_path / "pipe"])
    with pytest.raises(InputError, match=r"cannot be read \(not a regular file\)"):
        known_hosts.load(["/dev/zero"])
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(known_hosts.MAX_FILE + 1)
    with pytest.raises(InputError, match=r"cannot be read \(larger than 64 MiB\)"):
        known_hosts.load([tmp_path / "huge"])
    assert known_hosts.load([os.devnull]).entries == ()


def test_the_types_of_a_host_are_told_in_order_and_once(keys, tmp_path):
    text = "web-a {ec}\n@revoked web-a {ca}\n[web-a]:2222 {ed2}\nweb-a {ed}\nweb-* {ed2}\n"
    loaded = known_hosts.load([written(tmp_path / "k", text, keys, 22)])
    assert [loaded.known_types("Web-A", port) for port in (22, 2222, 2200)] == [
        ["ecdsa-sha2-nistp256", "ssh-ed25519"],
        ["ssh-ed25519"],
        ["ecdsa-sha2-nistp256", "ssh-ed25519"],
    ]


def test_a_skipped_line_is_counted_with_its_place(keys, tmp_path):
    text = "# c\nweb-a ssh-ed25519 AAAA\n\nweb-a {ed}\n@what a {ed}\n|1|x|y {ed}\n\udcff\n"
    path = tmp_path / "k"
    path.write_bytes(text.replace("{ed}", keys.ed).encode("utf-8", "surrogateescape"))
    loaded = known_hosts.load([path])
    assert (loaded.skipped, [entry.line for entry in loaded.entries]) == (
        (f"{path}:2", f"{path}:5", f"{path}:6", f"{path}:7"),
        [4],
    )


def test_a_key_that_is_not_of_its_type_is_never_trusted(keys, tmp_path):
    path = written(tmp_path / "k", "* {ed}\n", keys, 22)
    blob = base64.b64decode(keys.ed.split()[1])
    assert known_hosts.load([path]).verdict("web-a", 22, "ssh-rsa", blob) == Verdict("unknown")


@pytest.mark.case("L05")
def test_five_thousand_hashed_lines_load_and_answer_well_under_a_second(keys, tmp_path):
    names = "".join(
        f"|1|{base64.b64encode(bytes([n % 256, n // 256] * 10)).decode()}|{'A' * 27}= {keys.ed2}\n"
        for n in range(5000)
    )
    path = written(tmp_path / "k", names + "web-a {ed}\n", keys, 22)
    start = time.process_time()
    found = verdict(path, keys, "web-a", 2222)
    assert (found, time.process_time() - start < 0.8) == (Verdict("ok", str(path), 5001), True)


def test_a_pattern_made_to_be_slow_is_not(keys, tmp_path):
    path = written(tmp_path / "k", "*a" * 500 + "b {ed}\n", keys, 22)
    # A matcher that goes back over the stars would not come to an end within the test's limit.
    assert verdict(path, keys, "a" * 500, 22).state == "unknown"


ONE_KEY = "ssh-ed25519", b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
ONE_LINE = f"h {ONE_KEY[0]} {base64.b64encode(ONE_KEY[1]).decode()}".encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    *[ONE_LINE, b"@revoked ", b"@cert-authority ", b"|1|", b"AAAA", b" ", b"\t"],
                    *[b"\n", b"!", b"*", b"?", b",", b"h", b"[h]:22", b"=", b"\xff", b"\0", b"#"],
                    b"\r",
                ]
            ),
            max_size=12,
        ).map(b"".join),
    )
)
def test_no_bytes_of_a_file_raise(tmp_path, content):
    path = tmp_path / "k"
    path.write_bytes(content)
    loaded = known_hosts.load([path])
    # Only these: no other key is among the pieces, so `mismatch` would be a false alarm.
    states = ("ok", "unknown", "revoked", "certificate-authority")
    assert loaded.verdict("h", 22, *ONE_KEY).state in states
    assert loaded.known_types("h", 2222) in ([], ["ssh-ed25519"])
    assert len(loaded.entries) + len(loaded.skipped) <= content.count(b"\n") + 1


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_means_what_its_regular_expression_does(pattern, name):
    want = re.fullmatch(pattern.replace("*", ".*").replace("?", "."), name) is not None
    assert known_hosts._matches(pattern, name) is want
