"""Package URLs: the name of a package of any ecosystem in one line (ECMA-427, package-url.org)."""

import re
from collections.abc import Mapping
from urllib.parse import quote

_LOWER_NAMESPACE = {"deb", "rpm", "apk", "alpm", "golang"}
_LOWER_NAME = {"deb", "apk", "alpm", "golang", "npm", "pypi"}


def purl(
    kind: str,
    namespace: str,
    name: str,
    version: str = "",
    qualifiers: Mapping[str, str] | None = None,
) -> str:
    """`pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64`; empty parts are left out.

    A namespace may have several segments (`github.com/pkg`). Names are written as their type
    compares them: pypi as PEP 503 does, but for the dots.
    """
    if kind in _LOWER_NAMESPACE:
        namespace = namespace.lower()
    if kind in _LOWER_NAME:
        name = name.lower()
    if kind == "pypi":
        name = name.replace("_", "-")
    parts = [part for part in namespace.split("/") if part]
    path = "/".join([kind, *map(_encoded, parts), _encoded(name)])
    more = "&".join(f"{key}={_encoded(value)}" for key, value in sorted(_given(qualifiers)))
    at = f"@{_encoded(version)}" if version else ""
    return f"pkg:{path}{at}" + (f"?{more}" if more else "")


def _given(qualifiers: Mapping[str, str] | None) -> list[tuple[str, str]]:
    given = {re.sub(r"[^a-z0-9._-]", "", key.lower()): v for key, v in (qualifiers or {}).items()}
    return [(key, value) for key, value in given.items() if key and value]


def _encoded(text: str) -> str:
    """All but unreserved characters and the colon, of the text's UTF-8."""
    return quote(text, safe=":", errors="replace")
