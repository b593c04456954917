"""Where variables are set: one question for /etc/environment, login.defs, profiles and units."""

import re
from collections.abc import Iterable

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import Shell
from driftscan.probes import profiles
from driftscan.probes.twins import settings as twin

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH where nothing sets another: what systemd (systemd.exec(5)) and Docker give."""

LIMIT = 4 << 20

# grep and find say themselves what they could not read. The administrator's unit files are listed
# as well, for they hide packaged ones even if they set nothing, and where links among them lead.
BODY = r"""
settings() {
  {
    of_files grep -H ^ -- /etc/environment /etc/profile /etc/profile.d/*.sh
    of_files grep -HE '^[[:space:]]*ENV_(SU)?PATH[[:space:]]' -- /etc/login.defs
    set --
    for d in /lib/systemd/system /usr/lib/systemd/system /usr/local/lib/systemd/system \
      /etc/systemd/system; do
      # On most systems /lib is a link to /usr/lib: looked at once.
      case $d in /lib/*) [ ! -h /lib ] || continue ;; esac
      if [ -d "$d" ]; then set -- "$@" "$d"; fi
    done
    [ $# -eq 0 ] || find -H "$@" -maxdepth 2 '(' -name '*.wants' -o -name '*.requires' ')' -prune \
      -o '(' -name '*.service' -o -path '*.service.d/*.conf' ')' \
        '(' -type f -o -type l '(' -path '/etc/*' -o -path '/usr/local/*' ')' ')' \
        -exec grep -HE -e '^[[:space:]]*(Unset)?Environment(File)?[[:space:]]*=' \
          -e '\\$' -e '^[[:space:]"'\'']' '{}' + \
        '(' -path '/etc/*' -o -path '/usr/local/*' ')' -exec ls -lnd '{}' +
  } 2>&1 | head -c @LIMIT@
}
""".replace("@LIMIT@", str(LIMIT))

ASK = Shell("settings", BODY + "settings\n", twin.read)

_LINE = re.compile(
    r"(?P<file>/etc/(?:environment|profile|login\.defs|profile\.d/.{1,255}?\.sh)"
    r"|/.{1,4096}?\.(?:service|conf)):(?P<line>.*)"
    r"|(?:grep|find): '?(?P<not_read>/.*?)'?: (?P<why>[A-Z][A-Za-z ]{1,60})"
    r"|[l-][a-zA-Z.@+-]{9,11} .*? (?P<own>/(?:etc|usr/local)/.*?)(?: -> (?P<target>.*))?"
)


class Settings(Struct):
    """What is written where: the lines by file, and what could not be read."""

    files: dict[str, list[str]]
    units: dict[str, list[str]]
    gaps: list[str]


def read(lines: Iterable[str]) -> Settings:
    """The answer to `settings`. Raises ParseError for a line that it cannot have printed."""
    found = Settings({}, {}, [])
    own: dict[str, str | None] = {}
    size = 0
    for line in lines:
        size += len(line) + 1
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'path:line', got {line!r}")
        if match["file"]:
            unit = match["file"].endswith((".service", ".conf"))
            place = found.units if unit else found.files
            place.setdefault(match["file"], []).append(match["line"])
        elif match["own"]:
            own[match["own"]] = match["target"]
        elif match["why"] != "No such file or directory":
            found.gaps.append(f"{match['not_read']}: {match['why'].lower()}")
    if size >= LIMIT - 1:
        found.gaps.append("settings: larger than the limit, the rest was not read")
    _follow(found.units, own)
    return found


def _follow(units: dict[str, list[str]], own: dict[str, str | None]) -> None:
    """The administrator's files: plain ones; links to a file of that name (linked), to another
    (an alias, which is no unit of its own), or to /dev/null (masked, hides a packaged one)."""
    for path, target in own.items():
        if target == "/dev/null" or path not in units:
            units[path] = []
        if target and target.rpartition("/")[2] not in ("null", path.rpartition("/")[2]):
            del units[path]


# --- /etc/environment and logins ---------------------------------------------------------------

_PAM_NAME = re.compile(r"[A-Za-z0-9_]{1,256}")
_LOGIN = re.compile(r"[ \t]*(ENV_PATH|ENV_SUPATH)[ \t]+(?:PATH=)?\"?([^\s\"#]+).*")


def pam_env(settings: Settings) -> dict[str, str]:
    """What pam_env(8) sets from /etc/environment, by the rules of its `_parse_env_file`.

    `export ` is dropped, `#` ends a line even between quotes, blanks at the end stay, a quote is
    taken off at either end of the value, a name without `=` unsets. Lines with any other name
    pam_env refuses, too.
    """
    found: dict[str, str] = {}
    for line in settings.files.get("/etc/environment", []):
        text = line.lstrip(" \t").removeprefix("export ").partition("#")[0]
        name, equals, value = text.partition("=")
        if _PAM_NAME.fullmatch(name) is None:
            continue
        if not equals:
            found.pop(name, None)
        elif value.startswith(("'", '"')):
            found[name] = value[1:-1] if value[1:].endswith(("'", '"')) else value[1:]
        else:
            found[name] = value
    return found


def login_path(settings: Settings, root: bool) -> tuple[str, list[str]]:
    """The PATH of a login shell, and the places that may change it and cannot be evaluated.

    In the order in which a login gets it: login.defs(5) (ENV_PATH, or ENV_SUPATH for root), then
    PAM's /etc/environment, then the shell's /etc/profile and, where that reads them, profile.d.
    Debian's /etc/profile sets it for everybody: there the other two count for nothing.
    """
    name = "ENV_SUPATH" if root else "ENV_PATH"
    lines = map(_LOGIN.fullmatch, settings.files.get("/etc/login.defs", []))
    defined = [match[2] for match in lines if match and match[1] == name]
    path = pam_env(settings).get("PATH") or (defined[-1] if defined else SYSTEM_PATH)
    skipped: list[str] = []
    for place, step in profile(settings):
        if step.name != "PATH" or step.value is None:
            continue
        value = step.value.replace("${PATH}", path).replace("$PATH", path)
        if step.when == "unknown" or "$" in value:
            skipped.append(f"{place} PATH")
        elif step.when in ("everyone", "root" if root else "others"):
            path = value
    return path, skipped


def login_variables(settings: Settings) -> tuple[dict[str, str], list[str]]:
    """What every login shell exports, as written; and the places that cannot be evaluated.

    PATH is left out: it has a section of its own.
    """
    values: dict[str, str] = {}
    exported = set(pam_env(settings))
    skipped: list[str] = []
    for place, step in profile(settings):
        if step.when == "unknown" and (step.exported or step.name == "PATH"):
            skipped.append(f"{place} {step.name}")
        if step.when != "everyone" or step.name == "PATH":
            continue
        if step.exported:
            exported.add(step.name)
        if step.value is not None:
            values[step.name] = step.value
        elif not step.exported:
            values.pop(step.name, None)
    return {name: values[name] for name in values if name in exported}, skipped


def profile(settings: Settings) -> list[tuple[str, profiles.Step]]:
    """The steps of /etc/profile and, if it mentions them, of profile.d, each with `file:line`."""
    main = settings.files.get("/etc/profile", [])
    order = ["/etc/profile"]
    if any("profile.d" in line for line in main):
        order += sorted(path for path in settings.files if path.startswith("/etc/profile.d/"))
    return [
        (f"{path}:{step.line}", step)
        for path in order
        for step in profiles.steps(settings.files.get(path, []))
    ]
