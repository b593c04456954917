"""Lines of a configuration file -> the same without secrets, whatever language it is in.

Stricter than `redaction`: every name of a secret takes the rest of its line, what is nested below
it, and the value that stands on the next line.
"""

import re
from collections.abc import Iterable, Iterator

from driftscan.redaction import QUOTED, cannot_be_secret, names_secret, redact
from driftscan.url_secrets import REDACTED

_WORD = re.compile(r"(?<![\w./-])[A-Za-z_$][\w.-]*+", re.ASCII)
# What parts a name and its value: `=`, `:`, `=>`, blanks, the comma of `define('x', 'y')`, `>`.
_SIGN = re.compile(r"(?:[\"'][ \t]*+,|[\"'\])]*+[ \t]*+(?:=>|[:+?]?=|[:>])?)[ \t]*+[(\[{]*+[ \t]*+")
_ALSO = re.compile(r"(?i)community|hmac$|^createuser$|^com2sec$|^bindpw$|^pw$")
# A file or a host of that name, not a setting; `private` alone is a word of HTTP.
_NEVER = re.compile(
    r"(?i)private|authorize|.*\.(?:pem|key|crt|conf|cfg|ya?ml|json|xml|com|net|org|local)"
)
# pam.conf(5): `auth required pam_unix.so`
_PAM = re.compile(
    r"(?:\S+\s+)?-?(?:auth|password)\s+(?:required|requisite|sufficient|optional|include|substack|\[).*"
)
_COMMENT = re.compile(r"[ \t]*(?:#|;|//|--)[ \t]*(.*)")
_CLOSE = re.compile(r"[ \t]*(?:[,;>/})\]]|$|[\w:.-]+[ \t]*=)")
_STORED = re.compile(
    r"\{(?:PLAIN|CLEARTEXT|(?:BLF-|SHA\d*-|MD5-|DES-)?CRYPT|S?MD5|S?SHA\d*|SCRAM-[\w-]+|CRAM-MD5"
    r"|ARGON2\w*)(?:\.\w+)?\}\S+"
)
_PAIR = re.compile(
    r"""[ \t-]*<?["']?(?:name|key|id|env|variable|property|entry|option)["']?"""
    r"""[ \t]*[=:>][ \t]*["']?([\w.-]+)["']?,?(?:</\w+>)?[ \t]*""",
    re.IGNORECASE,
)
_VALUE_NAME = re.compile(
    r"(?i)([ \t-]*<?[\"']?(?:string|default)?(?:value|string|data)[\"']?[ \t]*[=:>][ \t]*)\S.*"
)
_OF_SECRET = re.compile(r"[ \t]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?Secret[\"']?,?[ \t]*")
_DATA = re.compile(r"[ \t]*[\"']?(?:data|stringData)[\"']?[ \t]*:.*")


def redacted(lines: Iterable[str]) -> Iterator[str]:
    """As many lines as given, but a private key, of which one is left."""
    told = list(lines)
    reader = _Reader(manifest=any(map(_OF_SECRET.fullmatch, told)))
    for line in told:
        found = reader.read(line)
        if found is not None:
            yield found


class _Reader:
    """What the lines before tell of the next one."""

    def __init__(self, *, manifest: bool) -> None:
        self._quote = ""
        self._manifest = manifest
        self._in_key = False
        self._below: int | None = None
        self._continued = False
        self._pair = 0

    def read(self, line: str) -> str | None:
        if "PRIVATE KEY-----" in line:
            self._in_key = "-----END" not in line
            return REDACTED
        if self._in_key:
            return None
        if self._quote:
            self._quote = "" if self._quote in line else self._quote
            return REDACTED
        text = line.lstrip(" \t")
        indent = len(line) - len(text)
        if self._continued or self._is_below(text, indent):
            self._continued = self._continued and text.endswith("\\")
            return line[:indent] + _nested(text)
        if text:
            self._below = None
        if self._pair and (match := _VALUE_NAME.fullmatch(line)):
            self._pair = 0
            return match[1] + REDACTED
        found, name_alone, self._quote = _line(line)
        self._note(line, indent, found, name_alone=name_alone)
        return found

    def _is_below(self, text: str, indent: int) -> bool:
        if self._below is None:
            return False
        return not text or indent > self._below or (indent == self._below and text[:2] == "- ")

    def _note(self, line: str, indent: int, found: str, *, name_alone: bool) -> None:
        self._pair = max(0, self._pair - 1)
        pair = _PAIR.fullmatch(line)
        if pair and _is_secret(pair[1]):
            self._pair = 3
        if name_alone or (self._manifest and _DATA.fullmatch(line)):
            self._below = indent + len(line[indent:]) - len(line[indent:].lstrip("- "))
        self._continued = found != line and line.endswith("\\")


