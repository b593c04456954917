"""The road over SSH: one session, one script, every key checked, never longer than the deadline."""

import math
import random
import shlex
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from driftscan import sanitize
from driftscan.errors import DriftscanError, MachineError
from driftscan.machines import agent, algorithms, answers, exhaustion, keys, known_hosts, tcp
from driftscan.machines.jumps import Jumps
from driftscan.machines.known_hosts import KnownHosts
from driftscan.machines.openssh_config import OTHER_ROAD, Hop, Resolver
from driftscan.machines.trip import TransientError, Trip
from driftscan.model import Answer, Limits, Questions, Target

if TYPE_CHECKING:  # paramiko costs 200 ms: it is imported where the first host is asked
    from driftscan.machines.wire import HostKey, Login, Wire

PER_JUMP = 8
_ATTEMPTS = 3
_WAIT = (1.0, 5.0)
_KEYS_SECONDS = 5.0
_CONFIG_SECONDS = 6.0

Kept = TypeVar("Kept")
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Ssh:
    """A host reached by SSH, as the target names it; credentials are shared by all hosts."""

    target: Target
    credentials: "Credentials"

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The host's whole answer; see machines/contract.py. Leaves no thread and no socket."""
        began = time.monotonic()
        *jumps, _ = self.credentials.resolver.route(self.target, limits.deadline)
        spent = time.monotonic() - began
        with (
            self.credentials.jumps.place(jumps),
            self.credentials.trip(limits.deadline, spent) as trip,
        ):
            try:
                return self._ask(trip, questions, limits)
            except MachineError as error:
                raise (trip.error() if trip.ended else error) from error
            except Exception as error:
                raise (trip.error() if trip.ended else _ours(error, trip.stage)) from error

    def _ask(self, trip: Trip, questions: Questions, limits: Limits) -> Answer:
        attempt = 1
        while True:
            try:
                return self._attempt(trip, questions, limits)
            except TransientError as error:
                trip.close()
                wait = random.uniform(*_WAIT)  # noqa: S311 - spreads a fleet's second attempts
                if attempt >= min(error.most, _ATTEMPTS) or wait >= trip.left():
                    cause = f"{error.cause} (attempts: {attempt})"
                    raise MachineError(error.state, error.stage, cause, error.cure) from error
                trip.pause(wait)
                attempt += 1

    def _attempt(self, trip: Trip, questions: Questions, limits: Limits) -> Answer:
        trip.enter("config", _CONFIG_SECONDS)
        text = answers.text(self.target, questions)
        *jumps, last = self.credentials.resolver.route(self.target, trip.left())
        wire: Wire | None = None
        for hop in jumps:
            with self.credentials.jumps.crossing(trip, hop):
                wire = self._connect(trip, hop, wire, limits)
        wire = self._connect(
            trip, last, wire, limits, "".join(f"via {hop.name}: " for hop in jumps[-1:])
        )
        end = answers.last_line(questions)
        answer = wire.run(answers.command(self.target), text, end, limits)
        return answers.judged(answer, questions, self.target)

    def greeted(self, number: int, limits: Limits) -> "tuple[Hop, HostKey, str]":
        """The hop of that number, the key it shows, whatever is known of it, and its fingerprint.

        Logs in to the hops before it, and to nothing there. Raises MachineError.
        """
        from driftscan.machines.wire import fingerprint

        with self.credentials.trip(limits.deadline) as trip:
            try:
                trip.enter("config", _CONFIG_SECONDS)
                hops = self.credentials.resolver.route(self.target, trip.left())
                wire: Wire | None = None
                for hop in hops[:number]:
                    with self.credentials.jumps.crossing(trip, hop):
                        wire = self._connect(trip, hop, wire, limits)
                trip.enter("keys", limits.login)
                files = hops[number].known_hosts
                known = trip.unstoppable("keys", lambda: self.credentials.known_hosts(files))
                _, key = self._greet(trip, hops[number], wire, limits, known)
                return hops[number], key, fingerprint(key.blob)
            except MachineError as error:
                raise (trip.error() if trip.ended else error) from error
            except Exception as error:
                raise (trip.error() if trip.ended else _ours(error, trip.stage)) from error

    def _connect(
        self, trip: Trip, hop: Hop, before: "Wire | None", limits: Limits, via: str = ""
    ) -> "Wire":
        """A wire to the next hop, its key checked and ourselves let in."""
        # before anything connects: what is wrong with our own files is not the host's fault
        trip.enter("keys", limits.login)
        found = trip.unstoppable("keys", lambda: self.credentials.logins(hop, trip))
        logins = algorithms.accepted(hop, found)
        known = trip.unstoppable("keys", lambda: self.credentials.known_hosts(hop.known_hosts))
        wire, key = self._greet(trip, hop, before, limits, known, via)
        trust(hop, known, key, self.target.name)
        trip.enter("login", limits.login)
        wire.login(hop.user, logins)
        return wire

    def _greet(
        self,
        trip: Trip,
        hop: Hop,
        before: "Wire | None",
        limits: Limits,
        known: KnownHosts,
        via: str = "",
    ) -> "tuple[Wire, HostKey]":
        """A wire to the next hop and the key it has proven to hold, not yet trusted."""
        from driftscan.machines.wire import Wire, offers

        offered = offers(hop, known.known_types(*hop.known_as))
        if before is None:
            wire = Wire(
                trip, tcp.dial(trip, hop.address, hop.port, limits, hop.family), limits.output
            )
        else:
            with _named(via):
                tunnel = before.tunnel(hop.address, hop.port, limits.connect)
            wire = Wire(trip, tunnel, limits.output)
        return wire, wire.handshake(hop, offered, limits.handshake)


