"""The six recorded hosts: each report fits a screen and begins with what to do."""

import pytest

from driftscan.report import table
from tests import golden, recorded

FIRST = {
    "web-a": "BREAKS      web-a never ran line 5 of inventories/demo/web/Dockerfile",
    "web-b": "No difference",
    "web-c": "BREAKS      Packages do not explain this: /usr/local/lib/libMagickCore-6.Q16.so.6",
    "web-p": "BREAKS      web-p never ran line 5 of inventories/demo/web/Dockerfile",
    "web-t": "BREAKS      web-t runs Debian GNU/Linux 13 (trixie)",
    "web-u": "BREAKS      Packages do not explain this: php-fpm8.2 on web-u still runs imagemagick",
}


def page(name, **look):
    return table.render("text", golden.report(name), table.Look(**look))


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_a_recorded_host_fits_a_screen_and_begins_with_the_answer(name):
    lines = page(name).splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith(FIRST[name])
    assert lines == page(name).splitlines()


def test_all_of_a_host_is_told_on_demand():
    usual, everything = page("web-p"), page("web-p", everything=True)
    assert "(--all)" not in everything
    assert len(everything) > 2 * len(usual)


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_whatever_breaks_is_found_by_that_word(name):
    broken = recorded.explained(name, golden.SYMPTOM).worst == "breaks"
    assert ("BREAKS" in page(name)) is broken


def test_who_did_it_when_and_how_is_told_before_lesser_things():
    told = " ".join(page("web-c").split())
    assert "installed on web-c only. Done " in told
    assert " by deploy: apt-get install -y --no-install-recommends gcc make " in told
    assert "# restart " in told
    assert "driftscan check web-c" in told


def test_of_what_was_put_beside_the_packages_what_a_service_maps_is_told_first():
    told = " ".join(page("web-p").split())
    assert "php-fpm8.2 maps /srv/app/lib/libpng16.so.16 (3 processes)." in told
    assert "libpng16-16 is on hold" in told
