"""Each statement rests on what it cites: all of that, and nothing else."""

import pytest

from tests import citing, recorded

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_without_what_it_cites_a_statement_falls_or_weakens(name):
    subject, reference, _ = recorded.pair(name)
    assert citing.still_standing(subject, reference, name) == []


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_what_a_statement_does_not_cite_changes_nothing_of_it(name):
    subject, reference, _ = recorded.pair(name)
    assert citing.changed_by_others(subject, reference, name) == []


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_every_statement_that_is_more_than_unknown_cites_something(name):
    subject, reference, _ = recorded.pair(name)
    assert citing.uncited(subject, reference) == []
