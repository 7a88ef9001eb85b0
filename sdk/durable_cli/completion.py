"""`durable completion`: prints click's script with which a shell completes the command line."""

from __future__ import annotations

import click

from . import output


@click.command(
    epilog='bash: eval "$(durable completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; '
    "fish: durable completion fish > ~/.config/fish/completions/durable.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    output.echo(kind(root, {}, "durable", "_DURABLE_COMPLETE").source())
