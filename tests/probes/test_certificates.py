"""The certificates probe against openssl on the same machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Payload, Raw
from driftscan.probes import certificates
from driftscan.probes.twins import certificates as twin
from tests.probes.conftest import read_captured


def parsed(*lines):
    return certificates.parse(Raw(outputs={"trust": Payload(lines)}))["certificates"]


def test_the_bundle_and_what_was_added_are_as_openssl_says(captured, oracle):
    printed, count, summed = oracle("certificates", "furnished")
    items = certificates.parse(captured("certificates", "furnished"))["certificates"].items
    assert items["bundle"] == {"count": int(count), "sum": summed[:32]}
    fingerprint = printed.partition("=")[2].replace(":", "").lower()
    assert items[f"local|{fingerprint}"] == {"file": "/usr/local/share/ca-certificates/site.crt"}
    assert items["without|mozilla/ACCVRAIZ1.crt"] == {}


def test_only_certificates_leave_the_host():
    assert b"PRIVATE" not in read_captured("furnished", "certificates")
    assert "BEGIN CERTIFICATE-----/,/" in certificates.ASK[0].body


def test_a_machine_without_certificates_has_none():
    assert parsed() == Absent()


def test_what_is_no_certificate_has_a_fingerprint_all_the_same():
    lines = [
        "local /x",
        " -----BEGIN CERTIFICATE-----",
        " not base64!",
        " -----END CERTIFICATE-----",
    ]
    (key,) = parsed(*lines).items
    assert key.startswith("local|")


def test_a_file_written_on_windows_has_the_same_fingerprint():
    block = ["-----BEGIN CERTIFICATE-----", "AAAA", "-----END CERTIFICATE-----"]
    unix = parsed("local /x", *(f" {line}" for line in block))
    assert parsed("local /x", *(f" {line}\\x0d" for line in block)) == unix


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed("nonsense")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)


@given(st.lists(TEXT.map(" {}".format) | st.sampled_from(["local /x", "bundle 1 /y", " -----END"])))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        parsed(*lines)
    except ParseError:
        return


def test_the_order_in_which_certificates_came_is_no_difference():
    first, second = (
        b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % x for x in (b"A", b"B")
    )
    ordered = twin._in_order
    assert ordered(first + second) == ordered(b"# a name\n" + second + first) != ordered(first)
