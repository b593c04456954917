"""Two machines in either order: whoever names the good one first still learns the cause."""

from functools import cache

import pytest
from msgspec.structs import replace

from driftscan import diff
from driftscan.explain import engine, mirror
from driftscan.model import Report
from driftscan.report import text
from tests import recorded


@cache
def explained(one, other):
    subject, reference = recorded.side(one), recorded.side(other)
    compared = diff.compare(subject.fingerprint, reference.fingerprint)
    return engine.explain(subject, reference, compared)


CAUSES = {
    "web-a": ("in-use", "repository-missing:bookworm-security"),
    "web-c": ("breaks", "library-shadowed:libMagickCore-6.Q16.so.6"),
    "web-u": ("in-use", "stale-process:php-fpm8.2"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_on_the_second_machine_is_told_with_the_command_that_explains_it(name):
    found = mirror.mirror(explained("web-b", name), explained(name, "web-b"))
    assert found is not None
    assert (found.level, found.cause) == CAUSES[name]
    assert name in found.text
    assert found.command == f"driftscan compare {name} web-b"


@pytest.mark.parametrize("name", [*CAUSES, "web-t"])
def test_the_order_that_tells_the_cause_needs_no_other(name):
    assert mirror.mirror(explained(name, "web-b"), explained("web-b", name)) is None


def test_the_report_says_it_right_after_the_answer():
    report = explained("web-b", "web-c")
    told = mirror.mirror(report, explained("web-c", "web-b"))
    hosts = {"web-b": replace(report, mirror=told)}
    page = text.render(
        Report(hosts=hosts, counts={"hosts": 1}, complete=True, exit_code=1), width=300
    )
    assert (
        "\nSeen from the other side: /usr/local/lib/libMagickCore-6.Q16.so.6, "
        "libMagickWand-6.Q16.so.6, which no package owns, hide those of libmagickcore-6.q16-6, "
        "libmagickwand-6.q16-6 on web-c [library-shadowed:libMagickCore-6.Q16.so.6] and it breaks: "
        "driftscan compare web-c web-b\n"
    ) in page
