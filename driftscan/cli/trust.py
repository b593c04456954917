"""`driftscan trust`: a host's key is looked at, and added to known_hosts on purpose."""

import sys
from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Hosts
from driftscan.errors import InputError

if TYPE_CHECKING:
    from driftscan.machines.trusting import Offer
    from driftscan.model import Target

INCOMPLETE = 3


def _fingerprints(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    for word in words:
        if not word.startswith("SHA256:") or len(word.rstrip("=")) != 50:
            raise click.BadParameter(f"{word!r}: write it as `ssh-keygen -l` does, SHA256:...")
    return tuple(word.rstrip("=") for word in words)


@click.command("trust", cls=options.Configured)
@click.argument(
    "targets", nargs=-1, required=True, metavar="TARGET...", shell_complete=completing.targets
)
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="SHA256:...",
    callback=_fingerprints,
    help="Add a key only if it is this one; may be given several times. Nothing is asked.",
)
@click.option("-y", "--yes", is_flag=True, help="Add whatever key is shown. Nothing is asked.")
@click.option(
    "--replace", is_flag=True, help="Also where another key is known: that one is taken out."
)
@options.hosts
def command(
    targets: tuple[str, ...],
    fingerprints: tuple[str, ...],
    yes: bool,
    replace: bool,
    hosts: Hosts,
) -> int:
    """Show a host's key and add it to known_hosts.

    Connects to the key exchange and no further, and to each jump host on the way, whose key comes
    first. Compare the fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the
    host's console: until then it is only the key of whoever answers. Exit code 3 tells that a key
    was not added.
    """
    from driftscan.cli import asking as words

    if yes and fingerprints:
        raise InputError("give --yes or --fingerprint, not both")
    wanted = words.named(targets, hosts)
    strange = [target.name for target in wanted if target.road not in ("ssh", "openssh")]
    if strange:
        raise InputError(f"{strange[0]} is not reached by SSH: it has no host key")
    answer = _Answer(fingerprints, yes=yes, replace=replace)
    trusted = [_trusted(target, answer) for target in wanted]
    return 0 if all(trusted) else INCOMPLETE


class _Answer:
    """What the user says to a key: on the command line, or on the terminal when asked."""

    def __init__(self, fingerprints: tuple[str, ...], *, yes: bool, replace: bool) -> None:
        self.replace = replace
        self._fingerprints = fingerprints
        self._yes = yes

    def refusal(self, found: "Offer") -> str:
        """Why the key is not added; nothing if it is."""
        if found.verdict.state == "revoked":
            return f"this key is revoked by {found.verdict.file}:{found.verdict.line}"
        if found.verdict.state == "mismatch" and not self.replace:
            place = f"{found.verdict.file}:{found.verdict.line}"
            return f"another key is known ({place}): ask who runs the host, then use --replace"
        if self._fingerprints:
            other = "its fingerprint is not the one you gave"
            return "" if found.fingerprint in self._fingerprints else other
        if self._yes:
            return ""
        if not sys.stdin.isatty():
            return "nobody can be asked here: give its --fingerprint, or --yes"
        return "" if click.confirm("Add this key?", err=True) else "you said no"


def _trusted(target: "Target", answer: _Answer) -> bool:
    """Whether every machine on the way to the target, and itself, is trusted now."""
    from driftscan.cli import faults
    from driftscan.errors import MachineError
    from driftscan.machines import trusting
    from driftscan.model import Limits

    try:
        for number in range(trusting.machines(target)):
            found = trusting.offer(target, number, Limits())
            if not _settled(target, found, answer):
                return False
    except MachineError as error:
        cure = f" ({error.cure})" if error.cure else ""
        faults.say(f"{target.name}: {error.state} at {error.stage}: {error.cause}{cure}")
        return False
    return True


def _settled(target: "Target", found: "Offer", answer: _Answer) -> bool:
    from driftscan.cli import faults
    from driftscan.cli.telling import out
    from driftscan.machines import trusting
    from driftscan.sanitize import inert

    behind = "" if found.hop.name == target.name else f"for {target.name}: "
    if found.verdict.state == "ok":
        place = f"{found.verdict.file}:{found.verdict.line}"
        faults.say(f"{behind}{found.stored_as} is known already, by {place}")
        return True
    shown = (
        f"{behind}{found.hop.name} at {found.hop.address} port {found.hop.port} shows",
        f"  {found.type} {found.fingerprint}",
        f"  known as {found.stored_as} in {found.file}",
    )
    out("".join(f"{inert(line)}\n" for line in shown))
    refusal = answer.refusal(found)
    if refusal:
        faults.say(f"{found.stored_as} was not added: {refusal}")
        return False
    trusting.add(found, replace=answer.replace)
    faults.say(f"{found.stored_as} was added to {found.file}")
    return True
