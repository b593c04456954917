"""The six recorded hosts: each report fits a screen and begins with what to do."""

import pytest

from driftscan.report import table
from tests import golden, recorded

FIRST = {
    "web-a": "web-a never ran line 5 of inventories/demo/web/Dockerfile",
    "web-b": "No difference",
    "web-c": "Packages do not explain this: /usr/local/lib/libMagickCore-6.Q16.so.6",
    "web-p": "web-p never ran line 5 of inventories/demo/web/Dockerfile",
    "web-t": "web-t runs Debian GNU/Linux 13 (trixie)",
    "web-u": "Packages do not explain this: php-fpm8.2 on web-u still runs imagemagick",
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
