"""OpenAPI: the document that `GET /openapi.json` answers with, for those who have no server at hand.

It is made by the control plane's own code, from its table of routes.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import Recipe

FOLDER = Path("gen/openapi")


def generate(root: Path) -> None:
    """Makes `gen/openapi/durable.v1.json`."""
    # Not at the top: the routes come from generated Python, which another recipe may be making.
    from durable_server.http import asgi, openapi

    target = root / FOLDER / f"durable.{openapi.VERSION}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(openapi.document(asgi.ROUTES), indent=2, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")


RECIPE = Recipe("openapi", (FOLDER,), generate)
