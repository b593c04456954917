"""Which image of an archive is meant: the one that it names, with all its parts there.

Reads the manifests of docker archives (the Docker image specification v1.2) and of OCI layouts
(image-layout.md, image-index.md and manifest.md of the OCI image specification v1.1).
"""

import platform
from collections.abc import Callable, Collection, Iterator
from functools import cache
from itertools import chain
from typing import Any

from msgspec import Struct

from driftscan import sanitize
from driftscan.errors import EngineError
from driftscan.machines.tars import normal

_MOST = 10_000  # manifests of one archive
_LAYERS = 1000  # of one image; engines take 127
_TOLD = 10  # images by name
_DEPTH = 4  # of indexes in indexes
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_CONFIGURATIONS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
# As the image format (and Go) names what `uname -m` names so.
_ARCHITECTURES = {
    **{"x86_64": "amd64", "aarch64": "arm64", "loongarch64": "loong64"},
    **{"i686": "386", "i586": "386", "armv7l": "arm", "armv6l": "arm"},
}

Document = Callable[[str], Any]
There = Callable[[str], bool]


class NoImage(EngineError):  # noqa: N818 - what it is, not what went wrong
    """The archive is one, but holds neither a manifest nor an index."""


class Named(Struct, frozen=True):
    """An image that an archive names: its tags, its platform, and the members that it is made of.

    `layers` are lowest first; `missing` is the first member that is not there.
    """

    tags: str
    platform: str
    config: str
    layers: tuple[str, ...] = ()
    missing: str = ""


def chosen(document: Document, there: There) -> Named:
    """The one image; `document` gives a JSON member by name, None where there is none.

    Of several platforms it is the one whose parts are all there, else this machine's. Raises
    ValueError where it is not one, and what odd documents raise; NoImage where none is told of.
    """
    document = cache(document)  # many references may name one large manifest
    saved, index = document("manifest.json"), document("index.json")
    images: list[Named] = []
    if isinstance(saved, list) and all(isinstance(row, dict) and "Config" in row for row in saved):
        images = [_saved(row, document, there) for row in saved]
        if not images:
            raise ValueError("it holds no image")
    if isinstance(index, dict) and all(image.missing for image in images):
        images = list(_leaves(index, document, there)) or images
        if not images:
            raise ValueError("it holds no image")
    if not images:
        raise NoImage("the saved image cannot be read: it holds no manifest.json or index.json")
    return _one(images)


def _one(images: list[Named]) -> Named:
    """Raises ValueError naming the images, the platforms or the part that is missing."""
    whole = [image for image in images if not image.missing]
    if not whole:
        raise ValueError(f"{sanitize.safe(images[0].missing)} of it is missing")
    # One may be there under two names, or, for those that can unpack it, compressed in two ways.
    whole = list({(image.config, image.layers): image for image in whole[::-1]}.values())
    whole = list({(image.config, image.tags): image for image in whole}.values())
    tags = {image.tags or "one without a name" for image in whole}
    if len(whole) == 1:
        return whole[0]
    if len(tags) > 1:
        raise ValueError(_several(tags))
    here = f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
    ours = [image for image in whole if f"{image.platform}/".startswith(f"{here}/")]
    if len(ours) == 1:
        return ours[0]
    raise ValueError(_several([image.platform or "one of no platform" for image in whole]))


def _several(told: Collection[str]) -> str:
    names = sanitize.safe(", ".join(sorted(told)[:_TOLD]))
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"it holds {len(told)} images, save only one of them: {names}{more}"


# --- docker archives ---------------------------------------------------------------------------


def _saved(row: Any, document: Document, there: There) -> Named:
    config, layers = normal(row["Config"]), tuple(normal(name) for name in row["Layers"])
    tags = " ".join(row.get("RepoTags") or ())
    return Named(tags, "", config, layers, _missing(config, layers, document, there))


def _missing(config: str, layers: Collection[str], document: Document, there: There) -> str:
    if len(layers) > _LAYERS:
        raise ValueError(f"an image of {len(layers)} layers")
    parts = [] if document(config) is not None else [config]
    return next(chain(parts, (layer for layer in layers if not there(layer))), "")


# --- OCI layouts -------------------------------------------------------------------------------


def _leaves(index: Any, document: Document, there: There) -> Iterator[Named]:
    """The images of an index and of those in it; attestations and artifacts stand beside them."""
    left = [(reference, "", 0) for reference in index["manifests"][::-1]]
    seen = 0
    while left:
        reference, tags, depth = left.pop()
        seen += 1
        if seen > _MOST or depth > _DEPTH:
            raise ValueError("its indexes hold too many manifests")
        notes = reference.get("annotations") or {}
        tags = tags or next((notes[name] for name in _NAMES if notes.get(name)), "")
        where = _platform(reference.get("platform") or {})
        if "vnd.docker.reference.type" in notes or where.startswith("unknown/"):
            continue
        blob = _blob(reference["digest"])
        manifest = document(blob)
        if manifest is None:
            yield Named(tags, where, blob, missing=blob)
        elif "manifests" in manifest:
            left += [(inner, tags, depth + 1) for inner in manifest["manifests"][::-1]]
        elif "layers" in manifest and _is_image(manifest):
            yield _leaf(manifest, tags, where, document, there)


def _leaf(manifest: Any, tags: str, where: str, document: Document, there: There) -> Named:
    config = _blob(manifest["config"]["digest"])
    layers = tuple(_blob(layer["digest"]) for layer in manifest["layers"])
    where = where or _platform(document(config) or {})
    return Named(tags, where, config, layers, _missing(config, layers, document, there))


def _is_image(manifest: Any) -> bool:
    """Whether it is one: signatures and charts are kept in manifests too."""
    return manifest["config"].get("mediaType", _CONFIGURATIONS[0]) in _CONFIGURATIONS


def _platform(told: Any) -> str:
    """`os/architecture[/variant]`, as the tools take it on their command lines."""
    words = (told.get(word) for word in ("os", "architecture", "variant"))
    return "/".join(str(word) for word in words if word)


def _blob(digest: str) -> str:
    return normal("blobs/" + digest.replace(":", "/"))
