"""One trace per invocation, across client, control plane, workers, a crash, replays and a service."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import durable
from durable._tracing.find import find_tracing
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.sessions.times import SessionTimes
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows


class Hello(hello_pb2_grpc.HelloServiceServicer):
    """Remembers the metadata of each call."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def SayHello(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
        return hello_pb2.HelloResponse(message=f"hello {request.name}")


@pytest.fixture
async def hello() -> AsyncIterator[tuple[Hello, str]]:
    service = Hello()
    server = grpc.aio.server()
    hello_pb2_grpc.add_HelloServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield service, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., InMemorySpanExporter]:
    """Sets up an OpenTelemetry SDK for one test: the real setter works only once in a process."""

    def set_up(**options: Any) -> InMemorySpanExporter:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(**options)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
        return exporter

    return set_up


@pytest.fixture
def spans(set_up: Callable[..., InMemorySpanExporter]) -> InMemorySpanExporter:
    return set_up()


@pytest.fixture
def no_steps() -> Iterator[None]:
    flows.ran.clear()
    yield
    flows.ran.clear()


def config(folder: Path, listen: str = "127.0.0.1:0") -> Config:
    times = SessionTimes(heartbeat=0.5, timeout=3.0, grace=0.02)
    return Config(listen=listen, data_dir=folder / "data", grace_seconds=0.2, times=times)


async def test_one_trace_through_retries_a_crash_and_replays(
    tmp_path: Path, spans: InMemorySpanExporter, hello: tuple[Hello, str], no_steps: None
) -> None:
    async with ControlPlane(config(tmp_path)) as plane:
        address = plane.address
        client = durable.AsyncClient(address, timeout=30)
        worker = await employ(address, hello[1], suspend_after=0)
        started = await client.invoke_async(flows.journey, "Ann")
        await at_its_door(client, started)
        # The worker dies first, then the control plane with everything it had in memory.
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    async with ControlPlane(config(tmp_path, address)):
        worker = await employ(address, hello[1], suspend_after=None)
        await client.resolve_awakeable(f"go-{started}")
        assert (await client.get_result(started)).value() == "HELLO ANN"
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    await client.close()

    finished = spans.get_finished_spans()
    assert len({span.context.trace_id for span in finished}) == 1
    by_id = {span.context.span_id: span for span in finished}
    (root,) = [span for span in finished if span.parent is None]
    assert (root.name, root.kind) == ("durable.v1.DurableControl/Invoke", trace.SpanKind.CLIENT)
    assert root.attributes["durable.invocation_id"] == started
    (served,) = [span for span in finished if span.kind is trace.SpanKind.SERVER]
    assert served.parent.span_id == root.context.span_id
    assert served.attributes["durable.invocation_id"] == started
    attempts = {
        (it.attributes["durable.handler"], it.attributes["durable.attempt"]): it
        for it in finished
        if it.kind is trace.SpanKind.CONSUMER
    }
    # Each attempt has one span, all below the client's; the child's are there too.
    assert len(attempts) == sum(it.kind is trace.SpanKind.CONSUMER for it in finished)
    numbers = sorted(number for handler, number in attempts if handler == "journey")
    assert numbers == list(range(1, len(numbers) + 1))
    assert {it.parent.span_id for it in attempts.values()} == {root.context.span_id}
    assert all(it.attributes["durable.build_id"] == "b-1" for it in attempts.values())
    outcomes = [attempts["journey", number].attributes["durable.outcome"] for number in numbers]
    assert outcomes[:2] == ["failed", "failed"]
    assert outcomes[-1] == "finished"
    assert set(outcomes[2:-1]) == {"suspended"}
    assert attempts["child", 1].attributes["durable.outcome"] == "finished"
    # A step has one span per run; a replayed step has none.
    steps = [it for it in finished if "durable.entry" in (it.attributes or {})]
    assert Counter(it.name for it in steps) == {
        "step flaky": 3,
        "hello.v1.HelloService/SayHello": 1,
        "step shout": 1,
        "step late": 1,
    }
    for step in steps:
        above = by_id[step.parent.span_id]
        for name in ("invocation_id", "attempt", "handler", "build_id"):
            name = f"durable.{name}"
            assert step.attributes[name] == above.attributes[name]
    own = [it for it in steps if it.attributes["durable.handler"] == "journey"]
    own.sort(key=lambda it: it.start_time)
    places = [(it.attributes["durable.attempt"], it.attributes["durable.entry"]) for it in own]
    assert places == sorted(places)
    assert [entry for _, entry in places] == [1, 1, 1, 2, 5]
    assert [it.status.status_code.name for it in own] == ["ERROR", "ERROR", *["UNSET"] * 3]
    # The service gets the span of the call itself as its parent.
    (call,) = [it for it in steps if it.kind is trace.SpanKind.CLIENT]
    assert call.attributes["rpc.method"] == "hello.v1.HelloService/SayHello"
    assert call.attributes["rpc.response.status_code"] == "OK"
    (metadata,) = hello[0].seen
    assert metadata["traceparent"] == parent_of(call)


