"""Whom a machine trusts: its bundle of CA certificates, what was added, what was taken out."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Items, Raw, Section, Shell
from driftscan.probes.contract import About
from driftscan.probes.twins import certificates

NAME = "certificates"
ASK = (
    Shell(
        "trust",
        r"""
for f in @BUNDLES@; do
  if [ -f "$f" ] && [ -r "$f" ]; then
    printf 'bundle %s %s\n' "$(grep -c -e '-----BEGIN [A-Z ]*CERTIFICATE' "$f")" "$f"
    # A host that was upgraded has them in another order than an image that is new.
    awk '/^-----BEGIN/ { c = "" } { c = c $0 } /^-----END/ { print c }' "$f" | sort | sha256sum |
      sed 's/ .*//;s/^/sum /'
    break
  fi
done
# What is not shipped any more is left in the list with that mark, by nobody's choice.
if [ -r /etc/ca-certificates.conf ]; then
  sed -n 's/^!//p' /etc/ca-certificates.conf | while IFS= read -r name; do
    if [ -f "/usr/share/ca-certificates/$name" ]; then printf 'without %s\n' "$name"; fi
  done
fi
# Of what was added only the certificates themselves: a key may lie beside them.
for f in @LOCAL@; do
  if [ -f "$f" ] && [ -r "$f" ]; then
    case $f in *"$NL"*) continue ;; esac
    printf 'local %s\n' "$f"
    sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/s/^/ /p' "$f"
  fi
done
return 0
""".replace("@BUNDLES@", " ".join(certificates.BUNDLES)).replace(
            "@LOCAL@", " ".join(certificates.LOCAL)
        ),
        certificates.read,
    ),
)
GIVES = (
    About(
        "certificates",
        "facts",
        "bundle, local|SHA256 fingerprint, or without|NAME",
        "count and sum (of the bundle); file (of a local one)",
        cost="8 ms",
        source=f"{certificates.BUNDLES[0]} or its kin, {', '.join(certificates.LOCAL)}",
    ),
)

_LINE = re.compile(
    r"bundle (?P<count>[0-9]+) (?P<bundle>/.*)|sum (?P<sum>[0-9a-f]{64})"
    r"|without (?P<without>.*)|local (?P<local>/.*)| (?P<text>.*)"
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """One section; raises ParseError for a line that the question cannot print."""
    answer = raw.outputs.get("trust")
    items: Items = {}
    blocks: dict[str, list[str]] = {}
    place = ""
    for line in answer.lines if answer else ():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a certificate or its file, got {line!r}")
        place = match["local"] or place
        if match["bundle"]:
            items["bundle"] = {"count": int(match["count"])}
        elif match["sum"]:
            items.setdefault("bundle", {})["sum"] = match["sum"][:32]
        elif match["without"]:
            items[f"without|{match['without']}"] = {}
        elif match["text"] is not None:
            blocks.setdefault(place, []).append(match["text"])
    for path, lines in blocks.items():
        items |= {f"local|{name}": {"file": path} for name in _fingerprints(lines)}
    return {"certificates": Collected(items=items) if items else Absent()}


def _fingerprints(lines: Iterable[str]) -> Iterator[str]:
    """As `openssl x509 -fingerprint -sha256` prints them, without colons and in small letters."""
    held: list[str] = []
    for line in lines:
        if line.startswith("-----BEGIN"):
            held = []
        elif line.startswith("-----END"):
            text = "".join(held)
            try:
                data = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                data = text.encode()
            yield hashlib.sha256(data).hexdigest()
        else:
            held.append(line.strip(" \t").removesuffix("\\x0d"))
