"""Words of the command line that are checked before anything is asked: callbacks of options."""

import re
from pathlib import Path

import click

from driftscan.cli import configuration


def outputs(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """`FORMAT=PATH`, each; the folder has to be there before anything is asked."""
    found = []
    for word in words:
        name, there, path = word.partition("=")
        if name not in configuration.FORMATS or not there or not path:
            known = ", ".join(f"{name}=PATH" for name in configuration.FORMATS)
            raise click.BadParameter(f"{word!r} is not one of {known}")
        if path != "-" and not Path(path).parent.is_dir():
            raise click.BadParameter(
                f"{word!r}: the folder {str(Path(path).parent)!r} is not there"
            )
        found.append((name, path))
    return tuple(found)


def timeouts(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """`STAGE=SECONDS`, each."""
    found = []
    for word in words:
        wrong = configuration.wrong_timeout(word)
        if wrong:
            raise click.BadParameter(wrong)
        stage, _, seconds = word.partition("=")
        found.append((stage, float(seconds)))
    return tuple(found)


def fix(_context: click.Context, _parameter: click.Parameter, word: str | None) -> str | None:
    """A folder that is there or can be made, known before anything is asked."""
    if word is not None and not Path(word).is_dir():
        if Path(word).exists() or Path(word).is_symlink():
            raise click.BadParameter(f"{word!r} is not a folder")
        if not Path(word).absolute().parent.is_dir():
            raise click.BadParameter(f"the folder of {word!r} is not there")
    return word


def network(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """The name of a network of the engine, or nothing."""
    if name and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,253}", name) is None:
        raise click.BadParameter(f"{name!r} is not the name of a network")
    return name


def apps(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """Roots of applications that may be walked; reading the contract costs 40 ms."""
    if words:
        from driftscan.inventory.contract import MOST_ROOTS, ROOT_FORM, is_root

        for word in words:
            if not is_root(word):
                raise click.BadParameter(f"{word!r} is not {ROOT_FORM}")
        if len(set(words)) > MOST_ROOTS:
            raise click.BadParameter(f"{len(set(words))} are more than {MOST_ROOTS}")
    return tuple(sorted(set(words)))


_LETTERS = 6


def symptom(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """A message that can be looked for: a word such as `fix` is in most changelogs."""
    if text and sum(char.isalnum() for char in text) < _LETTERS:
        raise click.BadParameter(
            f"{text!r} is too short to look for in changelogs: give the message as the program "
            f"prints it, at least {_LETTERS} letters or digits"
        )
    return text
