"""What a decorator refuses: one line, at the declaration, that says what to write instead."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
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
    ],
)
def test_a_workflow_that_cannot_be(function: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem) as caught:
        durable.workflow(function)
    assert "\n" not in str(caught.value)


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
        (lambda: durable.workflow(version=1)(fine), r"fine: version is a str, not 1;"),  # type: ignore[arg-type]
        (lambda: durable.workflow(max_concurrent=-1)(fine), "max_concurrent is -1, and must be"),
        (lambda: durable.workflow(max_concurrent=1.5)(fine), "whole number, not 1.5"),  # type: ignore[arg-type]
        (lambda: durable.workflow(keyword_only), "'ctx' must be the first parameter, before `*`"),  # type: ignore[arg-type]
        (lambda: durable.object(Nameless), r'write @durable.object\("Nameless"\) above the class'),  # type: ignore[arg-type]
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
