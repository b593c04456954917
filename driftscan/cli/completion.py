"""`driftscan completion`: the shell's side of completing commands, options and host names."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

VARIABLE = "_DRIFTSCAN_COMPLETE"
SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the completion for a shell.

    \b
      bash  driftscan completion bash > ~/.local/share/bash-completion/completions/driftscan
      zsh   driftscan completion zsh > ~/.zfunc/_driftscan     (with ~/.zfunc in fpath)
      fish  driftscan completion fish > ~/.config/fish/completions/driftscan.fish
    """
    from driftscan.cli.telling import out

    known = SHELLS[shell](context.find_root().command, {}, "driftscan", VARIABLE)
    out(known.source() + "\n")
    return 0
