"""The hosts: containers of the images with a real sshd on loopback; throw-away ones for tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import engine, serve
from tests.lab.engine import Engine, container_url, host_network
from tests.lab.images import HOSTS
from tests.lab.settings import (
    PREFIX,
    RECIPES,
    RUN,
    LabError,
    cache,
    folder,
    free_port,
    need,
    run,
    say,
)

ADDRESS = "127.0.0.1"
# ptrace: maps of other accounts' processes, as on a real host; audit: sshd's pam_loginuid
CAPABILITIES = ("SYS_PTRACE", "AUDIT_CONTROL")


@dataclass(frozen=True)
class Running:
    """A container that answers on ssh."""

    name: str
    container: str
    port: int
    image: str
    group: str = "web"
    engine: Engine = field(repr=False, default_factory=engine.current)
    inventory: Path = RUN / "inventory.yml"

    def shell(self, command: str) -> str:
        """Run a command as root inside, as if at the machine; gives its output."""
        return self.engine.run(
            "exec", "-e", "DEBIAN_FRONTEND=noninteractive", self.container, "sh", "-c", command
        )

    def host_keys(self) -> list[str]:
        """Its public host keys, asked inside, not over the network."""
        return [
            " ".join(line.split()[:2])
            for line in self.shell("cat /etc/ssh/ssh_host_*_key.pub").splitlines()
        ]

    def known_hosts(self) -> list[str]:
        """Its lines for a known_hosts file."""
        return [f"[{ADDRESS}]:{self.port} {key}" for key in self.host_keys()]


def client_key() -> Path:
    """The key that the lab's accounts accept, made once for a cache."""
    path = folder(cache() / "keys") / "id_ed25519"
    if not path.exists():
        tool = need("ssh-keygen", "openssh-client", "to make the lab's client key")
        part = path.with_name(f"part-{os.getpid()}")
        run(tool, "-q", "-t", "ed25519", "-N", "", "-C", "driftscan-lab", "-f", part)
        Path(f"{part}.pub").replace(f"{path}.pub")
        part.replace(path)
    return path


def container_key(image_id: str) -> str:
    """What a running container was made from: another value means that it must be replaced."""
    text = image_id + (RECIPES / "boot.sh").read_text() + " ".join(CAPABILITIES)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_running(chosen: Engine, container: str, wanted: str) -> int | None:
    """The ssh port of the container if it runs and is of the wanted key."""
    labels = " ".join(f'{{{{index .Config.Labels "{PREFIX}.{name}"}}}}' for name in ("key", "port"))
    form = "{{.State.Running}} " + labels
    try:
        words = chosen.run("container", "inspect", "--format", form, container).split()
    except LabError:
        return None
    if len(words) == 3 and words[:2] == ["true", wanted] and greets(int(words[2])):
        return int(words[2])
    return None


def launch(
    chosen: Engine,
    name: str,
    container: str,
    image_name: str,
    first_port: int,
    proxy_port: int,
    group: str = "web",
) -> Running:
    """A container of an image with sshd on loopback: the one that runs, else a new one."""
    image_id = chosen.run("image", "inspect", "--format", "{{.Id}}", image_name).strip()
    wanted = container_key(image_id)
    port = is_running(chosen, container, wanted)
    if port is None:
        port = create(chosen, name, container, image_name, wanted, first_port, proxy_port)
        say(f"{name}: started, ssh on {ADDRESS}:{port}")
    else:
        say(f"{name}: runs, ssh on {ADDRESS}:{port}")
    host = Running(name, container, port, image_name, group, chosen)
    furnish(host, proxy_port)
    return host


def create(
    chosen: Engine,
    name: str,
    container: str,
    image_name: str,
    wanted: str,
    first_port: int,
    proxy_port: int,
) -> int:
    """Start a new container in place of whatever has its name."""
    chosen.succeeds("rm", "-f", container)
    port = free_port(first_port)
    inside = [ADDRESS, str(port)] if host_network() else ["0.0.0.0", "22"]  # noqa: S104
    argv = [
        "run",
        "--detach",
        "--name",
        container,
        "--hostname",
        name,
        "--add-host",
        f"{name}:127.0.1.1",
        *chosen.limits(),
        *chosen.network(),
    ]
    if not host_network():
        argv += ["--publish", f"{ADDRESS}:{port}:22"]
    for capability in CAPABILITIES:
        argv += ["--cap-add", capability]
    argv += [
        "--label",
        f"{PREFIX}.key={wanted}",
        "--label",
        f"{PREFIX}.port={port}",
        "--tmpfs",
        "/run:exec,mode=755",
    ]
    chosen.run(
        *argv, "--volume", f"{RECIPES}:/dev/lab:ro", image_name, "sh", "/dev/lab/boot.sh", *inside
    )
    until = time.monotonic() + 90
    while not greets(port):
        if time.monotonic() > until:
            raise LabError(
                f"{name} does not answer on {ADDRESS}:{port}: "
                f"look at `{chosen.client} logs {container}`"
            )
        time.sleep(0.1)
    return port


