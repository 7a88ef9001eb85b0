"""The option `--data-dir` of commands that read what a control plane on this machine keeps."""

from __future__ import annotations

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    default=".durable",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the control plane keeps its data.",
)
