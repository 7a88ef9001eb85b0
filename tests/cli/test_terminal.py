"""The command line in a real terminal: colours, relative times, rows that fit, confirmation."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable

from .conftest import Cli

COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """One command in a pseudo-terminal of its own."""

    def __init__(self, cli: Cli, *arguments: str, columns: int = 100, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        clean = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "durable_cli", *arguments),
                # Commands that read files take none.
                *(("--address", cli.address) if cli.address else ()),
            ],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**clean, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=_attended,
        )
        os.close(theirs)
        self.text = ""

    def until(self, condition: Callable[[str], bool]) -> None:
        """Reads on until the text meets a condition."""
        while not condition(self.text):
            self._read()

    def write(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Reads to the end; returns the exit code."""
        try:
            while True:
                self._read()
        except EOFError:
            pass
        os.close(self._ours)
        return self._process.wait(20)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError as error:  # Linux raises this when the other end is closed
            raise EOFError(self.text) from error
        if not data:
            raise EOFError(self.text)
        self.text += data.decode()


def _attended() -> None:
    """Makes the pseudo-terminal the controlling one, so that Ctrl-C is a signal, and counts.

    Whoever runs the tests in the background may have had SIGINT ignored, which is inherited.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def shown(cli: Cli, *arguments: str, columns: int = 100, **environment: str) -> str:
    terminal = Terminal(cli, *arguments, columns=columns, **environment)
    assert terminal.end() == 0, terminal.text
    return terminal.text.replace("\r\n", "\n")


def test_a_list_fits_and_has_colours(cli: Cli) -> None:
    cli("invoke", "broken", f'"{"long " * 40}"', "--service", "tty")
    cli.ok("invoke", "greet", "--service", "tty")
    text = shown(cli, "list", "--service", "tty")
    assert "\x1b[31mfailed" in text
    assert "\x1b[32mcompleted" in text
    assert "ago" in text or "now" in text
    plain = COLOUR.sub("", text)
    assert "…" in plain
    assert max(map(len, plain.splitlines())) <= 100
    assert not COLOUR.search(shown(cli, "list", "--service", "tty", NO_COLOR="1"))


def test_what_came_from_outside_is_no_command_to_the_terminal(cli: Cli) -> None:
    cli("invoke", "broken", r'"\u001b]0;owned\u0007"', "--service", "escape")
    invocation_id = cli.ok("list", "--service", "escape", "--json").json[0]["invocation_id"]
    for arguments in (("list", "--service", "escape"), ("describe", invocation_id)):
        text = shown(cli, *arguments, columns=200)
        assert "\x1b]0;" not in text
        assert r"\x1b]0;owned" in text
    assert "\x1b]0;" not in shown(cli, "invoke", "greet", r'"\u001b]0;owned\u0007"')


def test_many_need_a_confirmation_and_show_progress(cli: Cli) -> None:
    ids = [cli.start("nap", "--service", "asked") for _ in range(2)]
    refusing = Terminal(cli, "cancel", "--service", "asked")
    refusing.until(lambda text: "Cancel 2 invocations? [y/N]" in text)
    refusing.write("n\n")
    assert refusing.end() == 130
    assert {cli.status(it) for it in ids} <= {"running", "suspended"}
    agreeing = Terminal(cli, "cancel", "--service", "asked", "--force")
    agreeing.until(lambda text: "[y/N]" in text)
    agreeing.write("y\n")
    assert agreeing.end() == 0
    assert "100%" in agreeing.text
    assert {cli.status(it) for it in ids} == {"cancelled"}


def test_invoke_prints_the_id_before_it_waits(cli: Cli) -> None:
    waiting = Terminal(cli, "invoke", "nap", "--service", "waited")
    waiting.until(lambda text: "started" in text)
    invocation_id = COLOUR.sub("", waiting.text).split()[0]
    waiting.write("\x03")
    assert waiting.end() == 130
    assert "Traceback" not in waiting.text
    assert cli.status(invocation_id) in ("running", "pending", "suspended")
    cli.ok("cancel", invocation_id, "--force")
