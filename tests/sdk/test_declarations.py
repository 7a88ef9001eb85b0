"""What the decorators refuse: one line, at the declaration, that says what to write instead."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import durable
from durable import Context

Function = Callable[..., Any]


def plain(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def nameless(function: Function) -> Function:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def good(function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


async def fine(ctx: Context, name: str = "you") -> str:
    return name


async def generator(ctx: Context) -> AsyncIterator[int]:
    yield 1


def sync_generator(ctx: Context) -> Iterator[int]:
    yield 1


def not_async(ctx: Context) -> int:
    return 1


async def method(self: Any, ctx: Context, name: str) -> str:
    return name


async def class_method(cls: Any, ctx: Context) -> None: ...


async def nothing() -> None: ...


async def context_last(name, ctx: Context) -> None: ...  # type: ignore[no-untyped-def]


async def everything(ctx: Context, *names: str) -> None: ...


@dataclass
class Order:
    id: str


async def of_order(order: Order) -> None: ...


async def of_mapping(values: dict[str, int]) -> None: ...


class WithCall:
    async def __call__(self, ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (generator, "^generator has a `yield`, and a workflow has one result: return a list"),
        (sync_generator, "^sync_generator has a `yield`"),
        (not_async, "^not_async must be an `async def` function$"),
        (
            plain(fine),
            "^fine must be an `async def` function, and a decorator below @durable.workflow has made a"
            " plain one of it: .*wrapper with `async def`",
        ),
        (nameless(fine), r"^wrapper: \*args and \*\*kwargs .* needs @functools.wraps\(function\)"),
        (everything, r"^everything: \*args and \*\*kwargs have no names to travel by"),
        (
            method,
            "^method is a method, whose 'self' no invocation has: write @durable.handler above it and"
            " @durable.object above its class",
        ),
        (class_method, "^class_method is a method, whose 'cls' no invocation has"),
        (nothing, "^nothing: the first parameter must be the context"),
        (context_last, "^context_last: the context 'ctx' must be the first parameter"),
        (staticmethod(fine), "^fine: write @staticmethod above @durable.workflow"),
        (classmethod(fine), "^fine: a classmethod cannot be a handler"),
        (functools.partial(fine, name="x"), "must be an `async def` function itself"),
        (WithCall(), "must be an `async def` function"),
        (durable.workflow(fine), "^fine is a workflow already"),
        (5, "^5 must be an `async def` function"),
        ("fine", r"^a name is given by keyword: write @durable.workflow\(name='fine'\)"),
        (of_order, "^of_order: the first parameter must be the context, not order: 'Order'"),
        (of_mapping, "^of_mapping: the first parameter must be the context"),
    ],
)
def test_a_workflow_that_cannot_be(function: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem) as caught:
        durable.workflow(function)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"name": 5}, TypeError, "^the name of a handler is a str, not 5"),
        ({"name": ""}, ValueError, "^'' is not the name of a handler"),
        ({"version": 3}, TypeError, "^fine: version is a str, not 3"),
        ({"max_concurrent": True}, TypeError, "^fine: max_concurrent is a whole number"),
        ({"max_concurrent": 1.5}, TypeError, "^fine: max_concurrent is a whole number"),
        ({"max_concurrent": -1}, ValueError, "^fine: max_concurrent is -1, and must be from 0"),
        ({"max_concurrent": 2**31}, ValueError, "^fine: max_concurrent is 2147483648"),
        (
            {"versioning": "pined"},
            ValueError,
            "^fine: versioning is 'pined', and must be 'auto' or",
        ),
        ({"versioning": True}, ValueError, "^fine: versioning is True, and must be 'auto' or"),
    ],
)
def test_an_option_that_cannot_be(options: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        durable.workflow(**options)(fine)


def test_an_object_has_a_name() -> None:
    class Cart:
        @durable.handler
        async def add(self, ctx: Context) -> None: ...

    wrong: Any = durable.object
    with pytest.raises(TypeError, match=r"write @durable.object\('Cart'\) above the class"):
        wrong(Cart)
    with pytest.raises(TypeError, match="the name of an object is a str, not 5"):
        wrong(5)
    with pytest.raises(ValueError, match=r"'a\.b' is not the name of an object"):
        durable.object("a.b")


def test_what_a_decorator_makes_of_the_context_is_no_concern() -> None:
    def with_order(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapper(ctx: Context, name: str) -> None:
            await function(Order(ctx.invocation_id), name)

        return wrapper

    @durable.workflow
    @with_order
    async def of_order_and_name(order: Order, name: str) -> None: ...

    assert of_order_and_name.encode_input(("x",), {}) is not None


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (fine, "^fine must take `self` and the context; .* is a @durable.workflow"),
        (nothing, "^nothing must take `self` and the context"),
        (not_async, "^not_async must be an `async def` function"),
        (generator, "^generator has a `yield`"),
        (plain(method), "a decorator below @durable.handler has made a plain one"),
        (durable.workflow(fine), "^fine is a workflow already"),
    ],
)
def test_a_handler_that_cannot_be(function: Any, problem: str) -> None:
    for decorator in (durable.handler, durable.shared):
        with pytest.raises(TypeError, match=problem):
            decorator(function)


def test_a_good_decorator_below_is_no_concern() -> None:
    decorated = durable.workflow(good(fine))
    assert decorated.name == "fine"
    assert decorated.encode_input(("x",), {}) is not None


def test_a_static_method_is_a_workflow_of_its_own() -> None:
    class Flows:
        @staticmethod
        @durable.workflow
        async def run(ctx: Context) -> int:
            return 1

    assert isinstance(Flows.run, durable.Workflow)


@pytest.mark.parametrize("decorate", [good, plain, nameless])
def test_a_decorator_above_is_found_where_the_workflow_is_given(decorate: Any) -> None:
    hidden = decorate(durable.workflow(fine))
    problem = (
        "a decorator above @durable.workflow has put the function .* around the workflow 'fine'"
    )
    with pytest.raises(TypeError, match=problem):
        durable.Worker("127.0.0.1:1", workflows=[hidden])
    with durable.Client("127.0.0.1:1", timeout=1) as client:
        with pytest.raises(TypeError, match=problem):
            client.invoke(hidden, "x")
        with pytest.raises(TypeError, match=problem):
            client.register(hidden)


@pytest.mark.parametrize("wraps", ["@functools.wraps(function)", ""])
def test_a_decorator_above_is_found_when_a_module_is_loaded(
    tmp_path: Path, wraps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / f"hidden_{'wraps' if wraps else 'bare'}.py"
    path.write_text(
        "import functools, durable\n"
        "def logged(function):\n"
        f"    {wraps}\n"
        "    async def wrapper(*args, **kwargs):\n"
        "        return await function(*args, **kwargs)\n"
        "    return wrapper\n"
        "@durable.workflow\n"
        "async def seen(ctx: durable.Context) -> None: ...\n"
        "@logged\n"
        "@durable.workflow\n"
        "async def lost(ctx: durable.Context) -> None: ...\n"
        "def starts():\n"
        "    return seen\n"
    )
    with pytest.raises(
        durable.LoadError, match=r"a decorator above @durable.workflow .* the workflow 'lost'"
    ):
        durable.load_workflows([str(path)])


def test_a_function_that_uses_a_workflow_of_elsewhere_is_no_concern(tmp_path: Path) -> None:
    path = tmp_path / "uses_another.py"
    path.write_text(
        "import durable\n"
        "def made():\n"
        "    @durable.workflow\n"
        "    async def inner(ctx: durable.Context) -> None: ...\n"
        "    def start(client):\n"
        "        return client.invoke(inner)\n"
        "    return start\n"
        "start = made()\n"
        "@durable.workflow\n"
        "async def served(ctx: durable.Context) -> None: ...\n"
    )
    assert [it.name for it in durable.load_workflows([str(path)])] == ["served"]


@pytest.mark.parametrize(
    ("declare", "problem"),
    [
        (lambda: durable.workflow("name"), r"write @durable.workflow\(name='name'\)"),  # type: ignore[call-overload]
        (lambda: durable.handler("name"), r"write @durable.handler\(name='name'\)"),  # type: ignore[call-overload]
        (lambda: durable.workflow(version=1)(fine), "fine: version is a str, not 1"),  # type: ignore[arg-type]
        (lambda: durable.workflow(max_concurrent=-1)(fine), "max_concurrent is -1, and must be"),
        (lambda: durable.workflow(max_concurrent=1.5)(fine), "whole number, .*not 1.5"),  # type: ignore[arg-type]
        (lambda: durable.workflow(keyword_only), "'ctx' must be the first parameter, before `*`"),  # type: ignore[arg-type]
        (lambda: durable.object(Nameless), r"write @durable.object\('Nameless'\) above the class"),  # type: ignore[arg-type]
        (lambda: durable.object("fine")(fine), "stands above a class, not above <function fine"),  # type: ignore[type-var]
    ],
)
def test_what_is_given_to_a_decorator_in_a_wrong_way(
    declare: Callable[[], Any], problem: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        declare()


async def keyword_only(*, ctx: Context) -> None:
    """The context has no place to be given at."""


class Nameless:
    """An object's class whose name was forgotten."""
