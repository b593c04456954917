"""Questions -> one sh script; `framing` reads its answer.

The script only reads. It runs in dash, bash, busybox ash and zsh through `sh -s`, writes no file,
needs no tool beyond POSIX's and stat, tells which of them are missing, and ends itself by its own
watchdog when the connection is lost.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from driftscan.framing import BEGIN
from driftscan.model import (
    FILE_LIMIT,
    OUTPUT_LIMIT,
    Files,
    Lines,
    Question,
    Questions,
    Scope,
    Shell,
    Stats,
)
from driftscan.probes.contract import Asks

_HEAD = r"""main() {
[ -n "${ZSH_VERSION:-}" ] && emulate sh
unset ENV BASH_ENV CDPATH GREP_OPTIONS POSIXLY_CORRECT
session_path=${PATH:-}
LC_ALL=C LANG=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
QUOTING_STYLE=literal HOME=/nonexistent
export LC_ALL LANG PATH QUOTING_STYLE HOME
umask 077
set -u
lacking=
for tool in @TOOLS@; do command -v "$tool" >/dev/null || lacking="$lacking $tool"; done
case " $lacking " in
  *' sed '* | *' head '*) echo "this machine lacks$lacking" >&2; exit 127 ;;
esac
N=@NONCE@
NL='
'
# What a question's processes have done so far, and their ids. The one below this shell only waits
# for them, and a sed below that one for what they say.
at_work() {
  cat /proc/[0-9]*/stat | awk -v shell="$$" -v watch="$self" '
    { p = $1; is[p] = $2; sub(/.*[)] /, ""); up[p] = $2; did[p] = $8 + $10 + $12 + $13 }
    END {
      for (p in up) {
        n = 0
        for (q = p; (q in up) && q != shell && q != watch && n < 50; q = up[q]) n++
        if (q != shell || !n) continue
        work += did[p]
        sum += p
        if (n == 1) waits = waits " " p
        else if (n > 2 || is[p] != "(sed)") {
          below[n] = below[n] " " p
          if (n > deepest) deepest = n
        }
      }
      # A shell before what it waits for, or it goes on when that has ended.
      for (n = 2; n <= deepest; n++) works = works below[n]
      print work "-" sum (works ? works : waits)
    }'
}
# Ends a question whose processes do nothing at all for a while, as a pipe or a file system makes
# them wait; and everything of this session if the other side has gone. Its sleep is ended by KILL:
# a TERM is lost in a child that has just been forked, and this would be waited for all that time.
# The end of the connection may come at once: it is born deaf to it.
trap '' HUP
( command -v sleep >/dev/null || exit 0
  trap 'kill -KILL $!; wait $!; exit 0' TERM
  self='' before='' idle=0 left=@DEADLINE@
  limit=$((left / 5))
  limit=$((limit > 20 ? 20 : limit < 4 ? 4 : limit))
  if [ -r /proc/self/stat ]; then read -r self _ </proc/self/stat; fi
  while [ "$left" -gt 0 ]; do
    step=$((left < 2 ? left : 2))
    sleep "$step" &
    wait $!
    left=$((left - step))
    [ -n "$self" ] || continue
    now=$(at_work)
    if [ "${now%% *}" = "$before" ]; then idle=$((idle + step)); else idle=0; fi
    before=${now%% *}
    case $now in *' '*) [ "$idle" -lt "$limit" ] || { idle=0; kill -KILL ${now#* }; } ;; esac
  done
  trap '' TERM
  kill -TERM 0
  sleep 2
  kill -KILL 0
) </dev/null >/dev/null 2>&1 &
watchdog=$!
trap - HUP
command -v renice >/dev/null && renice -n 10 -p $$ >/dev/null 2>&1
exec 4>&1

say() { printf '%s %s\n' "$N" "$*"; }

# payload COMMAND...: its output with a space before each line, then its exit status.
payload() {
  rc=$( exec 2>/dev/null # where a shell says who was killed
    { { "$@" 3>&- 4>&- 2>/dev/null </dev/null; echo $? >&3; } | sed 's/^/ /' >&4; } 3>&1 )
  printf '\n%s . %s\n' "$N" "${rc:-@STOPPED@}"
}

# of_files COMMAND... -- FILE...: the command with those of them that are regular files: to open a
# pipe would wait for somebody who writes to it.
of_files() {
  files='' odd=''
  for f in "$@"; do
    case $files:$f in :--) files=1 ;; 1:*) [ -f "$f" ] || odd=1 ;; esac
  done
  if [ -z "$odd" ]; then "$@"; return; fi
  files=''
  for f in "$@"; do
    shift
    case $files:$f in :--) files=1 ;; 1:*) [ -f "$f" ] || continue ;; esac
    set -- "$@" "$f"
  done
  "$@"
}

