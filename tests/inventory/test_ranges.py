"""Ranges in names, as Ansible's guide to inventories writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.inventory.ranges import MAX_NAMES, expanded


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", ["web"]),
        ("web[01:03]", ["web01", "web02", "web03"]),
        ("web[1:3].x", ["web1.x", "web2.x", "web3.x"]),
        ("n[1:9:4]", ["n1", "n5", "n9"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("r[1:2]-[a:b]", ["r1-a", "r1-b", "r2-a", "r2-b"]),
        ("x[:2]", ["x0", "x1", "x2"]),
        ("plain[1]", ["plain[1]"]),
    ],
)
def test_a_range_stands_for_its_names(text, names):
    assert expanded(text) == names


@pytest.mark.parametrize(
    "text", ["a[3:1]", "a[1:]", "a[1:2:0]", "a[1:2:3:4]", "a[x:12]", "a[01:100]"]
)
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="range"):
        expanded(text)


@pytest.mark.parametrize("text", ["a[0:999999]", "a[0:999][0:999]", "[0:99][0:99][0:99]"])
def test_a_slip_of_a_digit_does_not_fill_the_memory(text):
    with pytest.raises(ValueError, match=f"more than {MAX_NAMES}"):
        expanded(text)


@given(st.text("[]:019ab-", max_size=20))
def test_any_text_is_names_or_is_refused(text):
    try:
        names = expanded(text)
    except ValueError:
        return
    assert names
