"""Values of the wrong type: refused where they are given, or an error that the program can catch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import pytest

import durable
from durable import Context
from tests.support.waiting import eventually

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

pytestmark = EVERYWHERE

RETRY = durable.RetryPolicy(max_attempts=1)


@dataclass
class Amount:
    """Validates itself, in a way that no schema can express."""

    cents: int

    def __post_init__(self) -> None:
        if self.cents < 0:
            raise ValueError("negative")
        if self.cents == 13:
            raise KeyError("unlucky")


@dataclass
class Item:
    sku: str
    price: Amount


@dataclass
class Order:
    items: list[Item]
    note: str | None = None


@dataclass
class Cat:
    name: str


@dataclass
class Dog:
    name: str
    breed: str = "?"


@durable.workflow(retry=RETRY)
async def takes(ctx: Context, order: Order) -> int:
    return sum(it.price.cents for it in order.items)


@durable.workflow(retry=RETRY)
async def pets(ctx: Context, first: Cat | Dog, second: Dog | Cat) -> list[str]:
    third: Cat | Dog = await ctx.run("third", make_pet, "rex")
    return [repr(first), repr(second), repr(third)]


def make_pet(name: str) -> Dog | Cat:
    return Dog(name, "pug")


@durable.workflow(retry=RETRY)
async def waits(ctx: Context, what: Literal["awakeable", "promise"]) -> list[Any]:
    """Waits for a value until it can read one."""
    problems: list[str] = []
    while True:
        name = f"{ctx.invocation_id}-own"
        asked = (
            ctx.awakeable(name, type=Order) if what == "awakeable" else ctx.promise("p", type=Order)
        )
        await ctx.run("asked", effect, "asked")
        try:
            order = await asked
            return [problems, order.items[0].price.cents]
        except durable.CodecError as error:
            problems.append(str(error))


@durable.workflow(retry=RETRY)
async def finds(ctx: Context, awakeable_id: str) -> int:
    """Reads values that may have been given earlier, until one is readable."""
    while True:
        try:
            return (await ctx.awakeable(awakeable_id, type=Amount)).cents
        except durable.CodecError:
            ctx.set("problem", True)


@durable.workflow(retry=RETRY)
async def listens(ctx: Context) -> list[Any]:
    """Takes signals until it can read one."""
    problems: list[str] = []
    await ctx.run("asked", effect, "asked")
    while True:
        try:
            return [problems, (await ctx.signal("s", type=Amount)).cents]
        except durable.CodecError as error:
            problems.append(str(error))


@durable.workflow
async def gives_anything(ctx: Context, value: Any) -> Any:
    return value


@durable.workflow(name="gives_anything")
async def gives_amount(ctx: Context, value: Any) -> Amount:
    raise AssertionError("this one is only named")


@durable.workflow(retry=RETRY)
async def reads(ctx: Context, way: str, value: Any) -> str:
    """Reads a value in the given way; returns the error."""

    def step() -> Amount:
        return value  # type: ignore[no-any-return]  # wrong on purpose

    try:
        if way == "step":
            await ctx.run("step", step)
        elif way == "child":
            await ctx.invoke(gives_amount, value)
        elif way == "state":
            ctx.set("amount", value)
            await ctx.get("amount", Amount)
        else:
            promise = ctx.promise("p", type=Amount)
            await ctx.resolve_awakeable(promise.id, value)
            await promise
    except durable.CodecError as error:
        return await ctx.run("caught", effect, str(error))
    return "read"


class Broken:
    @property
    def model_dump(self) -> Any:
        raise LookupError("no form")


@durable.workflow(retry=RETRY)
async def writes(ctx: Context, way: str) -> str:
    """Writes a value without a form in the given way; returns the error."""
    value: Any = Broken()
    try:
        if way == "state":
            ctx.set("value", value)
        elif way == "child":
            await ctx.invoke(gives_anything, value)
        elif way == "awakeable":
            await ctx.resolve_awakeable("a", value)
        else:
            await ctx.send_signal(ctx.invocation_id, "s", value)
    except durable.CodecError as error:
        return await ctx.run("caught", effect, str(error))
    return "written"


@durable.workflow(retry=RETRY)
async def resolves(ctx: Context, awakeable_id: str, value: Any) -> str:
    try:
        await ctx.resolve_awakeable(awakeable_id, value)
    except durable.StepFailedError as error:
        return f"{error.type}: {error.message}"
    return "resolved"


@durable.workflow(retry=RETRY)
async def signals(ctx: Context, invocation_id: str, value: Any) -> str:
    try:
        await ctx.send_signal(invocation_id, "s", value)
    except durable.StepFailedError as error:
        return f"{error.type}: {error.message}"
    return "sent"


@dataclass
class ByCard:
    kind: Literal["card"]
    number: str


@dataclass
class ByTransfer:
    kind: Literal["transfer"]
    iban: str


@durable.workflow
async def awaits_a_payment(ctx: Context) -> str:
    return repr(await ctx.promise("paid", type=ByCard | ByTransfer | None))


WORKFLOWS = [
    awaits_a_payment,
    *(takes, pets, waits, finds, listens, gives_anything, reads, writes, resolves, signals),
]


def order(cents: Any) -> dict[str, Any]:
    return {"items": [{"sku": "a", "price": {"cents": cents}}]}


async def asked(system: System, invocation_id: str, kind: str, count: int = 1) -> None:
    """Waits until the journal has `count` entries of a kind."""
    seen: set[int] = set()
    async for it in system.client.watch(invocation_id):
        seen |= {entry.step_number for entry in it.journal if entry.kind == kind}
        if len(seen) == count:
            return


async def test_an_input_that_cannot_be_read_fails_at_once(system: System) -> None:
    assert await system.client.invoke(takes, order(5)) == 5  # type: ignore[arg-type]  # as from curl
    for value, words in [
        (order(-1), "value.items[0].price: no Amount: negative"),
        (order(13), "value.items[0].price: no Amount: KeyError: 'unlucky'"),
        (order("x"), "value.items[0].price.cents: expected int, got str"),
        ({}, "value: Order needs the field items"),
    ]:
        result = await system.client.invoke("takes", value)
        assert result.failure is not None
        assert result.failure.type == "durable.InvalidInput"
        assert words in result.failure.message


async def test_unions_keep_what_they_are_given(system: System) -> None:
    pug, tom = Dog("rex", "pug"), Cat("tom")
    expected = [repr(pug), repr(tom), repr(pug)]
    assert await system.client.invoke(pets, pug, tom) == expected
    assert await system.client.invoke(pets, tom, pug) == [repr(tom), repr(pug), repr(pug)]


async def test_the_error_of_a_union_names_what_its_closest_member_lacks(system: System) -> None:
    client = system.client
    found = await client.invoke_async(awaits_a_payment)
    await asked(system, found, "AWAKEABLE")
    for value, field, problem in [
        ({"kind": "card"}, "outcome.value", "'number' is a required property"),
        ({"kind": "card", "number": 5}, "outcome.value.number", "5 is not of type 'string'"),
        ({"kind": "transfer"}, "outcome.value", "'iban' is a required property"),
        ({"kind": "cash"}, "outcome.value", "is not valid under any"),
        (5, "outcome.value", "5 is not valid under any"),
    ]:
        with pytest.raises(durable.InvalidArgumentError) as refused:
            await client.resolve_promise(found, "paid", value)
        assert refused.value.metadata["field"] == field
        assert problem in refused.value.metadata["problem"]
    await client.resolve_promise(found, "paid", None)
    assert (await client.get_result(found)).value() == "None"


@pytest.mark.parametrize("what", ["awakeable", "promise"])
async def test_an_outcome_that_does_not_fit_is_refused(system: System, what: Any) -> None:
    client = system.client
    found = await client.invoke_async(waits, what)
    await asked(system, found, "AWAKEABLE")
    name = f"{found}-own" if what == "awakeable" else f"{found}.p"
    for value, field in [
        (order("12"), "outcome.value.items[0].price.cents"),
        ({"items": 5}, "outcome.value.items"),
        ("text", "outcome.value"),
    ]:
        with pytest.raises(durable.InvalidArgumentError) as refused:
            await client.resolve_awakeable(name, value)
        assert refused.value.reason == "INVALID_FIELD"
        assert refused.value.metadata["field"] == field
        assert refused.value.metadata["problem"]
    told = await client.invoke(resolves, name, order("12"))
    assert told.startswith("durable.InvalidValue: value.items[0].price.cents: '12' is not of type")
    shown = (await client.get(found)).awakeables[0]
    assert '"cents":{"type":"integer"}' in shown.schema
    await client.resolve_awakeable(name, Order([Item("a", Amount(7))]))
    assert (await client.get_result(found)).value() == [[], 7]


@pytest.mark.parametrize("what", ["awakeable", "promise"])
async def test_an_outcome_that_only_the_program_can_refuse_is_replaced(
    system: System, what: Any
) -> None:
    client = system.client
    found = await client.invoke_async(waits, what)
    name = f"{found}-own" if what == "awakeable" else f"{found}.p"
    for count, wrong in enumerate([-1, -2], start=1):
        await asked(system, found, "AWAKEABLE", count)
        await client.resolve_awakeable(name, order(wrong))
    await asked(system, found, "AWAKEABLE", 3)
    await client.resolve_awakeable(name, order(8))
    problems, cents = (await client.get_result(found)).value()
    assert cents == 8
    assert problems == [
        f"operation {index} of waits, AWAKEABLE '{name}': value.items[0].price: no Amount: negative"
        " (read as Order)"
        for index in (0, 2)
    ]
    with pytest.raises(durable.RpcError):
        await client.resolve_awakeable(name, order(9))


async def test_what_came_too_early_to_be_compared_is_replaced(system: System) -> None:
    client = system.client
    await client.resolve_awakeable("early", {"cents": "x"})
    found = await client.invoke_async(finds, "early")
    await asked(system, found, "AWAKEABLE", 2)

    async def open_again() -> bool:
        # Another partition than that of the program may keep an awakeable of this id.
        return not (await client.get(found)).awakeables[0].resolved

    await eventually(open_again)
    with pytest.raises(durable.InvalidArgumentError):
        await client.resolve_awakeable("early", {"cents": "x"})
    await client.resolve_awakeable("early", {"cents": 3})
    assert (await client.get_result(found)).value() == 3


async def test_signals_that_do_not_fit_are_refused_or_skipped(system: System) -> None:
    client = system.client
    found = await client.invoke_async(listens)
    await asked(system, found, "SIGNAL")
    with pytest.raises(durable.InvalidArgumentError) as refused:
        await client.signal(found, "s", {"cents": "x"})
    assert refused.value.metadata["field"] == "outcome.value.cents"
    told = await client.invoke(signals, found, {"cents": "x"})
    assert told.startswith("durable.InvalidValue: value.cents:")
    for cents in (-1, 13, 5):
        await client.signal(found, "s", {"cents": cents})
    problems, cents = (await client.get_result(found)).value()
    assert cents == 5
    assert problems == [
        f"operation {index} of listens, SIGNAL 's': value: no Amount: {problem} (read as Amount)"
        for index, problem in ((1, "negative"), (2, "KeyError: 'unlucky'"))
    ]


@pytest.mark.parametrize("way", ["step", "child", "state", "awakeable"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"cents": -1}, "value: no Amount: negative"),
        ({"cents": 13}, "value: no Amount: KeyError: 'unlucky'"),
        ({"cents": 1.5}, "value.cents: expected int, got float"),
        ([], "value: expected an object for Amount, got list"),
    ],
)
async def test_what_cannot_be_read_can_be_caught(
    system: System, way: str, value: Any, words: str
) -> None:
    text = await system.client.invoke(reads, way, value)
    kind = {"step": "RUN", "child": "INVOKE", "state": "GET_STATE", "awakeable": "AWAKEABLE"}[way]
    assert re.match(f"operation [01] of reads, {kind} ", text)
    assert f": {words}" in text
    assert text.endswith("(read as Amount)") is (way != "child")
    assert calls == [text]


@pytest.mark.parametrize("way", ["state", "child", "awakeable", "signal"])
async def test_what_cannot_be_written_can_be_caught(system: System, way: str) -> None:
    text = await system.client.invoke(writes, way)
    assert text == "a value of type Broken is no JSON: LookupError: no form"
    assert calls == [text]


async def test_a_client_cannot_read_a_result_either(system: System) -> None:
    with pytest.raises(durable.CodecError, match="value: no Amount: negative"):
        await system.client.invoke(gives_amount, {"cents": -1})
