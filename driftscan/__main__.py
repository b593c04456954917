"""`python -m driftscan` is the command `driftscan`."""

from driftscan.cli.main import run

if __name__ == "__main__":
    run()
