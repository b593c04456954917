"""Configuration files of rpm's packages that are not as shipped, as rpm itself verifies them.

It runs as nobody where it could write; what nobody may not read is summed by the account that asks.
The sections are those of `conffiles`, and so is the form of the answer.
"""

from collections.abc import Mapping

from driftscan.model import Raw, Section, Shell
from driftscan.probes import conffiles, rpm
from driftscan.probes.contract import About
from driftscan.probes.twins import rpm as twin

NAME = "rpm-conffiles"
_BODY = (
    rpm.FOUND
    + rpm.AS_NOBODY
    + r"""
[ -r "$db" ] || { printf 'denied %s\n' "$db"; return 0; }
# rpm(8), VERIFY OPTIONS: the third mark is the sum, `?` what could not be read, `c` configuration.
verified=$({ as_nobody -Va @OPTION@--nodeps --noscripts 2>&1; echo "ended $?"; } | sed -n \
  @ONLY@-e 's,^missing@MARK@\(/.*\) (Permission denied)$,unread \1,p' -e 's,^error: .*,failed,p' \
  -e 's,^missing@MARK@\(/.*\),missing \1,p' -e 's,^..5[^ ]*@MARK@\(/.*\),edited \1,p' \
  -e 's,^[^ ]*?[^ ]*@MARK@\(/.*\),unread \1,p' -e 's,^ended 137$,@CUT@,p' \
  -e 's,^ended 12[67]$,failed,p')
case $NL$verified$NL in *"${NL}failed$NL"*) echo 'have no rpm'; return 0 ;; esac
echo 'have rpm'
[ -n "$verified" ] || return 0
printf '%s\n' "$verified" | grep '^missing '
set -f
IFS=$NL
edited=
set --
for f in $verified; do
  if [ "$f" = 'cut /' ]; then echo cut; continue; fi
  p=${f#* }
  set -- "$@" "$p"
  case $f in missing*) continue ;; esac
  if ! [ -r "$p" ]; then printf 'closed %s\n' "$p"; continue; fi
  case $f in edited*) edited=$edited$p$NL ;; esac
  for s in rpmnew rpmsave rpmorig; do
    if [ -e "$p.$s" ]; then printf 'beside %s\n' "$p.$s"; fi
  done
done
listed=$(as_nobody -qf --qf '[%{=NAME}.%{=ARCH} %{FILEDIGESTS}  %{FILENAMES}\n]' -- "$@")
for p in "$@"; do
  l=$(printf '%s\n' "$listed" | grep -F -- "  $p" | grep -v '^[^ ]*   ')
  for l in $l; do
    [ "${l#*  }" = "$p" ] || continue
    printf 'of %s\n' "$l"
    case $edited in *"$p$NL"*) continue ;; esac
    [ -r "$p" ] || continue
    l=${l#* }
    case ${l%%  *} in
      ????????????????????????????????) s=$(md5sum -- "$p") ;;
      *) s=$(sha256sum -- "$p") ;;
    esac
    [ "$s" = "$l" ] || edited=$edited$p$NL
  done
done
[ -n "$edited" ] || return 0
md5sum -- $edited | sed 's/^/is /'
stat -L -c 'stat %Y %u %n' -- $edited
"""
)
# Not configuration, which the mark `c` tells, nor what is only named (`g`); documentation (`d`)
# may be missing. The marks that are left are taken away.
_OTHERS = r"""-e '/^[^ ]*  *[cg]  *\//d' -e '/^missing  *d  *\//d' \
  -e 's,^\([^ ]*\)  *[a-z]  *\(/\),\1  \2,' \
  """


def body(*, configuration: bool) -> str:
    """The question about the configuration files of rpm's packages, or about all others."""
    option, only, mark, cut = "--configfiles ", "", "  *c  *", "failed"
    if not configuration:
        option, only, mark, cut = "", _OTHERS, "  *", "cut /"
    text = _BODY.replace("@OPTION@", option).replace("@ONLY@", only).replace("@MARK@", mark)
    return text.replace("@CUT@", cut)


ASK = (Shell("edited", body(configuration=True), twin.conffiles),)
GIVES = (
    About(
        "conffiles",
        "facts",
        "path, of those that are not as shipped",
        "state (edited or missing), package, sum (md5, of an edited one)",
        privilege="any user, of files that it may read",
        cost="as rpm, and 1 ms for each MB of configuration",
    ),
    About(
        "conffile-times",
        "evidence",
        "as conffiles",
        "changed (seconds since 1970), uid, beside (what an upgrade left there)",
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """Both sections; raises ParseError for a line that the question cannot print."""
    return conffiles.parse(raw)
