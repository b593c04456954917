"""The recorded answers are still understood by the probes of today."""

import pytest

from driftscan.model import Failed
from tests import recorded


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_every_section_of_a_recorded_host_is_understood(name):
    subject, reference, _ = recorded.pair(name)
    for made in (subject.fingerprint, reference.fingerprint):
        sections = {**made.facts, **made.evidence}
        assert [key for key, section in sections.items() if isinstance(section, Failed)] == []
    assert subject.name == name
    assert reference.is_image
