"""What a scan costs, on real servers on loopback: `python -m tests.bench`."""