def _is_secret(name: str) -> bool:
    if _NEVER.fullmatch(name):
        return False
    return names_secret(name) or _ALSO.search(name) is not None


def _nested(text: str) -> str:
    """What stands below the name of a secret: a field of its own keeps its name."""
    match = re.match(r"(- )?([\"']?[\w.-]{1,100}[\"']?[ \t]*[:=][ \t]*)(\S.*)", text)
    if not text or text in ("}", "},", "]", "],", "{", "[") or re.fullmatch(r"</[\w:.-]+>", text):
        return text
    if match is None:
        return (
            text
            if re.fullmatch(r"[\"']?[\w.-]{1,100}[\"']?[ \t]*:[ \t]*[{\[]?", text)
            else REDACTED
        )
    return (
        text if cannot_be_secret(match[3].rstrip(",;")) else f"{match[1] or ''}{match[2]}{REDACTED}"
    )


def _line(line: str) -> tuple[str, bool, str]:
    """The line without secrets; whether the value of its last name is below it; the quote that is
    still open at its end."""
    code, aside = _parted(line)
    if aside:
        found, alone, quote = _line(code)
        return (found + redact(aside) if found == code else found), alone, quote
    comment = _COMMENT.fullmatch(line)
    if (comment and not _is_switched_off(comment[1])) or _PAM.fullmatch(line):
        return redact(line), False, ""
    kept: list[str] = []
    done = at = 0
    alone, quote = False, ""
    while match := _WORD.search(line, at):
        at = match.end()
        start = _after_sign(line, at)
        if start == at or not _is_secret(match[0]) or _names_another(match[0], line, start):
            continue
        value, closed = _value(line, start)
        quote = quote or _open(value)
        alone = not re.sub(r"[|>][\d+-]*[ \t]+#.*|[|>]\d", "", value).strip(_PUNCTUATION)
        if alone or _is_plain(value):
            continue
        mark = f"{line[start]}{REDACTED}{line[start]}" if closed else REDACTED
        kept += (redact(line[done:start]), mark)
        done = at = start + len(value)
    return _STORED.sub(REDACTED, "".join([*kept, redact(line[done:])])), alone, quote


def _parted(line: str) -> tuple[str, str]:
    """A line and the comment at its end, if it is surely one."""
    match = _ASIDE.search(line)
    if match is None or any(line.count(quote, 0, match.start()) % 2 for quote in "\"'"):
        return line, ""
    return line[: match.start()], match[0]


_ASIDE = re.compile(r"(?<=\S)[ \t]++#[ \t].*")
_PUNCTUATION = "|>-+ \t\"'{}[]()<,;:="


def _after_sign(line: str, at: int) -> int:
    sign = _SIGN.match(line, at)
    return sign.end() if sign else at


def _names_another(name: str, line: str, start: int) -> bool:
    """Whether it is `key="ApiKey"`: the name of what follows, no secret itself."""
    if name.lower() != "key" or not {"=", ":", ">"} & set(line[start - 3 : start]):
        return False
    other = _WORD.match(line, start + (line[start : start + 1] in ("'", '"')))
    return other is not None and _is_secret(other[0])


def _value(line: str, start: int) -> tuple[str, bool]:
    """The quoted text, if what follows it shows that it is all; else the rest of the line."""
    quoted = QUOTED.match(line, start)
    if (
        quoted
        and quoted[0][0] in "\"'"
        and _open(quoted[0]) == ""
        and _CLOSE.match(line, quoted.end())
    ):
        return quoted[0], True
    return line[start:], False


def _open(value: str) -> str:
    """The quote that a value begins with and that does not end in its line."""
    quote = next((q for q in ('"""', "'''", '"', "'") if value.startswith(q)), "")
    return quote if quote and value.replace("\\" + quote, "").count(quote) == 1 else ""


def _is_plain(value: str) -> bool:
    """Whether it cannot be a secret, whatever comment or bracket follows it."""
    bare = re.sub(r"[ \t]+[#;/].*|<?/[\w:.-]*>.*", "", value).strip(" \t\"'<").rstrip(" \t,;)}]")
    return len(value) < _LONG and (
        (bare != "" and any(map(cannot_be_secret, (bare, value)))) or _PORT.match(value) is not None
    )


_PORT = re.compile(r"\d{1,5}/(?:tcp|udp|sctp|dccp)(?!\S)")  # services(5)


_LONG = 300


def _is_switched_off(text: str) -> bool:
    """Whether a comment is a setting that was switched off."""
    match = re.match(r"[\"']?([\w.-]+)[\"']?[ \t]*[=:]", text)
    return match is not None and _is_secret(match[1])
