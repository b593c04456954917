"""Whose text is asked for: files below /etc and the roots of applications, no secrets."""

import pytest

from driftscan.explain import contents


@pytest.mark.parametrize(
    ("path", "roots", "asked"),
    [
        ("/etc/app.conf", [], True),
        ("/data/shop/conf/shop.yml", [], False),
        ("/data/shop/conf/shop.yml", ["/data/shop"], True),
        ("/data/shopping/x", ["/data/shop"], False),
        ("/data/shop/../../root/x", ["/data/shop"], False),
        ("/data/shop/.env", ["/data/shop"], False),
        ("/data/shop/a b", ["/data/shop"], False),
        ("/data/shop/$(id)", ["/data/shop"], False),
        ("curl", ["/data/shop"], False),
    ],
)
def test_a_text_is_asked_for_only_where_configuration_is_and_never_of_a_secret(path, roots, asked):
    assert [want.side for want in contents.wants(path, roots)] == ["subject", "reference"] * asked
