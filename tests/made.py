"""Machines and baselines made by hand: small enough to be compared whole."""

from pathlib import Path

from driftscan import store
from driftscan.model import Attribution, Baseline, Collected, Fingerprint, Meta, Place


def package(version: str, source: str) -> dict[str, str]:
    """The facts of one Debian package."""
    return {
        "version": version,
        "source": source,
        "source_version": version,
        "architecture": "amd64",
        "want": "install",
        "status": "installed",
    }


def fingerprint(name: str, kind: str = "host", **versions: str) -> Fingerprint:
    """A machine with these Debian packages and nothing else."""
    items = {key: package(version, key) for key, version in sorted(versions.items())}
    meta = Meta(
        target=name, kind=kind, address=name, taken="2026-11-23T17:20:00Z", privilege="root"
    )
    return Fingerprint(meta=meta, facts={"dpkg": Collected(items=items)}, evidence={})


def machine(folder: Path, name: str, **versions: str) -> Path:
    """The fingerprint file of such a machine."""
    path = folder / f"{name}.json"
    store.save(path, fingerprint(name, **versions))
    return path


def baseline(parent: Path, name: str, **versions: str) -> Path:
    """The folder of a baseline with these packages, Dockerfile and all, both of line 2."""
    folder = parent / name
    folder.mkdir()
    text = "FROM debian\nRUN apt-get install -y curl\n"
    (folder / "Dockerfile").write_text(text)
    line = Place(kind="line", file=f"{name}/Dockerfile", line=2, text="RUN apt-get install")
    noun = Baseline(
        name=name,
        image="sha256:0f0f0f0f0f0f0f0f0f",
        built="2026-11-23T16:43:59Z",
        builder="docker legacy",
        dockerfile=f"{name}/Dockerfile",
        digest="sha256:c7ef28d7",
        text=text,
        attributions={key: Attribution(brought_by="2", changed_by="2") for key in sorted(versions)},
        places={"2": line},
        fingerprint=fingerprint(name, kind="image", **versions),
    )
    store.save(folder / "baseline.json", noun)
    return folder