# What needs no look has an empty answer: to start two programs for it would cost 2 ms.
nothing() { printf '\n%s . 0\n' "$N"; }

gap() { case $2 in *"$NL"*) ;; *) say "! $1 $2" ;; esac; }

# lacks TOOLS DIRECTORY...: tells which of them are missing, if a directory to look at is there.
lacks() {
  [ -n "$lacking" ] || return 0
  tools=$1
  shift
  for d in "$@"; do
    [ -d "$d" ] || continue
    for tool in $tools; do
      case "$lacking " in *" $tool "*) say "! lacks $tool" ;; esac
    done
    return 0
  done
}

# A directory that is there but closed to this account hides what is in it.
closed() {
  [ -d "$2" ] || return 0
  if ! [ -x "$2" ] || { [ "$1" = list ] && ! [ -r "$2" ]; }; then gap denied "$2"; fi
}

unpacked() { gzip -dc -- "$1" | head -c @FILE@; }

# A link into the kernel's own files, whose size is 0: some never end (/proc/kmsg).
leads_away() { case $(readlink -f "$1" 2> /dev/null) in /proc/* | /sys/*) ;; *) return 1 ;; esac; }

# files PATH...: globs that the shell has already expanded.
files() {
  for f in "$@"; do
    [ -e "$f" ] || continue
    case $f in *"$NL"*) continue ;; esac
    if [ -d "$f" ]; then continue; fi
    if ! [ -f "$f" ] || { [ -L "$f" ] && ! [ -s "$f" ] && leads_away "$f"; }; then
      gap special "$f"
      continue
    fi
    if ! [ -r "$f" ]; then gap denied "$f"; continue; fi
    say "F $f"
    case $f in
      *.gz) payload unpacked "$f" ;;
      *) payload head -c @FILE@ "$f" ;;
    esac
  done
}

# matching -H|-h PATTERN REGEX DIRECTORY...: the matching lines of files named so in them.
matching() {
  flag=$1 pattern=$2 regex=$3
  shift 3
  # One that is there is enough to go on: picking out all of 600 would cost 170 ms.
  for d in "$@"; do if [ -d "$d" ]; then payload matches "$@"; return 0; fi; done
  nothing
}

matches() {
  find -H "$@" -mindepth 1 -maxdepth 1 -type f -name "$pattern" \
    -exec grep "$flag" -s -E -e "$regex" '{}' + | head -c @OUTPUT@
}

# stats PATTERN DIRECTORY...: what stat(1) tells of what is named so in them.
stats() {
  pattern=$1
  shift
  for d in "$@"; do
    shift
    if [ -d "$d" ]; then set -- "$@" "$d"; fi
  done
  if [ $# -eq 0 ]; then nothing; else payload statted "$@"; fi
}

statted() {
  find -H "$@" -maxdepth 1 -name "$pattern" \
    -exec stat -c '%Y %f %u %g %s %n' '{}' + | head -c @OUTPUT@
}
"""

_TAIL = """
say END
# waited for, or a container whose first process is no init keeps it as a zombie
kill "$watchdog" 2>/dev/null
wait "$watchdog" 2>/dev/null
return 0
}
main </dev/null
exit $?
"""

NONCE, DEADLINE = "@NONCE@", "@DEADLINE@"
START = "main </dev/null"
# What every machine has, and small images still lack: without the first two there is no answer,
# without another the questions that need it have none.
_TOOLS = ("sed", "head", "find", "grep", "stat", "awk", "sort", "readlink", "ls", "cut", "tr")
_GLOB = re.compile(r"/[A-Za-z0-9_./*?\[\]@+~:-]*")
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_WILD = re.compile(r"[*?\[]")
STOPPED = 137
"""The status of what was ended: by the script's own watchdog, or for want of memory."""


def questions(
    probes: Iterable[Asks],
    *,
    deadline: float,
    nonce: str = "",
    installed: bool = False,
    text: str = "",
    scope: Scope = Scope(),  # noqa: B008 - frozen
) -> Questions:
    """All questions of the probes as one trip; `deadline` seconds bound the script's own life.

    Without a nonce a new one is made: 128 random bits, so no content on a host can hold it.
    `installed` tells that a collector (`collector.text`) has these questions and needs an order.
    `text` is their `template`, which costs 20 ms, for who asks many machines the same. `scope` is
    what the probes were made for.
    """
    probes = list(probes)
    nonce = nonce or secrets.token_hex(16)
    asked = tuple((probe.NAME, question) for probe in probes for question in probe.ASK)
    text = text or template(probes)
    text = text.replace(NONCE, nonce).replace(DEADLINE, str(int(deadline)))
    order = f"driftscan {nonce} {int(deadline)}\n" if installed else ""
    return Questions(asked, text, nonce, order, scope)


def template(probes: Iterable[Asks], marks: Mapping[str, str] = MappingProxyType({})) -> str:
    """The script with NONCE and DEADLINE still open; `marks` stand after the names of probes."""
    probes = list(probes)
    parts = [_HEAD]
    parts += [
        _function(probe.NAME, ask)
        for probe in probes
        for ask in probe.ASK
        if isinstance(ask, Shell)
    ]
    parts.append(f'say "{BEGIN}"')
    for probe in probes:
        mark = marks.get(probe.NAME, "")
        parts.append(f'say "S {_checked(_NAME, probe.NAME)}{mark}"')
        parts += [_call(probe.NAME, ask) for ask in probe.ASK]
    text = "\n".join(parts) + _TAIL
    text = text.replace("@TOOLS@", " ".join(_TOOLS))
    text = text.replace("@STOPPED@", str(STOPPED))
    return text.replace("@FILE@", str(FILE_LIMIT)).replace("@OUTPUT@", str(OUTPUT_LIMIT))


def _checked(form: re.Pattern[str], text: str) -> str:
    if form.fullmatch(text) is None:
        raise ValueError(f"not fit for the script: {text!r}")
    return text


def _quoted(text: str) -> str:
    if "'" in text or "\n" in text:
        raise ValueError(f"not fit for the script: {text!r}")
    return f"'{text}'"


def _function(probe: str, ask: Shell) -> str:
    return f"{_function_name(probe, ask)}() {{\n{ask.body.strip()}\n}}\n"


def _function_name(probe: str, ask: Shell) -> str:
    return f"q_{_checked(_NAME, probe)}_{_checked(_NAME, ask.name)}".replace("-", "_")


def _call(probe: str, ask: Question) -> str:
    match ask:
        case Files(globs=globs):
            return _closed(glob.rsplit("/", 1) for glob in globs) + "files " + _globs(globs)
        case Lines(name=name, directories=places, pattern=pattern, regex=regex, path=path):
            flag = "-H" if path else "-h"
            words = f"{flag} {_quoted(pattern)} {_quoted(regex)} {_globs(places)}"
            closed = _closed([place, "*"] for place in places)
            lacks = f"lacks 'find grep' {_globs(places)}\n"
            return f'{closed}{lacks}say "C {_checked(_NAME, name)}"\nmatching {words}'
        case Stats(name=name, directories=places, pattern=pattern):
            words = f"{_quoted(pattern)} {_globs(places)}"
            closed = _closed([place, "*"] for place in places)
            lacks = f"lacks 'find stat' {_globs(places)}\n"
            return f'{closed}{lacks}say "C {_checked(_NAME, name)}"\nstats {words}'
        case Shell(name=name, body=body):
            tools = [tool for tool in _TOOLS[2:] if _unguarded(tool, body)]
            lacks = f"lacks '{' '.join(tools)}' /\n" if tools else ""
            return f'{lacks}say "C {name}"\npayload {_function_name(probe, ask)}'


def _unguarded(tool: str, body: str) -> bool:
    """Whether a question runs the tool without asking first whether it is there."""
    word = rf"(?<![\w./-]){tool}(?![\w./=-])"
    return bool(re.search(word, body)) and f"command -v {tool}" not in body


def _globs(globs: Sequence[str]) -> str:
    return " ".join(_checked(_GLOB, glob) for glob in globs)


def _closed(parts: Iterable[list[str]]) -> str:
    """Checks of the directories that are written out; those behind a wildcard cannot be named."""
    modes: dict[str, str] = {}
    for directory, pattern in parts:
        if directory and not _WILD.search(directory):
            wild = _WILD.search(pattern) is not None
            modes[directory] = "list" if wild else modes.get(directory, "enter")
    return "".join(f"closed {mode} {place}\n" for place, mode in modes.items())
