"""Dockerfile -> image -> fingerprint, with the record of what each line brought."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import structs

from driftscan import attribution, context, dockerfile, sanitize, scan, script
from driftscan.dockerfile import Instruction
from driftscan.errors import EngineError, InputError, MachineError
from driftscan.machines import image_layers
from driftscan.machines.any_image import AnyImage
from driftscan.machines.databases import DATABASES
from driftscan.machines.engine import Engine
from driftscan.machines.image_layers import Entry
from driftscan.model import (
    Baseline,
    Fingerprint,
    Limits,
    Say,
    Scope,
)
from driftscan.model.managers import MANAGERS, RPM
from driftscan.probes.table import of

FILE = "baseline.json"
DEFAULTS = Limits()
NOTHING_MORE = Scope()

# What explaining wants to know of an image; its logs say less than its layers, but dnf's history
# tells from which repository a package came.
KEPT_EVIDENCE = frozenset(
    name
    for manager in MANAGERS.values()
    for name in (manager.times, manager.needs, manager.auto, manager.origins)
) | {"repository-sources", "apt-pin-files", RPM.history}


def build(
    folder: Path,
    *,
    engine: Engine,
    cached: bool = False,
    build_args: Mapping[str, str] | None = None,
    network: str | None = None,
    limits: Limits = DEFAULTS,
    deadline: float = 3600.0,
    scope: Scope = NOTHING_MORE,
    say: Say = lambda _: None,
) -> Baseline:
    """Build the image of a folder's Dockerfile (or of the Dockerfile itself) and ask it.

    Building executes the Dockerfile; asking executes nothing of the image but its /bin/sh. The
    folder is the build context; nothing is written there. `deadline` is the seconds that building
    may take, `limits` and `scope` are for asking. Without `cached` every instruction runs again and
    bases that come from a registry are pulled. Raises InputError for the Dockerfile, EngineError
    for the rest.
    """
    path = folder / "Dockerfile" if folder.is_dir() else folder
    content = _read(path)
    text = content.decode("utf-8", "backslashreplace")
    parsed = dockerfile.parse(text, str(path))
    arguments = build_args or {}
    chain = dockerfile.final_chain(parsed, arguments)
    name = path.absolute().resolve().parent.name or "baseline"
    copied = _copied(path, parsed, say)
    image = engine.build(
        path,
        label=name,
        cached=cached,
        pull=not cached and _pullable(engine, parsed, arguments, say),
        build_args=arguments,
        network=network,
        deadline=deadline,
        say=say,
    )
    say("reading the layers of the image")
    with engine.saved(image, deadline=deadline) as archive:
        paths = [path for database in DATABASES for path in database.paths]
        folders = [database.folder for database in DATABASES if database.folder]
        saved = image_layers.read(archive, paths, folders)
    say("asking the image")
    fingerprint = ask(engine, image, name=name, limits=limits, scope=scope)
    record = attribution.History(
        str(path), chain, saved.history, _base_length(engine, chain, image), name
    )
    found = attribution.attributions(fingerprint, saved, record)
    places, attributed = attribution.named(record.lines(), found)
    return Baseline(
        name=name,
        image=image,
        built=attribution.utc(saved.created),
        builder=_builder(engine, record.own_entries()),
        dockerfile=sanitize.safe(str(path)),
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        context=copied,
        text=sanitize.redact(text),
        attributions=attributed,
        places=places,
        fingerprint=_kept(fingerprint),
    )


def ask(
    engine: Engine,
    image: str,
    *,
    name: str,
    limits: Limits = DEFAULTS,
    scope: Scope = NOTHING_MORE,
) -> Fingerprint:
    """The fingerprint of a local image, asked in a throw-away container of it.

    Its ENV is the scope `system`. The same image gives the same fingerprint: it is taken when the
    image was made. Raises EngineError when there is no such image or it does not answer.
    """
    found = engine.inspect(image)
    if found is None:
        raise EngineError(f"the engine has no image {sanitize.safe(image)}")
    probes = of(scope)
    questions = script.questions(probes, deadline=limits.deadline, scope=scope)
    try:
        answer = AnyImage(engine, image).ask(questions, limits)
        fingerprint = scan.fingerprint(
            answer,
            questions,
            probes,
            target=name,
            kind="image",
            address=image,
            taken=attribution.utc(str(found.get("Created", ""))),
        )
    except MachineError as error:
        told = scan.unreached(name, error, 0)
        cure = f" ({told.cure})" if told.cure else ""
        raise EngineError(
            f"the image of {name} could not be asked: {told.state}: {told.cause}{cure}"
        ) from error
    meta = structs.replace(fingerprint.meta, seconds=0.0, size=0)
    return structs.replace(fingerprint, meta=meta)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: {(error.strerror or 'cannot be read').lower()}; "
            "name a Dockerfile, or a folder that has one"
        ) from error


def _copied(path: Path, parsed: dockerfile.Dockerfile, say: Say) -> str:
    try:
        return context.digest(path, parsed)
    except InputError as error:
        say(f"{error}: that what is copied changes will not be noticed")
        return ""


def state(found: Baseline, folder: Path) -> str:
    """What of the record is not as it was when the baseline was built; empty when all is.

    Raises InputError where the Dockerfile, or what it copies, cannot be read.
    """
    path = folder / "Dockerfile"
    content = _read(path)
    if found.digest != "sha256:" + hashlib.sha256(content).hexdigest():
        return "its Dockerfile has changed since"
    if not found.context:
        return ""
    parsed = dockerfile.parse(content.decode("utf-8", "backslashreplace"), str(path))
    same = context.digest(path, parsed) == found.context
    return "" if same else "what its Dockerfile copies has changed since"


def _kept(fingerprint: Fingerprint) -> Fingerprint:
    evidence = {k: v for k, v in fingerprint.evidence.items() if k in KEPT_EVIDENCE}
    return structs.replace(fingerprint, evidence=evidence)


def _builder(engine: Engine, entries: Sequence[Entry]) -> str:
    if engine.kind == "podman":
        return "podman"
    buildkit = any(entry.comment.startswith("buildkit") for entry in entries)
    return "docker buildkit" if buildkit else "docker legacy"


# --- the base image ----------------------------------------------------------------------------

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]*")


def _pullable(
    engine: Engine, parsed: dockerfile.Dockerfile, arguments: Mapping[str, str], say: Say
) -> bool:
    """Whether every base can be had fresh from its registry: one made here cannot be pulled."""
    indexes = [str(stage.index) for stage in parsed.stages]
    chains = (dockerfile.final_chain(parsed, arguments, index) for index in indexes)
    for base in sorted({chain[0].value for chain in chains} - {"scratch"}):
        found = _inspected(engine, base)
        if found is not None and not _from_registry(base, found.get("RepoDigests") or ()):
            say(f"{base} was made on this machine: no base image is pulled")
            return False
    return True


def _inspected(engine: Engine, reference: str) -> dict[str, object] | None:
    return engine.inspect(reference) if _REFERENCE.fullmatch(reference) else None


def _from_registry(reference: str, digests: object) -> bool:
    names = [str(d).partition("@")[0] for d in digests] if isinstance(digests, list) else []
    repository = re.sub(r"(@.*|:[^/:]*)$", "", reference)
    return not repository.startswith("localhost/") and any(
        _familiar(name) == _familiar(repository) for name in names
    )


def _familiar(repository: str) -> str:
    """`docker.io/library/debian` is `debian`."""
    return repository.removeprefix("docker.io/").removeprefix("library/")


def _base_length(engine: Engine, chain: Sequence[Instruction], image: str) -> int | None:
    """How many entries of the image's history are its base's; None when the base is not here."""
    reference = chain[0].value
    if reference == "scratch":
        return 0
    base, built = _inspected(engine, reference), engine.inspect(image)
    below, above = _layer_ids(base), _layer_ids(built)
    if base is None or not below or above[: len(below)] != below:
        return None
    return engine.history_length(reference)


def _layer_ids(inspected: dict[str, object] | None) -> list[str]:
    root = (inspected or {}).get("RootFS")
    layers = root.get("Layers") if isinstance(root, dict) else None
    return layers if isinstance(layers, list) else []
