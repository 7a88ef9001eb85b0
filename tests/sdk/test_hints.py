"""Annotations are resolved one by one; the error for one that cannot be resolved names it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import durable
from durable._common.values.hints import Unresolved, resolve_hint
from durable._common.values.serde import encode
from durable._definitions.loading import LoadError, load_workflows
from durable._worker.worker import workflows_by_name
from durable.testing import AsyncEnvironment

if TYPE_CHECKING:
    from pathlib import Path

    from nowhere import Nothing  # type: ignore[import-not-found]  # on purpose

    from durable import Context

T = TypeVar("T")


@dataclass
class Order:
    id: str
    next: Later | None = None


@durable.workflow
async def under_type_checking(ctx: Context, order: Order) -> Order:
    return order


@durable.workflow
async def before_its_type(ctx: Context, later: Later) -> Later:
    return later


@dataclass
class Later:
    a: int


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


@durable.workflow
@traced
@traced
async def wrapped(ctx: Context, order: Order) -> str:
    return order.id


def _argument(workflow: Any, value: Any) -> Any:
    (given,), _ = workflow.decode_input(encode(value))
    return given


def test_one_name_for_type_checkers_leaves_the_others() -> None:
    order = Order("a", Later(1))
    assert _argument(under_type_checking, order) == order
    assert under_type_checking.decode_output(encode(order)) == order
    assert _argument(wrapped, order) == order


def test_a_type_may_come_later() -> None:
    workflows_by_name([before_its_type])
    assert _argument(before_its_type, Later(1)) == Later(1)


def test_local_classes() -> None:
    @dataclass
    class Inner:
        a: int

    @dataclass
    class Outer:
        inner: Inner
        late: Late | None = None

    @durable.workflow
    async def program(ctx: Context, outer: Outer, others: list[Inner]) -> dict[str, Outer]:
        return {}

    @dataclass
    class Late:
        b: Inner

    workflows_by_name([program])
    given = {"outer": Outer(Inner(1), Late(Inner(2))), "others": [Inner(3)]}
    assert program.decode_input(encode(given)) == ((), given)
    assert program.decode_output(encode({"a": Outer(Inner(1))})) == {"a": Outer(Inner(1))}


def test_classes_of_an_object_and_of_the_functions_around() -> None:
    @dataclass
    class Item:
        a: int

    def inside() -> Any:
        @durable.object("cart")
        class Cart:
            @dataclass
            class Line:
                item: Item

            @durable.handler
            async def add(self, ctx: Context, line: Line) -> list[Line]:
                return [line]

        return Cart

    cart = inside()
    line = cart.Line(Item(1))
    found = workflows_by_name([cart])["cart.add"]
    assert _argument(found, line) == line
    assert found.decode_output(encode([line])) == [line]


def test_names_of_a_closure() -> None:
    def make(kind: type) -> Any:
        async def program(ctx: Context, value: kind) -> kind:  # type: ignore[valid-type]  # made here
            return kind(value)

        return durable.workflow(program)

    assert _argument(make(Order), Order("a")) == Order("a")
    assert _argument(make(int), 5) == 5


@pytest.mark.parametrize("what", ["parameter", "result", "field"])
def test_what_is_needed_and_cannot_be_resolved_is_named(what: str) -> None:
    @dataclass
    class Holder:
        value: Nothing

    if what == "parameter":

        @durable.workflow(name="program")
        async def takes(ctx: Context, first: int, path: Nothing | None) -> None: ...

        workflow: Any = takes
        words = "program: the parameter 'path': the type 'Nothing | None' cannot be resolved"
    elif what == "result":

        @durable.workflow(name="program")
        async def gives(ctx: Context) -> list[Path]:
            raise AssertionError

        workflow = gives
        words = "program: the result: the type 'list[Path]' cannot be resolved: the name 'Path'"
    else:

        @durable.workflow(name="program")
        async def holds(ctx: Context, holder: Holder) -> None: ...

        workflow = holds
        words = "program: the parameter 'holder': Holder.value: 'Nothing' cannot be resolved"
    for use in (workflow.check, lambda: workflows_by_name([workflow]), workflow.spec):
        with pytest.raises(TypeError, match="TYPE_CHECKING") as refused:
            use()
        assert words in str(refused.value)


def test_a_type_that_cannot_be_read_is_refused_by_the_decorator() -> None:
    with pytest.raises(TypeError, match=r"program: the parameter 'value': .*give a dataclass"):

        @durable.workflow
        async def program(ctx: Context, value: object_without_form) -> None: ...

    with pytest.raises(TypeError, match=r"takes: the result: .*list of pairs"):

        @durable.object("thing")
        class Thing:
            @durable.handler
            async def takes(self, ctx: Context) -> dict[tuple[int, int], str]:
                return {}

    with pytest.raises(TypeError, match="give a dataclass"):
        durable.ref("elsewhere", object_without_form)


class object_without_form:
    pass


def test_a_module_with_such_a_type_is_not_loaded(tmp_path: Any) -> None:
    path = tmp_path / "flows_with_a_hole.py"
    path.write_text(
        "from __future__ import annotations\nimport durable\n"
        "@durable.workflow\nasync def w(ctx: durable.Context, a: Absent) -> None: ...\n"
    )
    with pytest.raises(
        LoadError, match="w: the parameter 'a': the type 'Absent' cannot be resolved"
    ):
        load_workflows([str(path)])


def test_a_hint_alone() -> None:
    def function(a: int, b: Nothing, c: list[Order], d=None) -> Order: ...  # type: ignore[no-untyped-def,empty-body]

    assert resolve_hint(function, "a") is int
    assert resolve_hint(function, "c") == list[Order]
    assert resolve_hint(function, "d") is Any
    assert resolve_hint(function, "return") is Order
    missing = resolve_hint(function, "b")
    assert isinstance(missing, Unresolved)
    assert missing.annotation == "Nothing"
    assert "'Nothing' is not defined" in str(missing)


async def test_steps_and_what_the_program_names() -> None:
    @dataclass
    class Item:
        a: int

    @dataclass
    class Box:
        item: Item

    async def fetch(number: int) -> Box:
        return Box(Item(number))

    def broken() -> Nothing:
        return None

    async def unreadable() -> object_without_form:
        return object_without_form()

    @durable.workflow
    async def program(ctx: Context) -> list[str]:
        box = await ctx.run("fetch", fetch, 5)
        found = [repr(box.item.a)]
        for ask in (
            lambda: ctx.run("broken", broken),
            lambda: ctx.run("unreadable", unreadable),
            lambda: ctx.signal("s", type=object_without_form),
            lambda: ctx.promise("p", type=dict[tuple[int, int], str]),
            lambda: ctx.get("g", list["Nowhere"]),  # type: ignore[name-defined]  # noqa: F821
        ):
            try:
                ask()
            except TypeError as error:
                found.append(str(error))
        promise = ctx.promise("p", type=Box)
        await ctx.resolve_awakeable(promise.id, Box(Item(6)))
        return [*found, repr((await promise).item.a)]

    async with AsyncEnvironment() as env:
        await env.register(program)
        first, *errors, last = await env.client.invoke(program)
    assert (first, last) == ("5", "6")
    assert len(errors) == 5
    for text, words in zip(
        errors,
        ["'broken'", "'unreadable'", "the signal 's'", "list of pairs", "'Nowhere' is not defined"],
        strict=True,
    ):
        assert words in text
    for text in errors[:2]:  # a function of a library cannot be changed
        assert "write one around it" in text
