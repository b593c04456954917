"""`driftscan scan -f cyclonedx`: a bill of materials of a machine, or of a saved fingerprint."""

from driftscan import cyclonedx, store
from tests import made


def test_scan_writes_the_bill_of_a_saved_fingerprint(driftscan, work):
    made.machine(work, "web-a", curl="7.88.1")
    alone = driftscan("scan", "./web-a.json", "-f", "cyclonedx")
    filed = driftscan("scan", "./web-a.json", "-f", "cyclonedx", "-o", "bills")

    assert (alone.code, filed.code) == (0, 0), alone.err + filed.err
    (path,) = (work / "bills").glob("*.cdx.json")
    assert path.read_text() == alone.out == cyclonedx.render(store.load(work / "web-a.json"))
