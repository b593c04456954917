"""Secrets everywhere in a mounted file system: none of them in what is stored, told or reported."""

import pytest

from tests.canaries import FILES, HISTORY, STEM, Canaries

STATUS = """Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10

"""
RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
PROFILE = "if [ -d /etc/profile.d ]; then for i in /etc/profile.d/*.sh; do . $i; done; fi\n"
OF_THE_SYSTEM = {
    "/etc/os-release": RELEASE,
    "/etc/profile": PROFILE,
    "/var/lib/dpkg/status": STATUS,
}


@pytest.fixture
def root(tmp_path):
    """A Debian of one package with every planted file."""
    canaries = Canaries()
    files = {**OF_THE_SYSTEM, **{path: canaries.planted(text) for path, text in FILES.items()}}
    files["/var/log/apt/history.log"] = canaries.planted(HISTORY)
    for path, text in files.items():
        place = tmp_path / "root" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tmp_path / "root"


@pytest.mark.case("H30", "D14")
def test_no_secret_in_a_file_system_is_stored_or_told(root, driftscan, tmp_path):
    done = driftscan("scan", f"rootfs://{root}", "-o", tmp_path / "out", "--format", "json")
    (stored,) = (tmp_path / "out").glob("*.json")
    text = stored.read_text()

    assert [line for line in (text + done.out + done.err).split("\n") if STEM in line] == []
    # what stands beside the secrets was read
    for seen in (
        *("apt.example.com", "slash.example.com-debian/sid/main", "proxy.example.com"),
        *("AWS_SECRET_ACCESS_KEY", "STRIPE_KEY=[redacted]", "[redacted]@git.example.com/x"),
    ):
        assert seen in text
