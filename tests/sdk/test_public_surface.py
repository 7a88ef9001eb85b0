"""The public names: both clients have the same methods, errors are exported, arguments documented."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

import durable
from durable._definitions.workflow import WorkflowRef
from durable_proto.v1 import payload_pb2


@durable.object("shelf")
class Shelf:
    @durable.handler
    async def put(self, ctx: durable.Context, item: str) -> str:
        return f"{ctx.key}: {item}"


@durable.workflow
async def nothing(ctx: durable.Context) -> str:
    return "nothing"


@durable.workflow
async def one(ctx: durable.Context, item: str = "tea") -> str:
    return item


@durable.workflow
async def two(ctx: durable.Context, item: str, count: int = 1) -> str:
    return item * count


@durable.workflow
async def required(ctx: durable.Context, item: str | None) -> str:
    return str(item)


def methods(kind: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_")}


def shape(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    return [
        (it.name, it.kind, it.default) for it in inspect.signature(function).parameters.values()
    ]


def test_the_sync_and_the_async_client_are_alike() -> None:
    sync, asynchronous = methods(durable.Client), methods(durable.AsyncClient)
    assert sync.keys() == asynchronous.keys()
    for name, function in sync.items():
        assert shape(function) == shape(asynchronous[name]), name
        assert bool(function.__doc__) == bool(asynchronous[name].__doc__), name
    # Methods that call the control plane are async; methods that only return a view are not.
    plain = {
        name
        for name, function in asynchronous.items()
        if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function))
    }
    assert plain == {"local", "options", "register"}


def test_a_failed_invocation_has_what_callers_act_on() -> None:
    failure = payload_pb2.Failure(
        type="shop.SoldOut", message="no tea", code=409, metadata={"item": "tea"}, terminal=True
    )
    error = durable.InvocationFailedError(failure, "0" * 32)
    assert (error.type, error.message, error.code) == ("shop.SoldOut", "no tea", 409)
    assert error.metadata == {"item": "tea"}


def test_a_call_without_a_key_is_refused_before_it_is_made() -> None:
    words = r"shelf\.put is a keyed handler; say which key it is for: write \.options\(key="
    with durable.Client("127.0.0.1:1") as client:
        for call in (client.invoke, client.invoke_async, client.options(key="").invoke):
            unchecked: Any = call
            for handler in (Shelf.put, Shelf.put.ref()):
                with pytest.raises(TypeError, match=words):
                    unchecked(handler, "tea")


async def test_a_program_without_the_key_gets_an_error() -> None:
    @durable.workflow
    async def careless(ctx: durable.Context) -> list[str]:
        unchecked: Any = ctx
        told = []
        for call, args in (
            (unchecked.invoke, ()),
            (unchecked.send, ()),
            (unchecked.send_delayed, (5,)),
        ):
            try:
                await call(Shelf.put, "tea", *args)
            except TypeError as error:
                told.append(str(error))
        told.append(await ctx.options(key="k").invoke(Shelf.put, "tea"))
        return told

    async with durable.AsyncClient.local(timeout=20) as client:
        client.register(careless, Shelf)
        await client.serve_handlers()
        *told, last = await client.invoke(careless)
        assert len(told) == 3
        assert all("shelf.put is a keyed handler" in it for it in told)
        assert last == "k: tea"


@pytest.mark.parametrize(
    ("workflow", "value", "data"),
    [
        (nothing, None, None),
        (one, None, None),
        (one, "milk", b'"milk"'),
        (one, {"a": 1}, b'{"a":1}'),
        (two, "milk", b'{"item":"milk"}'),
        (two, {"item": "milk", "count": 2}, b'{"item":"milk","count":2}'),
        (required, None, b"null"),
        (two.ref(), {"item": "milk"}, b'{"item":"milk"}'),
        (durable.ref("elsewhere"), {"any": 1}, b'{"any":1}'),
        (durable.ref("elsewhere"), None, None),
    ],
)
def test_an_input_as_one_value(workflow: WorkflowRef[..., Any], value: Any, data: Any) -> None:
    payload = workflow.encode_value(value)
    assert (None if payload is None else payload.data) == data


@pytest.mark.parametrize(
    ("workflow", "value"),
    [(nothing, "milk"), (two, None), (two, {"itm": "milk"}), (two, {"count": 2}), (two, {})],
)
def test_an_input_that_does_not_fit(workflow: durable.Workflow[..., Any], value: Any) -> None:
    with pytest.raises(TypeError):
        workflow.encode_value(value)


def test_help_describes_the_fields_of_a_retry_policy() -> None:
    text = pydoc.plain(pydoc.render_doc(durable.RetryPolicy))
    for field in fields(durable.RetryPolicy):
        assert f"- `{field.name}`: " in text
