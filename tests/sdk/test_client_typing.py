"""Types flow through the client: mypy and pyright are asked, on one file of snippets.

A line that ends in `# R: T` must reveal the type T, one that ends in `# E` must be an error, and no
other line may be one; both checkers must agree.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SNIPPETS = """
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Optional

import durable
from examples.services.hello_v1 import hello_pb2


@dataclass
class Order:
    item: str


@durable.workflow
async def hello(ctx: durable.Context, name: str, times: int = 1) -> str:
    return name * times


@durable.workflow(name="bare")
async def bare(ctx: durable.Context) -> list[Order]:
    return []


@durable.workflow
async def nothing(ctx: durable.Context, order: Order) -> None: ...


@durable.workflow
async def named(ctx: durable.Context, name: str = "x") -> str:
    return name


@durable.object("cart")
class Cart:
    @durable.handler
    async def add(self, ctx: durable.Context, item: str) -> list[str]:
        return [item]

    @durable.shared
    async def items(self, ctx: durable.Context) -> list[str]:
        return []


def objects(client: durable.Client) -> None:
    cart = client.options(key="ann", timeout=5)
    reveal_type(cart.invoke(Cart.add, "tea"))  # R: list[str]
    reveal_type(cart.invoke(Cart.items))  # R: list[str]
    reveal_type(cart.invoke(Cart.add.ref(), "tea"))  # R: list[str]
    reveal_type(cart.invoke_async(Cart.add, item="tea"))  # R: str
    reveal_type(cart.invoke(hello, "x"))  # R: str
    reveal_type(cart.options(timeout=1).invoke(Cart.items))  # R: list[str]
    reveal_type(client.get_result("id", Cart.add).value())  # R: list[str]
    view: durable.KeyedClient = cart
    view.invoke("cart.add", "tea")
    cart.invoke(Cart.add)  # E
    cart.invoke(Cart.add, 1)  # E
    cart.invoke(hello, 1)  # E
    client.invoke(Cart.add, "tea")  # E
    client.invoke(Cart.items)  # E
    client.invoke(Cart.add.ref(), "tea")  # E
    client.invoke_async(Cart.add, "tea")  # E
    client.options(timeout=5).invoke(Cart.add, "tea")  # E


async def async_objects(client: durable.AsyncClient) -> None:
    cart: durable.KeyedAsyncClient = client.options(key="ann")
    reveal_type(await cart.invoke(Cart.add, "tea"))  # R: list[str]
    reveal_type(await cart.invoke_async(Cart.items))  # R: str
    await cart.invoke(Cart.add, 1)  # E
    await client.invoke(Cart.add, "tea")  # E
    await client.invoke_async(Cart.items)  # E


async def in_a_workflow(ctx: durable.Context) -> None:
    cart: durable.KeyedContext = ctx.options(key="ann")
    reveal_type(await cart.invoke(Cart.add, "tea"))  # R: list[str]
    reveal_type(await cart.send(Cart.add, "tea"))  # R: str
    await cart.send_delayed(Cart.add, "tea", 5)
    await cart.send_delayed(Cart.items, None, 5)
    await cart.invoke(Cart.add, 1)  # E
    await cart.send_delayed(Cart.add, 1, 5)  # E
    await ctx.invoke(Cart.add, "tea")  # E
    await ctx.send(Cart.items)  # E
    await ctx.send_delayed(Cart.add, "tea", 5)  # E
    await Cart.add(ctx, "tea")
    await Cart.add(ctx, 1)  # E

    await ctx.send_delayed(named, "x", timedelta(hours=1))
    await ctx.send_delayed(named, None, 5)
    await ctx.send_delayed(nothing, Order("x"), 5)
    await ctx.send_delayed(bare, None, 5)
    await ctx.send_delayed(hello, {"name": "x", "times": 2}, 5)
    await ctx.send_delayed("named", [1, 2], 5)
    await ctx.send_delayed(named.ref(), "x", 5)
    await ctx.send_delayed(named, 1, 5)  # E
    await ctx.send_delayed(hello, 1, 5)  # E
    await ctx.send_delayed(nothing, "x", 5)  # E
    await ctx.send_delayed(bare, 1, 5)  # E
    await ctx.send_delayed(named, "x")  # E


