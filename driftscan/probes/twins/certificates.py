"""Where CA certificates are, and the twin of the question about them."""

import hashlib
import re
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
LOCAL = (
    "/usr/local/share/ca-certificates/*.crt",
    "/usr/local/share/ca-certificates/*/*.crt",
    "/etc/pki/ca-trust/source/anchors/*",
    "/etc/ca-certificates/trust-source/anchors/*",
)
_BEGIN = re.compile(rb"-----BEGIN [A-Z ]*CERTIFICATE")


def read(tree: Tree) -> Iterator[str]:
    """`bundle COUNT PATH`, `sum SHA256`, `without NAME`, `local PATH` and its certificates."""
    for path in BUNDLES:
        if tools.is_file(tree, path) and tree.readable(path):
            data = tree.read(path, tools.LARGEST)
            count = sum(1 for line in data.split(b"\n") if _BEGIN.search(line))
            yield f"bundle {count} {path}"
            yield f"sum {hashlib.sha256(_in_order(data)).hexdigest()}"
            break
    for line in tools.lines(tree, "/etc/ca-certificates.conf"):
        if line.startswith("!") and tools.is_file(tree, f"/usr/share/ca-certificates/{line[1:]}"):
            yield f"without {line[1:]}"
    for path in tools.expand(tree, *LOCAL):
        if tools.is_file(tree, path) and tree.readable(path) and "\n" not in path:
            yield f"local {path}"
            yield from _certificates(tools.lines(tree, path))


def _in_order(data: bytes) -> bytes:
    """Each certificate as one line, in their own order."""
    found: list[bytes] = []
    one = b""
    for line in data.split(b"\n"):
        one = line if line.startswith(b"-----BEGIN") else one + line
        if line.startswith(b"-----END"):
            found.append(one + b"\n")
    return b"".join(sorted(found))


def _certificates(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        inside = inside or line.startswith("-----BEGIN CERTIFICATE-----")
        if inside:
            yield f" {line}"
        if line.startswith("-----END CERTIFICATE-----"):
            inside = False