class Credentials:
    """What the hosts of a run share: keys, agents and known hosts, read once; and their trips.

    `ssh_config` is read in place of the user's own; `agent` in place of SSH_AUTH_SOCK. `per_jump`
    hosts at once go through one jump host; none waits for that longer than `until`.
    """

    def __init__(
        self,
        *,
        ssh_config: Path | None = None,
        agent: str | None = None,
        per_jump: int = PER_JUMP,
        until: float = math.inf,
    ) -> None:
        self.resolver = Resolver(ssh_config, agent)
        self.jumps = Jumps(per_jump, until)
        self._files: _Once[Path, keys.KeyFile] = _Once()
        self._keys: _Once[Path, Login] = _Once()
        self._agents: _Once[str, tuple[bytes, ...]] = _Once()
        self._known: _Once[tuple[Path, ...], KnownHosts] = _Once()
        self._lock = threading.Lock()
        self._trips: set[Trip] = set()
        self._stopped = False

    @contextmanager
    def trip(self, seconds: float, spent: float = 0.0) -> Iterator[Trip]:
        """A trip that `close_all` can end."""
        with Trip(seconds, spent) as trip:
            with self._lock:
                self._trips.add(trip)
                stopped = self._stopped
            try:
                if stopped:
                    trip.end("interrupted")
                yield trip
            finally:
                with self._lock:
                    self._trips.discard(trip)

    def close_all(self) -> None:
        """End every trip, now and from now on, from any thread: for Ctrl-C."""
        with self._lock:
            self._stopped = True
            self.jumps.stopped.set()
            self.resolver.close()
            trips = list(self._trips)
        for trip in trips:
            trip.end("interrupted")

    def known_hosts(self, paths: tuple[Path, ...]) -> KnownHosts:
        """The files' keys; raises MachineError when one cannot be read."""
        return self._known.get(paths, lambda: _known_hosts(paths))

    def logins(self, hop: Hop, trip: Trip) -> "list[Login]":
        """The keys to try there, best first. Where keys were chosen no other one is shown.

        Raises MachineError `key_unusable` when there is none, with what is wrong with each.
        """
        held, silent = self._held(hop.agent)
        found: list[Login] = []
        wrong: list[MachineError] = []
        if not hop.chosen and not hop.only_files:
            found += [agent.AgentKey(hop.agent, blob, trip.hold) for blob in held]
        for path in hop.keys:
            try:
                found.append(self._login(path, hop.agent, held, trip))
            except MachineError as error:
                wrong.append(error)
        if found:
            return found
        if hop.chosen:
            raise wrong[0]
        raise silent or MachineError(
            "key_unusable",
            "keys",
            "there is no key to log in with: no agent holds one, and ~/.ssh has none",
            "name one (`key:` in the inventory), or start an ssh-agent and ssh-add it",
        )

    def unusable(self, targets: Iterable[Target]) -> MachineError | None:
        """What is wrong with the first one's key, if no target has one that can be used.

        Connects to nothing, and looks no further than to the first good key.
        """
        wrong: list[MachineError] = []
        for target in targets:
            try:
                *_, hop = self.resolver.route(target, _KEYS_SECONDS)
                with Trip(_KEYS_SECONDS) as trip:
                    trip.enter("keys", _KEYS_SECONDS)
                    trip.unstoppable("keys", partial(self.logins, hop, trip))
            except MachineError as error:
                if error.state != "key_unusable":
                    return None
                wrong.append(error)
            else:
                return None
        return wrong[0] if wrong else None

    def _held(self, path: str) -> tuple[tuple[bytes, ...], MachineError | None]:
        """The agent's keys; or why it does not tell, which matters only where no file serves."""
        if not path:
            return (), None
        try:
            return self._agents.get(path, lambda: agent.identities(path)), None
        except MachineError as error:
            return (), error

    def _login(self, path: Path, socket: str, held: tuple[bytes, ...], trip: Trip) -> "Login":
        from driftscan.machines import wire

        file = self._files.get(path, lambda: keys.read(path))
        if file.public is not None and file.public in held:
            return agent.AgentKey(socket, file.public, trip.hold)
        if file.private == "absent":
            cure = "ssh-add its private key, or name that file (the one without .pub)"
            raise keys.unusable(path, "is a public key, and no agent holds its private key", cure)
        if file.private == "encrypted":
            raise keys.needs_passphrase(path)
        if file.private == "token":
            raise keys.needs_token(path)
        return self._keys.get(path, lambda: wire.load(file))


