"""URLs without user, password and the paths of webhooks, in text and one by one."""

import re

REDACTED = "[redacted]"

_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)")
_WORD = re.compile(r"[^\s'\"<>]*")
# A password may hold a `/`: then no port follows the first colon.
_NO_PORT = re.compile(r"[^/:@]*:(?!\d{0,5}(?:[/?#]|$))")
_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}|localhost(?![\w-])|\d+(?:\.\d+){3}(?![\w.])")
# What follows an `@` as the revision of a repository is no host.
_REVISION = re.compile(
    r"(?i)(?:v?\d(?!\d{0,2}\.\d+\.\d+\.\d+(?:[:/]|$))[\w.+-]*|[0-9a-f]{7,40}|main|master|develop|head"
    r"|stable|release[\w./-]*)[,;)\]]*"
)


def without_users(text: str) -> str:
    """A text in which no URL has a user or a password."""
    first, *rest = _SCHEME.split(text)
    if not rest:
        return text
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return first + "".join(scheme + _without_user(after) for scheme, after in pairs)


def _without_user(after: str) -> str:
    """What follows `://`, without the user and the password.

    `[user@]` is how our own sentences write it.
    """
    if after.startswith("[user@]"):
        return after
    word = _WORD.match(after)
    end = _end_of_user(word[0] if word else "")
    return f"{REDACTED}@{after[end:]}" if end else after


def without_user(url: str) -> str:
    """A URL without its user and password, for names that are made of its host and path."""
    scheme, sign, after = url.partition("://")
    return scheme + sign + after[_end_of_user(after) :]


def _end_of_user(word: str) -> int:
    """How long the user info with its `@` is; 0 where there is none."""
    authority = word.partition("/")[0]
    standard = authority.rfind("@") + 1
    last = word.rfind("@") + 1
    if last == standard:
        return standard
    odd = bool(_NO_PORT.match(authority)) if not standard else not _HOST.match(word, standard)
    if odd:
        return standard if standard and _REVISION.fullmatch(word, last) else last
    # user info that ends in the first part, or a port: only a host can be behind a later one
    bare = word[:last].partition("?")[0]
    sure = ":" in authority and _HOST.match(word, last) and bare[-2:-1] not in ("", "/")
    return last if sure and len(bare) == last else standard


# Addresses that are secrets as a whole.
_HOOK = re.compile(
    r"(?i)(?<=//|.@)((?:hooks?\.[\w.-]{1,100}+|(?:\w{1,40}\.)?discord(?:app)?\.com/api/webhooks"
    r"|[\w-]{0,60}\.?webhook\.office\.com|outlook\.office(?:365)?\.com/webhook|hc-ping\.com"
    r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook|maker\.ifttt\.com/trigger)/"
    r"|[\w.-]{1,100}+/bot(?=\d{6,12}:))([^\s'\"?#]++)"
)


def without_hooks(text: str) -> str:
    """A text in which of the addresses of webhooks only the host is left."""
    return _HOOK.sub(rf"\1{REDACTED}", text)
