"""The recorded servers of the ImageMagick story, served over real SSH, with their inventory."""

import lzma
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

HOSTS = ("web-a", "web-b")


def recorded(name: str) -> bytes:
    """A recorded file of the story: framed answers of `web-a` and `web-b`, to the first trip and
    (`web-a-again`) to all that the story wants on a second; or `baseline.json`.
    """
    packed = resources.files("driftscan.demo.recorded").joinpath(f"{name}.xz").read_bytes()
    return lzma.decompress(packed)


@contextmanager
def served() -> Iterator[Path]:
    """Serve the recorded hosts on loopback; yields the path of their inventory.

    Keys are made for this run, everything is in a temporary folder that goes with it.
    """
    import paramiko  # 0.2 s: only when the story is told

    from driftscan.demo import server, younger

    host_key, client = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    first = {name: recorded(name) for name in HOSTS}
    answers = {
        name: [first[name], younger.answer(first[name]), again, younger.again(again)]
        for name in HOSTS
        for again in [recorded(f"{name}-again")]
    }
    baseline = younger.baseline(recorded("baseline.json"), first[HOSTS[0]])
    with (
        tempfile.TemporaryDirectory(prefix="driftscan-demo-") as folder,
        server.serving(answers, host_key, client) as ports,
    ):
        yield _write(Path(folder), ports, baseline, host_key, client)


def _write(
    folder: Path,
    ports: dict[str, int],
    image: bytes,
    host_key: "paramiko.PKey",
    client: "paramiko.PKey",
) -> Path:
    key = folder / "id_ecdsa"
    client.write_private_key_file(str(key))
    line = f"{host_key.get_name()} {host_key.get_base64()}"
    known = "".join(f"[127.0.0.1]:{port} {line}\n" for port in ports.values())
    (folder / "known_hosts").write_text(known)
    baseline = folder / "web"
    baseline.mkdir()
    (baseline / "baseline.json").write_bytes(image)
    hosts = "".join(
        f"  {name}: {{address: 127.0.0.1, port: {port}, become: true}}\n"
        for name, port in ports.items()
    )
    inventory = folder / "inventory.yml"
    inventory.write_text(
        "defaults: {user: deploy, key: id_ecdsa, known_hosts: known_hosts}\n"
        f"groups:\n  web:\n    baseline: web\n    hosts: [{', '.join(ports)}]\n"
        f"hosts:\n{hosts}"
    )
    return inventory
