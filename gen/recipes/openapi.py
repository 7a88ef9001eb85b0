"""OpenAPI: the document that `GET /openapi.json` returns, for readers without a running server.

The control plane's own code makes it, from its table of routes.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import Recipe

FOLDER = Path("gen/openapi")


def generate(root: Path) -> None:
    """Makes `gen/openapi/durable.v1.json`."""
    # Imported late: the routes need the generated Python, which the recipe before may have just
    # written.
    from durable_server.http import asgi, openapi

    target = root / FOLDER / f"durable.{openapi.VERSION}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(openapi.document(asgi.ROUTES), indent=2, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")


RECIPE = Recipe("openapi", (FOLDER,), generate)
