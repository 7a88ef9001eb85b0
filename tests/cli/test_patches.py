"""`durable patches`: what it says about who needs which branch."""

from __future__ import annotations

import pytest

import durable
from durable_cli.patches import advice, need

from .conftest import Cli


def patch(
    applied: int, unapplied: int = 0, *, deprecated: bool = False, named: int | None = None
) -> durable.Patch:
    count = unapplied if named is None else named
    ids = tuple(f"id-{it}" for it in range(count))
    return durable.Patch("order", "add-tax", ("v2",), applied, unapplied, ids, None, deprecated)


CASES = [
    (
        patch(3, 2),
        "3 journals need the code with it; 2 journals may need the code without it: id-0, id-1",
        "keep both branches of ctx.patched('add-tax')",
    ),
    (
        patch(0, 11, named=1),
        "no journals need the code with it; 11 journals may need the code without it: id-0, …",
        "keep both branches of ctx.patched('add-tax')",
    ),
    (
        patch(1),
        "1 journal needs the code with it; no journals may need the code without it",
        "the branch without it may be removed: replace ctx.patched('add-tax') by"
        " ctx.deprecate_patch('add-tax')",
    ),
    (
        patch(1, deprecated=True),
        "1 journal needs the code with it; no journals may need the code without it",
        "keep ctx.deprecate_patch('add-tax') until these have ended",
    ),
    (
        patch(0, deprecated=True),
        "no journal of an invocation that goes on needs either branch",
        "ctx.deprecate_patch('add-tax') may be removed",
    ),
    (
        patch(0),
        "no journal of an invocation that goes on needs either branch",
        "the branch without it may be removed: replace ctx.patched('add-tax') by"
        " ctx.deprecate_patch('add-tax')",
    ),
]


@pytest.mark.parametrize(("found", "needed", "advised"), CASES)
def test_what_is_said_of_a_patch(found: durable.Patch, needed: str, advised: str) -> None:
    assert (need(found), advice(found)) == (needed, advised)


def test_the_patches_of_live_invocations(cli: Cli) -> None:
    nothing = cli.ok("patches", "--handler", "greet")
    assert (nothing.out, nothing.err.count("\n")) == ("", 1)
    assert "no journal of greet has a patch" in nothing.err
    invocation_id = cli.start("changed", steps=4)
    found = cli.ok("patches", "--handler", "changed").out
    assert "changed: add-tax" in found
    assert "1 journal needs the code with it" in found
    assert "ctx.deprecate_patch('greeting') may be removed" in found
    as_json = {it["name"]: it for it in cli.ok("patches", "--json").json}
    assert as_json["add-tax"]["applied_count"] == 1
    assert {name: it["stage"] for name, it in as_json.items()} == {
        "add-tax": "new",
        "greeting": "deprecated",
    }
    shown = cli.ok("describe", invocation_id).out
    assert "PATCH:add-tax" in shown
    assert "DEPRECATED_PATCH:greeting" in shown
    cli.ok("signal", invocation_id, "go")
