"""The tables of docs/security.md: who may call which RPC and HTTP route, from the table of rules.

They stand between two marks in the page; what is around them is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from . import ROOT

PAGE = Path("docs/security.md")
_BEGIN = (
    "<!-- The tables below are made by `make gen` from server/durable_server/access/rules.py. -->"
)
_END = "<!-- The end of the tables. -->"


def page() -> str:
    """Returns the page with its tables as the rules are now."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{_tables()}\n{_END}{after}"


def _tables() -> str:
    # Imported late: the rules need the generated Python, which a recipe may have just written.
    from durable_server.access.rules import RPCS, SERVICES, Rule, rule_of_route
    from durable_server.http import asgi

    def needs(rule: Rule) -> str:
        if rule.open:
            return "nothing"
        scopes = " or ".join(f"`{it.value}`" for it in rule.scopes)
        return scopes or "any credential"

    rpcs = [
        (
            f"`{name.rpartition('.')[2].replace('/', '.')}`",
            needs(rule),
            rule.subject.value,
            rule.changes,
        )
        for name, rule in RPCS.items()
    ]
    rpcs += [
        (f"`{name}`", needs(rule), rule.subject.value, rule.changes)
        for name, rule in SERVICES.items()
    ]
    routes = []
    for route in asgi.ALL:
        rule = rule_of_route(route.name, route.rpc)
        assert rule is not None, route.name
        rpc = f"`{route.rpc.rpartition('/')[2]}`" if route.rpc else ""
        routes.append((f"`{route.method} {route.template}`", needs(rule), rpc))
    return "\n".join(
        (
            *_table(
                ("RPC", "Scope", "For", "In the audit"),
                [
                    (name, scope, what, "yes" if changes else "")
                    for name, scope, what, changes in rpcs
                ],
            ),
            "",
            *_table(("HTTP route", "Scope", "RPC that decides"), sorted(routes)),
            "",
        )
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
