"""`driftscan demo`: the story of two servers, from recorded answers over real SSH."""

import click

STORY = (
    (
        "Two servers do the same job. web-a was set up some weeks ago, web-b today.",
        ("compare", "web-a", "web-b"),
    ),
    (
        "The record of how it should be is a Dockerfile. Its image was asked the same questions.",
        ("check", "web-a"),
    ),
    ("And the other one?", ("check", "web-b")),
)


@click.command("demo")
@click.pass_context
def command(context: click.Context) -> int:
    """Show it all on two recorded servers.

    Two servers should be the same and are not. Their recorded answers are served by an SSH server
    inside this process: no root, no container engine, no network.
    """
    from driftscan.cli.telling import out
    from driftscan.demo import story

    root = context.find_root().command
    code = 0
    with story.served() as inventory:
        for words, arguments in STORY:
            out(f"\n{words}\n\n$ driftscan {' '.join(arguments)}\n\n")
            done = root.main(
                [*arguments, "-i", str(inventory)], prog_name="driftscan", standalone_mode=False
            )
            # Drift (1) is what the story is about; anything above is a failure of the demo.
            code = max(code, done if done > 1 else 0)
    return code
