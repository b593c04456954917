"""Reading a file of the user's: its text, within a limit, with one sentence for what is wrong."""

from pathlib import Path

from driftscan.errors import InputError

MAX_SIZE = 8 << 20


def text_of(path: Path) -> str:
    """The text of a file; raises InputError when it cannot be read or is no UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return decoded(data, str(path))


def decoded(data: bytes, name: str) -> str:
    """The text that was read; `name` is told in what is wrong."""
    if len(data) > MAX_SIZE:
        raise InputError(f"{name}: an inventory may have {MAX_SIZE >> 20} MiB: split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: not UTF-8 text: save it as UTF-8") from error
