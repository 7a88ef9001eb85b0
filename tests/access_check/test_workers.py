"""Sessions of workers: which handlers they register, as which worker, and what their programs start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, invocation_pb2, worker_pb2
from tests.access_check.callers import Tokens, bearer, error_of
from tests.support.manual_worker import ManualWorker, open_entry

if TYPE_CHECKING:
    from tests.server.calls import Control


async def test_a_worker_registers_only_handlers_for_which_it_has_the_scope(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    admin = bearer(await tokens.add("admin", "admin"))
    await tokens.add("pattern", "worker:mine.*", "read")
    await tokens.add("namespace", "worker", namespace="mine.")
    for token in ("pattern", "namespace"):
        worker = ManualWorker(
            channel, token, handlers=("mine.do", "theirs.do"), metadata=bearer(tokens.texts[token])
        )
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await worker.__aenter__()
        found = error_of(error.value)
        assert (found.code, found.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
        assert "'theirs.do'" in found.text
        # It has registered nothing.
        known = await control.ListHandlers(control_pb2.ListHandlersRequest(), metadata=admin)
        assert not known.handlers
    for token in ("pattern", "namespace"):
        async with ManualWorker(
            channel, token, handlers=("mine.do",), metadata=bearer(tokens.texts[token])
        ):
            pass


async def test_a_worker_cannot_take_the_place_of_one_that_serves_what_it_may_not(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    admin = bearer(await tokens.add("admin", "admin"))
    theirs = bearer(await tokens.add("theirs", "worker:theirs.*"))
    rotated = bearer(await tokens.add("rotated", "worker:*"))
    mine = bearer(await tokens.add("mine", "worker:mine.*"))
    async with ManualWorker(channel, "w", handlers=("theirs.do",), metadata=theirs) as worker:
        await control.Invoke(control_pb2.InvokeRequest(handler="theirs.do"), metadata=admin)
        about = await worker.receive("start")
        taker = ManualWorker(channel, "w", handlers=("mine.do",), metadata=mine)
        taker.hello.resumed.add(invocation_id=about.invocation_id, attempt=about.attempt)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await taker.__aenter__()
        assert error_of(error.value).reason == "INVALID_FIELD"
        worker.disconnect()
        # Its own worker, with another token, may.
        again = ManualWorker(channel, "w", handlers=("theirs.do",), metadata=rotated)
        again.hello.resumed.add(invocation_id=about.invocation_id, attempt=about.attempt)
        async with again:
            await again.finish(about)


async def test_of_two_workers_that_come_at_once_with_one_id_the_second_is_refused(
    channel: grpc.aio.Channel, tokens: Tokens
) -> None:
    workers = []
    for name in ("theirs", "mine"):
        token = bearer(await tokens.add(name, f"worker:{name}.*"))
        workers.append(ManualWorker(channel, "w", handlers=(f"{name}.do",), metadata=token))
    found = await asyncio.gather(*(it.__aenter__() for it in workers), return_exceptions=True)
    [error] = [it for it in found if isinstance(it, grpc.aio.AioRpcError)]
    assert error_of(error).reason == "INVALID_FIELD"
    # The first one is still there.
    [kept] = [it for it in found if isinstance(it, ManualWorker)]
    assert await kept.next_kind() == "heartbeat"


async def test_a_program_in_a_namespace_starts_only_handlers_of_it(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    admin = bearer(await tokens.add("admin", "admin"))
    mine = bearer(await tokens.add("mine", "worker", namespace="mine."))
    async with (
        ManualWorker(channel, "o", handlers=("theirs.do",), metadata=admin),
        ManualWorker(channel, "m", handlers=("mine.do", "mine.b"), metadata=mine) as worker,
    ):
        texts = {}
        for name in ("theirs.do", "absent.do", "mine.b"):
            request = control_pb2.InvokeRequest(handler="mine.do")
            invocation_id = (await control.Invoke(request, metadata=admin)).invocation_id
            about = await worker.receive("start")
            await worker.send(open_entry(about, 0, "SEND", name, argument=b"1"))
            if name == "mine.b":
                await worker.receive("ack")
                continue
            refused = (await worker.receive("abandon")).abandon
            texts[name] = refused.reason.replace(name, "NAME")
            await control.Cancel(
                control_pb2.CancelRequest(invocation_id=invocation_id, force=True), metadata=admin
            )
        assert texts["theirs.do"] == texts["absent.do"]
        counts = await control.GetStats(control_pb2.GetStatsRequest(), metadata=admin)
        assert not [it for it in counts.counts if it.handler == "theirs.do"]


async def test_a_program_in_a_namespace_reaches_nothing_outside_of_it_by_its_id(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    admin = bearer(await tokens.add("admin", "admin"))
    mine = bearer(await tokens.add("mine", "worker", namespace="mine."))

    async def start(worker: ManualWorker, handler: str) -> worker_pb2.ServerMessage:
        await control.Invoke(control_pb2.InvokeRequest(handler=handler), metadata=admin)
        return await worker.receive("start")

    async with (
        ManualWorker(channel, "o", handlers=("theirs.do",), metadata=admin) as other,
        ManualWorker(channel, "m", handlers=("mine.do",), metadata=mine) as worker,
    ):
        theirs, own = await start(other, "theirs.do"), await start(worker, "mine.do")
        await other.send(open_entry(theirs, 0, "AWAKEABLE", "their-key"))
        await other.receive("ack")
        await worker.send(open_entry(own, 0, "AWAKEABLE", "my-key"))
        await worker.receive("ack")
        for kind, name, target in (
            ("ATTACH", "", theirs.invocation_id),
            ("CANCEL", "", theirs.invocation_id),
            ("RESOLVE", "signal", theirs.invocation_id),
            ("RESOLVE", f"{theirs.invocation_id}-a", ""),
            ("RESOLVE", "their-key", ""),
            ("AWAKEABLE", f"{theirs.invocation_id}.approval", ""),
            ("AWAKEABLE", f"{'0' * 32}.approval", ""),
            ("RESOLVE", "nobody", ""),
        ):
            about = await start(worker, "mine.do")
            await worker.send(open_entry(about, 0, kind, name, target=target, argument=b"1"))
            refused = (await worker.receive("abandon")).abandon
            noun = "invocation" if target else "awakeable"
            assert refused.reason == f"no {noun} {target or name!r}", kind
            cancel = control_pb2.CancelRequest(invocation_id=about.invocation_id, force=True)
            await control.Cancel(cancel, metadata=admin)
        request = control_pb2.GetInvocationRequest(
            invocation_id=theirs.invocation_id, include_journal=True
        )
        found = (await control.GetInvocation(request, metadata=admin)).invocation
        assert found.state == invocation_pb2.INVOCATION_STATE_RUNNING
        assert not found.HasField("cancel")
        assert [it.HasField("outcome") for it in found.journal] == [False]
        # Within the namespace all of it goes on.
        about = await start(worker, "mine.do")
        for index, (kind, name, target) in enumerate(
            (
                ("RESOLVE", "signal", own.invocation_id),
                ("RESOLVE", "my-key", ""),
                ("CANCEL", "", own.invocation_id),
                ("ATTACH", "", "0" * 32),
                ("AWAKEABLE", f"{about.invocation_id}.approval", ""),
                ("AWAKEABLE", f"{own.invocation_id}.approval", ""),
            )
        ):
            await worker.send(open_entry(about, index, kind, name, target=target, argument=b"1"))
        entries = {}
        async for it in control.WatchInvocation(
            control_pb2.WatchInvocationRequest(
                invocation_id=about.invocation_id, include_journal=True
            ),
            metadata=admin,
        ):
            entries.update({entry.index: entry for entry in it.invocation.journal})
            ended = {number for number, entry in entries.items() if entry.HasField("outcome")}
            if len(entries) == 6 and ended == {0, 1, 2, 3}:
                break
        results = [entries[it].outcome.WhichOneof("result") for it in range(4)]
        assert results[:3] == ["value"] * 3
        assert entries[3].outcome.failure.type == "durable.InvocationNotFound"