def parent_of(span: ReadableSpan) -> str:
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


async def employ(address: str, service: str, suspend_after: float | None) -> asyncio.Task[None]:
    """Starts a worker."""
    worker = durable.Worker(
        address,
        workflows=flows.WORKFLOWS,
        services={"HelloService": service},
        suspend_after=suspend_after,
        build_id="b-1",
    )
    task = asyncio.create_task(worker.run())
    await worker.ready()
    return task


async def at_its_door(client: durable.AsyncClient, invocation_id: str) -> None:
    """Waits until the invocation is suspended at its awakeable."""
    kinds: set[str] = set()
    async with asyncio.timeout(20):
        async for seen in client.watch(invocation_id):
            kinds |= {entry.kind for entry in seen.journal}
            if "AWAKEABLE" in kinds and seen.status == "suspended":
                return


async def test_the_callers_span_is_the_parent_and_its_header_wins(
    spans: InMemorySpanExporter,
) -> None:
    async with durable.AsyncClient.local(timeout=30) as client:
        client.register(flows.child)
        await client.serve_handlers()
        with trace.get_tracer_provider().get_tracer("mine").start_as_current_span("mine") as mine:
            await client.invoke(flows.child, "a")
            theirs = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
            await client.options(headers={"traceparent": theirs}).invoke(flows.child, "b")
    inside, other = [it for it in spans.get_finished_spans() if it.kind is trace.SpanKind.CLIENT]
    for call in (inside, other):
        assert call.parent.span_id == mine.get_span_context().span_id
    first, second = [it for it in spans.get_finished_spans() if it.kind is trace.SpanKind.CONSUMER]
    assert first.attributes["durable.build_id"], "the worker has found it"
    assert first.parent.span_id == inside.context.span_id
    assert (first.context.trace_id, second.context.trace_id) == (
        inside.context.trace_id, int("a" * 32, 16),
    )  # fmt: skip
    assert second.parent.span_id == int("b" * 16, 16)


async def test_a_users_span_in_a_step_is_below_it(spans: InMemorySpanExporter) -> None:
    tracer = trace.get_tracer_provider().get_tracer("mine")

    @durable.workflow
    async def inner(ctx: durable.Context) -> None:
        def blocking() -> None:
            tracer.start_span("in a thread").end()

        async def running() -> None:
            tracer.start_span("in a task").end()

        async def later() -> None:
            tracer.start_span("in a rest").end()

        await ctx.run("blocking", blocking)
        await ctx.run("running", running)
        await ctx.run("rest", lambda: later())
        assert trace.get_current_span() is trace.INVALID_SPAN

    async with durable.AsyncClient.local(timeout=30) as client:
        client.register(inner)
        await client.serve_handlers()
        await client.invoke(inner)
    found = {it.name: it for it in spans.get_finished_spans()}
    for name, step in (("a thread", "blocking"), ("a task", "running"), ("a rest", "rest")):
        assert found[f"in {name}"].parent.span_id == found[f"step {step}"].context.span_id


async def test_a_refused_invoke_is_an_error_with_its_code(
    plane: ControlPlane, spans: InMemorySpanExporter
) -> None:
    async with durable.AsyncClient(plane.address, timeout=30) as client:
        with pytest.raises(durable.NotFoundError):
            await client.invoke("nothing")
    (call,) = spans.get_finished_spans()
    assert call.attributes["rpc.response.status_code"] == "NOT_FOUND"
    assert call.status.status_code is trace.StatusCode.ERROR


