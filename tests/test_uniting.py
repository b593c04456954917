"""Sections of several probes as one: nothing is lost, and the worst state wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model import Absent, Collected, Denied, Failed, Partial
from driftscan.uniting import united

APT = Collected(items={"Debian/bookworm/main": {"position": 0}})
RPM = Collected(items={"rpm/baseos": {"position": 0}})
CUT = Partial(items={"rpm/epel": {"position": 0}}, gaps=["more than the limit"])
CLOSED = Denied(cure="read access to /etc/yum.repos.d, or --become")
BROKEN = Failed(reason="/etc/yum.repos.d/a.repo:3: expected 'name=value'")


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([], Absent()),
        ([Absent(), Absent()], Absent()),
        ([Absent(), APT], APT),
        ([CUT, Absent()], CUT),
        ([Absent(), BROKEN, Absent()], BROKEN),
        ([APT, RPM], Collected(items={**APT.items, **RPM.items})),
        ([APT, CUT], Partial(items={**APT.items, **CUT.items}, gaps=CUT.gaps)),
        ([APT, CLOSED], CLOSED),
        ([CUT, CLOSED, BROKEN], BROKEN),
        ([BROKEN, Failed(reason="other")], Failed(reason=f"{BROKEN.reason}; other")),
        ([CLOSED, Denied(cure="other")], Denied(cure=f"{CLOSED.cure}; other")),
    ],
)
def test_items_are_united_and_the_worst_state_wins_with_its_reason(sections, expected):
    assert united(sections) == expected


def test_a_key_that_two_probes_give_is_a_failure_and_not_a_choice():
    assert united([APT, APT]) == Failed(reason="two probes tell of Debian/bookworm/main")


SECTIONS = st.sampled_from([Absent(), APT, RPM, CUT, CLOSED, BROKEN])


@given(st.lists(SECTIONS, max_size=4, unique_by=id))
def test_one_after_the_other_is_the_same_as_all_at_once(sections):
    whole = Absent()
    for section in sections:
        whole = united([whole, section])
    assert whole == united(sections)