async def unions(ctx: durable.Context) -> None:
    one: str | None = await ctx.promise("a", type=str | None)
    two: Order | None = await ctx.awakeable(type=Order | None)
    three: int | str = await ctx.signal("s", type=int | str)
    four: list[str] | None = await ctx.get("g", list[str] | None)
    five: int | None = await ctx.get("g", int | None, None)
    six: str | None = await ctx.promise("a", type=Optional[str])
    seven: str = await ctx.signal("s", type=Literal["yes", "no"])
    eight: Order | None = await ctx.invoke(durable.ref("h", Order | None), "x")
    print(one, two, three, four, five, six, seven, eight)
    reveal_type(await ctx.promise("a", type=list[str]))  # R: list[str]
    reveal_type(await ctx.signal("a", type=Order))  # R: Order
    reveal_type(await ctx.get("g", str))  # R: str | None
    reveal_type(await ctx.get("g", str, ""))  # R: str
    await ctx.promise("a", type=5)  # E
    await ctx.signal("a", type="str")  # E


def failures(error: durable.InvocationFailedError) -> None:
    reveal_type(error.code)  # R: int
    reveal_type(error.metadata)  # R: dict[str, str]
    reveal_type(error.type)  # R: str
    reveal_type(error.message)  # R: str


def sync_client(client: durable.Client) -> None:
    reveal_type(client.resolve_awakeable("a", 1).repeated)  # R: bool
    reveal_type(client.invoke(hello, "x"))  # R: str
    reveal_type(client.invoke(hello, name="x", times=2))  # R: str
    reveal_type(client.invoke(bare))  # R: list[Order]
    reveal_type(client.invoke(hello.ref(), "x"))  # R: str
    reveal_type(client.options(partition_key="p", timeout=None).invoke(hello, "x"))  # R: str
    reveal_type(client.options(delay=timedelta(hours=1)).invoke_async(hello, "x"))  # R: str
    reveal_type(client.invoke("hello", {"any": "thing"}))  # R: Result[Any]
    reveal_type(client.invoke("hello"))  # R: Result[Any]
    reveal_type(client.invoke_async(hello, "x"))  # R: str
    reveal_type(client.invoke_async("hello"))  # R: str
    reveal_type(client.get_result("id", hello).value())  # R: str
    reveal_type(client.get_result("id", bare.ref(), timeout=1).value())  # R: list[Order]
    reveal_type(client.get_result("id").value())  # R: Any
    result = client.get_result("id", timeout=None)
    reveal_type(result.first_response(hello_pb2.HelloResponse).message)  # R: str
    reveal_type(client.query(status="failed").invocations[0].status)  # R: str
    reveal_type(client.restart("id", from_index=2))  # R: str
    reveal_type(client.get_state(object="cart", key="k"))  # R: dict[str, Any]
    for change in client.watch("id"):
        reveal_type(change.deadline)  # R: datetime | None
    for listed in client.query_all(status="failed"):
        reveal_type(listed.awakeables[0].resolved)  # R: bool
    client.pause("id", reason="r", timeout=1)
    client.query_all(state="failed")  # E
    client.set_state(object="cart", key="k", values=[1])  # E
    client.invoke(nothing, Order("x"))
    client.invoke(hello)  # E
    client.invoke(hello, 1)  # E
    client.invoke(hello, "x", "2")  # E
    client.invoke(hello, nam="x")  # E
    client.invoke(bare, 1)  # E
    client.invoke_async(hello, 1)  # E
    client.invoke("hello", 1, 2)  # E
    client.options(partition="p")  # E
    client.query(state="failed")  # E
    client.get_result("id", hello).value() + 1  # E


async def async_client(client: durable.AsyncClient) -> None:
    reveal_type(await client.invoke(hello, "x"))  # R: str
    reveal_type(await client.invoke(bare))  # R: list[Order]
    reveal_type(await client.invoke(hello.ref(), "x", times=2))  # R: str
    reveal_type(await client.options(service="S").invoke(hello, "x"))  # R: str
    reveal_type(await client.invoke("hello"))  # R: Result[Any]
    reveal_type(await client.invoke_async(hello, "x"))  # R: str
    reveal_type((await client.get_result("id", hello)).value())  # R: str
    async for change in client.watch("id"):
        reveal_type(change.status)  # R: str
    async for listed in client.query_all(handler="hello"):
        reveal_type(listed.status)  # R: str
    reveal_type(await client.pause("id"))  # R: str
    await client.invoke(nothing, Order("x"))
    await client.invoke(hello)  # E
    await client.invoke(hello, 1)  # E
    await client.invoke(nothing, "x")  # E
    await client.invoke_async(hello, 1)  # E
    with client:  # E
        pass
