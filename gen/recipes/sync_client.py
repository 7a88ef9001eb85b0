"""The sync client: `durable.Client`, made from the source of `durable.AsyncClient`.

The two clients have the same methods, and Python's types cannot express "the same method, but
awaitable". So the async one is written by hand and this takes `async` and `await` out of it, token
by token: names and keywords by TOKENS, and by TEXTS the sentences that are true of one client
alone. A text that is not found is an error, because then the source has changed and the replacement
must too.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Final

from . import ROOT, Recipe

SOURCE: Final = Path("sdk/durable/_client/async_client.py")
FOLDER: Final = Path("sdk/durable/_client/generated")

TOKENS: Final = {
    "async": "",
    "await": "",
    "aclosing": "closing",
    "AsyncClient": "Client",
    "AsyncConnection": "Connection",
    "AsyncGenerator": "Iterator",
    "AsyncIterator": "Iterator",
    "KeyedAsyncClient": "KeyedClient",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}

TEXTS: Final = (
    (
        "import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping",
        "import Callable, Iterable, Iterator, Mapping",
    ),
    ("AsyncGenerator[Invocation, None]", "Iterator[Invocation]"),
    ("from .async_connection import", "from .connection import"),
    ("  # noqa: ASYNC109  # the server waits", ""),
    ("invocations from asyncio code.", "invocations; a call blocks the calling thread."),
    ("Belongs to the event loop of its first call.", "Thread-safe."),
    (
        "They run on the current event loop until the client is closed.",
        "They run on a thread of this client until the client is closed.",
    ),
)

HEAD: Final = '''"""The sync client: `Client`, the typed methods over a `Connection`.

Made from `async_client.py` by `make gen`; edit that file instead.
"""

# ruff: noqa: UP028  # `yield from` where the source must have a loop
'''


def generate(root: Path) -> None:
    """Makes the folder of the sync client."""
    target = root / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    (target / "__init__.py").write_text(
        '"""Made by `make gen`; nothing here is edited by hand."""\n'
    )
    text = (ROOT / SOURCE).read_text()
    for old, new in TEXTS:
        if old not in text:
            raise ValueError(f"{SOURCE} has no {old!r} any more; mend TEXTS of {__name__}")
        text = text.replace(old, new)
    text = re.sub(r"^( *from \.)", r"\1.", text, flags=re.MULTILINE)  # one package deeper
    module = target / "client.py"
    module.write_text(HEAD + _synchronous(text[text.index('"""\n', 3) + 4 :]))
    for command in (("check", "--quiet", "--fix", "--select", "I"), ("format", "--quiet")):
        options = ["--no-cache", "--config", str(ROOT / "pyproject.toml")]
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options, str(module)], check=True, cwd=ROOT
        )


def _synchronous(text: str) -> str:
    """Returns source without `async` and `await`, and with the sync names; comments too."""
    made: list[str] = []
    row, column = 1, 0
    lines = [*text.splitlines(keepends=True), ""]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start_row, start_column = token.start
        while row < start_row:
            made.append(lines[row - 1][column:])
            row, column = row + 1, 0
        if token.type == tokenize.ENDMARKER:
            break
        made.append(lines[row - 1][column:start_column])
        row, column = token.end
        if token.type == tokenize.NAME and token.string in TOKENS:
            made.append(TOKENS[token.string])
            if not TOKENS[token.string]:
                column += 1  # and the space behind it
        else:
            made.append(token.string)
    return "".join(made)


RECIPE = Recipe("sync-client", (FOLDER,), generate)