class _Once(Generic[Name, Kept]):
    """Makes each thing once, whichever thread asks first; a failure is remembered too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Name, threading.Lock] = {}
        self._kept: dict[Name, Kept | MachineError] = {}

    def get(self, name: Name, make: Callable[[], Kept]) -> Kept:
        with self._lock:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:  # one that never comes back (a dead file server) holds up nobody's other files
            if name not in self._kept:
                try:
                    self._kept[name] = make()
                except MachineError as error:
                    if full := exhaustion.told(error, error.stage):
                        raise full from error  # of this moment only
                    self._kept[name] = error
            kept = self._kept[name]
        if isinstance(kept, MachineError):
            raise MachineError(kept.state, kept.stage, kept.cause, kept.cure)
        return kept


def trust(hop: Hop, known: KnownHosts, key: "HostKey", target: str) -> None:
    """Nothing when the known_hosts files vouch for this key; else MachineError, no question.

    `target` is what the way leads to, for the command that would add the key.
    """
    from driftscan.machines.wire import fingerprint

    name, port = hop.known_as
    verdict = known.verdict(name, port, key.type, key.blob)
    if verdict.state == "ok":
        return
    shown = f"{key.type} {fingerprint(key.blob)}"
    place = f"{verdict.file}:{verdict.line}"
    file = hop.known_hosts[0] if hop.known_hosts else "~/.ssh/known_hosts"
    state, cause, cure = {
        "unknown": (
            "host_key_unknown",
            f"its key is not known: {shown}",
            "compare this fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` there,"
            f" then `driftscan trust {shlex.quote(target)}`",
        ),
        "mismatch": (
            "host_key_mismatch",
            f"its key has changed: {shown}, which is not the one in {place}",
            "somebody may be in between, or the host was reinstalled: ask who runs it, compare the"
            " fingerprint on its console, and only then"
            f" `driftscan trust --replace {shlex.quote(target)}`"
            + (f" (a certificate of it: {OTHER_ROAD})" if verdict.vouched else ""),
        ),
        "revoked": (
            "host_key_revoked",
            f"its key is revoked: {shown} by {place}",
            "do not connect; the host needs a new key",
        ),
        "certificate-authority": (
            "host_key_unknown",
            f"its key is vouched for by a certificate authority only ({place})",
            f"{OTHER_ROAD}; or add the host's own key to {file}",
        ),
    }[verdict.state]
    raise MachineError(state, "host-key", sanitize.safe(cause), sanitize.safe(cure))


def _known_hosts(paths: tuple[Path, ...]) -> KnownHosts:
    try:
        return known_hosts.load(paths)
    except DriftscanError as error:
        cure = "correct the file's mode, or name another one"
        raise MachineError("host_key_unknown", "config", str(error), cure) from error


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Failures in here name the hop they happened at."""
    try:
        yield
    except TransientError as error:
        raise TransientError(
            error.state, error.stage, place + error.cause, error.cure, error.most
        ) from error
    except MachineError as error:
        raise MachineError(error.state, error.stage, place + error.cause, error.cure) from error


def _ours(error: Exception, stage: str) -> MachineError:
    """A mistake of this program: told as such, with the line, never as the host's."""
    full = exhaustion.told(error, stage)
    if full is not None:
        return full
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = sanitize.safe(f"{type(error).__name__}: {error}")[:300]
    return MachineError(
        "internal_error",
        "",
        f"{text} (at {Path(frame.filename).name}:{frame.lineno})",
        "this is a mistake in driftscan: please report it with this line",
    )
