"""A progress bar on a terminal, for commands that take long; nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


class Bar:
    """A bar that begins when the total is known."""

    def __init__(self, label: str) -> None:
        self.shown = sys.stderr.isatty()
        """Whether stderr is a terminal."""
        self._label = label
        self._bar: Any = None
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        """Shows that so much of the total is done."""
        if not self.shown:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done

    def close(self) -> None:
        """Ends the line of the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


@contextmanager
def progress(label: str) -> Iterator[Bar]:
    """Runs a block with a bar."""
    bar = Bar(label)
    try:
        yield bar
    finally:
        bar.close()