def furnish(host: Running, proxy_port: int) -> None:
    """What depends on this machine: the client's public key, the way to the archive."""
    public = Path(f"{client_key()}.pub").read_text()
    commands = [
        f"echo 'Acquire::http::Proxy \"{container_url(proxy_port)}\";'"
        " > /etc/apt/apt.conf.d/90lab-proxy"
    ]
    for account in ("deploy", "ops"):
        home = f"/home/{account}/.ssh"
        commands.append(f"install -d -m 700 -o {account} -g {account} {home}")
        commands.append(f"printf '%s\\n' '{public.strip()}' > {home}/authorized_keys")
        commands.append(
            f"chown {account}:{account} {home}/authorized_keys && chmod 600 {home}/authorized_keys"
        )
    host.shell("set -e; " + "; ".join(commands))


def greets(port: int) -> bool:
    """True if an ssh server greets on this loopback port."""
    try:
        with socket.create_connection((ADDRESS, port), timeout=3) as link:
            return link.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def launch_all(chosen: Engine, images: dict[str, str], proxy_port: int) -> list[Running]:
    """The hosts of these images, running."""
    return [
        launch(
            chosen,
            host.name,
            f"{PREFIX}-{host.name}",
            images[host.name],
            host.port,
            proxy_port,
            host.group,
        )
        for host in HOSTS
        if host.name in images
    ]


def containers(chosen: Engine, prefix: str = PREFIX, everything: bool = True) -> list[str]:
    """The names of the lab's containers: everything, or only what runs."""
    which = ["--all"] if everything else []
    names = chosen.run(
        "ps", *which, "--format", "{{.Names}}", "--filter", f"name={prefix}-"
    ).split()
    return sorted(name for name in names if name.startswith(f"{prefix}-"))


def remove(chosen: Engine, names: Sequence[str]) -> None:
    """Remove containers."""
    for name in names:
        chosen.run("rm", "-f", name)
        say(f"{name}: removed")


def running() -> list[Running]:
    """The lab's hosts that run now."""
    chosen = engine.current()
    found = []
    present = set(containers(chosen, everything=False))
    for host in HOSTS:
        container = f"{PREFIX}-{host.name}"
        if container in present:
            form = f'{{{{index .Config.Labels "{PREFIX}.port"}}}} {{{{.Config.Image}}}}'
            port, name = chosen.run("container", "inspect", "--format", form, container).split()
            found.append(Running(host.name, container, int(port), name, host.group, chosen))
    return found


@contextmanager
def start(name: str, image: str = "web-b", setup_commands: Sequence[str] = ()) -> Iterator[Running]:
    """A throw-away variation of a host, gone after the block.

    `image` is a host of the lab or any image with its accounts; each of `setup_commands` is run in
    it by root with `sh -c` (by deploy: `su deploy -c 'sudo ...'`). The `.inventory` of what it
    gives has the lab's hosts and this one.
    """
    from tests.lab import inventory

    serving = serve.serving()
    if serving is None:
        raise LabError("the lab's archive is not served: start the lab with `make lab`")
    chosen = engine.current()
    full = image if "/" in image else f"{PREFIX}/{image}:latest"
    container = f"{PREFIX}-test-{name}-{os.getpid()}"
    place = RUN / f"test-{name}-{os.getpid()}"
    try:
        # two runs at once do not look for a free port from the same one
        first = 2300 + os.getpid() % 50 * 10
        host = launch(chosen, name, container, full, first, serving[1])
        for command in setup_commands:
            host.shell(command)
        host = Running(
            name, container, host.port, full, host.group, chosen, place / "inventory.yml"
        )
        inventory.write(place, [*running(), host])
        yield host
    finally:
        chosen.succeeds("rm", "-f", container)
        shutil.rmtree(place, ignore_errors=True)
