"""Databases of rpm read without rpm: sqlite, ndb and Berkeley DB -> what `rpm -qa` would print.

Our own code by decision (docs/decisions/0011): no library reads all three and bounds what a hostile
file may cost. Nothing is trusted: lengths are checked against the file's, chains cannot loop, and
whatever is wrong is one ParseError that says what and where.
"""

from driftscan.rpmdb.answering import (
    DATABASES,
    FORMAT,
    RECOMMENDED,
    Shipped,
    answer,
    listed,
    shipped,
)

__all__ = ["DATABASES", "FORMAT", "RECOMMENDED", "Shipped", "answer", "listed", "shipped"]