@pytest.mark.parametrize("sampled", [True, False])
async def test_without_a_trace_in_the_headers_the_invocation_names_it(
    set_up: Callable[..., InMemorySpanExporter], sampled: bool
) -> None:
    async with durable.AsyncClient.local(timeout=30) as client:  # made before there is an SDK
        spans = set_up() if sampled else set_up(sampler=ALWAYS_OFF)
        client.register(flows.child)
        await client.serve_handlers()
        started = await client.invoke_async(flows.child, "a")
        await client.get_result(started)
    found = {it.name: it for it in spans.get_finished_spans()}
    assert set(found) == ({"attempt child", "step shout"} if sampled else set())
    for span in found.values():
        assert span.context.trace_id == int(started, 16)


async def test_a_step_that_is_cut_off_has_that_in_its_span(spans: InMemorySpanExporter) -> None:
    begun = asyncio.Event()

    @durable.workflow
    async def stuck(ctx: durable.Context) -> None:
        async def forever() -> None:
            begun.set()
            await asyncio.sleep(3600)

        await ctx.run("forever", forever)

    async with durable.AsyncClient.local(timeout=30) as client:
        client.register(stuck)
        await client.serve_handlers()
        started = await client.invoke_async(stuck)
        await begun.wait()
        await client.cancel(started, force=True)
        await eventually(lambda: len(spans.get_finished_spans()) >= 3)
    found = {it.name: it.attributes for it in spans.get_finished_spans()}
    assert found["step forever"]["durable.outcome"] == "abandoned"
    assert found["attempt stuck"]["durable.outcome"] == "abandoned"


def test_without_an_sdk_there_is_no_tracing() -> None:
    assert find_tracing() is None


async def test_without_an_sdk_nothing_is_imported() -> None:
    program = (
        "import sys, durable, durable_server.rpc.control\n"
        "with durable.Client.local() as client: pass\n"
        "assert not [it for it in sys.modules if it.startswith('opentelemetry')]\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await child.wait() == 0


def test_the_environment_sets_traces_up_in_a_worker_process(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, address):
        worker = command("worker", "tests.metrics.flows", "--address", address)
        environment = {"OTEL_TRACES_EXPORTER": "console,nowhere", "OTEL_BSP_SCHEDULE_DELAY": "10"}
        with (
            running(worker, tmp_path / "worker.log", environment=environment) as child,
            durable.Client(address) as client,
        ):
            until(client.list_workers, "a worker", child)
            started = client.invoke_async(flows.child, "a")
            client.get_result(started)
            until(lambda: '"attempt child"' in child.text(), "the attempt's span", child)
            assert child.terminate() == 0
        text = child.text()
        assert "no traces to nowhere: there is no such exporter" in text
        decoder = json.JSONDecoder()
        first, _ = decoder.raw_decode(text, text.index("{\n"))
        assert first["name"] == "step shout"
        assert first["context"]["trace_id"] == f"0x{started}"
        assert first["resource"]["attributes"]["service.name"] == "durable-worker"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Refusing:
    """A tracer provider that a program has written itself, and that fails to make spans."""

    def get_tracer(self, name: str) -> Any:
        return self

    def start_span(self, *_: Any, **__: Any) -> Any:
        raise Unspeakable


@durable.workflow(retry=durable.RetryPolicy(max_attempts=1))
async def unspeakable(ctx: durable.Context) -> None:
    async def step() -> None:
        raise Unspeakable

    await ctx.run("step", step)


async def test_an_error_without_a_text_ends_as_without_tracing(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    spans: InMemorySpanExporter,
) -> None:
    async def failure() -> Any:
        async with durable.AsyncClient.local(timeout=20) as client:
            client.register(unspeakable)
            await client.serve_handlers()
            started = await client.invoke_async(unspeakable)
            await client.get_result(started)
            failure = (await client.get(started)).failure
            return failure.type, failure.message

    with_tracing = await failure()
    assert "tracing has failed" in caplog.text
    assert "step step" in [span.name for span in spans.get_finished_spans()]
    monkeypatch.undo()
    assert with_tracing == await failure()


async def test_tracing_that_fails_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hello: tuple[Hello, str]
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", Refusing)
    async with durable.AsyncClient.local(timeout=20) as client:
        client.register(flows.child)
        await client.serve_handlers()
        assert await client.invoke(flows.child, "Ann")
    assert "tracing has failed, and all goes on without" in caplog.text