"""


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


Found = dict[int, list[str]]
"""The messages by line."""


def mypy(folder: Path) -> tuple[Found, Found]:
    """Returns what is revealed and what is wrong."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(folder / "cache"), "--hide-error-context", "snippets.py"]
    revealed: Found = {}
    wrong: Found = {}
    for line in _run(*command, folder=folder).splitlines():
        found = re.match(r"snippets\.py:(\d+): (note|error): (.*)", line)
        if found is None:
            continue
        number, message = int(found[1]), found[3]
        if "Revealed type" in message:
            revealed.setdefault(number, []).append(message)
        elif found[2] == "error":
            wrong.setdefault(number, []).append(message)
    return revealed, wrong


def pyright(folder: Path) -> tuple[Found, Found]:
    """Returns what is revealed and what is wrong."""
    paths = [str(ROOT / name) for name in ("sdk", "gen/python", ".")]
    settings = {
        "extraPaths": paths,
        "include": ["snippets.py"],
        "pythonVersion": "3.11",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    output = _run(sys.executable, "-m", "pyright", "--outputjson", folder=folder)
    revealed: Found = {}
    wrong: Found = {}
    for item in json.loads(output)["generalDiagnostics"]:
        number = item["range"]["start"]["line"] + 1
        if item["severity"] == "information":
            revealed.setdefault(number, []).append(item["message"])
        elif item["severity"] == "error":
            wrong.setdefault(number, []).append(item["message"])
    return revealed, wrong


def _plain(message: str) -> str:
    """The revealed type without module names and decoration."""
    quoted = re.findall(r'"([^"]*)"', message)[-1]
    return re.sub(r"(?:\w+\.)+(?=\w)", "", quoted)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_types_flow_through(checker: Callable[[Path], tuple[Found, Found]], tmp_path: Path) -> None:
    (tmp_path / "snippets.py").write_text(SNIPPETS)
    revealed, wrong = checker(tmp_path)
    expected = {}
    errors = set()
    for number, line in enumerate(SNIPPETS.splitlines(), 1):
        code, _, comment = line.rpartition("  # ")
        if comment.startswith("R: "):
            expected[number] = (code.strip(), comment[3:])
        elif comment == "E":
            errors.add(number)
    actual = {
        number: (expected.get(number, ("",))[0], _plain(messages[0]))
        for number, messages in revealed.items()
    }
    assert actual == expected
    unexpected = {number: texts for number, texts in wrong.items() if number not in errors}
    assert not unexpected
    accepted = errors - set(wrong)
    assert not accepted, [SNIPPETS.splitlines()[number - 1] for number in accepted]


FORGOTTEN = """
import asyncio

import durable


@durable.workflow
async def child(ctx: durable.Context) -> int:
    return 1


async def helper() -> None: ...


@durable.workflow
async def parent(ctx: durable.Context) -> None:
    ctx.run("x", int)  # F
    ctx.sleep(1)  # F
    ctx.invoke(child)  # F
    ctx.signal("go")  # F
    ctx.awakeable()  # F
    asyncio.create_task(helper())  # F
    asyncio.gather(helper())  # F
    helper()  # F
    if ctx.get("x", bool):  # M
        return
    number: int = ctx.run("y", int)  # F
    _ = ctx.send(child)
    await ctx.sleep(number)
"""


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_checkers_find_a_forgotten_await_with_the_settings_that_are_documented(
    tmp_path: Path, checker: str
) -> None:
    """Lines with F are found by both, with M by mypy alone, no others by any."""
    path = tmp_path / "forgotten.py"
    path.write_text(FORGOTTEN)
    if checker == "mypy":
        codes = ["--enable-error-code=unused-awaitable", "--enable-error-code=truthy-bool"]
        command = [sys.executable, "-m", "mypy", "--strict", *codes, str(path)]
    else:
        settings = tmp_path / "pyrightconfig.json"
        settings.write_text(json.dumps({"include": ["."], "reportUnusedCallResult": "error"}))
        command = [sys.executable, "-m", "pyright", "-p", str(settings)]
        command += ["--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {int(it) for it in re.findall(r"forgotten\.py:(\d+):.*\berror\b", done.stdout)}
    marks = "FM" if checker == "mypy" else "F"
    expected = {
        number
        for number, line in enumerate(FORGOTTEN.splitlines(), 1)
        if any(line.endswith(f"# {mark}") for mark in marks)
    }
    assert found == expected, done.stdout + done.stderr
