"""The bill of materials of this environment: driftscan and all that it needs, as CycloneDX."""

import os
import sys
from datetime import UTC, datetime
from importlib.metadata import distributions

from driftscan import __version__, cyclonedx
from driftscan.model import Collected, Fingerprint, Meta

NOT_OURS = {"pip", "setuptools"}


def main() -> None:
    """Write it to standard output; its moment is that of the sources."""
    moment = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    packages = {
        f"pypi//{found.name}@/": {"version": found.version}
        for found in distributions()
        if found.name not in NOT_OURS
    }
    meta = Meta(
        target=f"driftscan-{__version__}",
        kind="container",
        address="",
        taken=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        privilege="",
        tool=__version__,
    )
    facts = {"python": Collected(items=dict(sorted(packages.items())))}
    sys.stdout.write(cyclonedx.render(Fingerprint(meta=meta, facts=facts, evidence={})))


main()
