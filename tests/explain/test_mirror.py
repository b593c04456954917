"""A company's own mirror of the archive is the archive: where packages come from is no drift."""

import pytest

from driftscan import diff, scan
from driftscan.demo.server import RECORDED_NONCE
from driftscan.explain import engine
from driftscan.model import Answer, Questions, Side
from driftscan.probes.table import PROBES
from tests import recorded

MOVED = {
    b"http://deb.debian.org/debian": b"https://apt.corp.example/debian",
    b"http://security.debian.org/debian-security": b"https://apt.corp.example/security",
}


def moved(name):
    """The recorded host as if it had always used a mirror: each URL of the archive is another."""
    answer = recorded.packed(name)
    assert next(iter(MOVED)) in answer
    for url, own in MOVED.items():
        answer = answer.replace(url, own).replace(flat(url), flat(own))
    found = scan.fingerprint(
        Answer(answer, b"", 0, 1.0),
        Questions((), "", RECORDED_NONCE.decode()),
        [probe for probe in PROBES if f" S {probe.NAME}\n".encode() in answer],
        target=name,
        kind="host",
        address="127.0.0.1",
        taken="",
    )
    return Side(fingerprint=found)


def flat(url):
    """As apt names the files of its lists after a URL."""
    return url.partition(b"://")[2].replace(b"/", b"_")


def explained(side):
    reference = recorded.baseline()
    compared = diff.compare(side.fingerprint, reference.fingerprint)
    return engine.explain(side, reference, compared)


@pytest.mark.parametrize("name", ["web-a", "web-b"])
def test_the_url_of_a_mirror_in_place_of_the_archives_is_no_difference(name):
    plain, mirrored = explained(recorded.side(name)), explained(moved(name))
    assert [f.id for f in mirrored.findings] == [f.id for f in plain.findings]
    assert [c.id for c in mirrored.causes] == [c.id for c in plain.causes]
    assert mirrored.equal == plain.equal
