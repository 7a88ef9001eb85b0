"""The allowance of a caller: its rate and its calls in flight."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.access.allowance import Allowances, Excess
from durable_server.config import Config
from tests.access_check.callers import Tokens, bearer
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually


def test_a_burst_of_a_second_passes_and_then_the_rate_holds() -> None:
    allowances = Allowances(rate=10, calls=0)
    assert [allowances.begin("a", 100.0) for _ in range(10)] == [None] * 10
    excess = allowances.begin("a", 100.05)
    assert excess == Excess("identity_rate", 10, pytest.approx(0.05))
    assert allowances.begin("b", 100.05) is None
    assert allowances.begin("a", 100.1001) is None
    assert allowances.begin("a", 100.101) is not None
    assert [allowances.begin("a", 300.0) for _ in range(10)] == [None] * 10
    assert allowances.begin("a", 300.0) is not None


def test_calls_in_flight_are_bounded_and_a_refused_one_does_not_count() -> None:
    allowances = Allowances(rate=0, calls=2)
    assert allowances.begin("a", 0.0) is None
    assert allowances.begin("a", 0.0) is None
    assert [allowances.begin("a", 0.0) for _ in range(3)] == [Excess("identity_calls", 2, 1.0)] * 3
    assert allowances.begin("b", 0.0) is None
    allowances.end("a")
    assert allowances.begin("a", 0.0) is None
    assert allowances.begin("a", 0.0) is not None


def test_callers_that_make_no_calls_are_forgotten() -> None:
    allowances = Allowances(rate=1, calls=1)
    for number in range(20_000):
        assert allowances.begin(number, number / 10) is None
        allowances.end(number)
        assert len(allowances) <= 2048
    busy = Allowances(rate=1, calls=0)
    for number in range(3000):
        busy.begin(number, 0.0)
    assert len(busy) == 3000


def test_without_limits_all_pass() -> None:
    allowances = Allowances(rate=0, calls=0)
    assert [allowances.begin("a", 0.0) for _ in range(1000)] == [None] * 1000
    for _ in range(1000):
        allowances.end("a")
    assert len(allowances) == 0


class TestOverGrpc:
    @pytest.fixture
    def config(self, config: Config) -> Config:
        limits = config.limits._replace(identity_rate=20, identity_calls=3)
        return replace(config, limits=limits)

    async def test_a_caller_over_its_rate_gets_a_hint_when_to_retry(
        self, control: control_pb2_grpc.DurableControlAsyncStub, tokens: Tokens
    ) -> None:
        one, two = [bearer(await tokens.add(it, "read")) for it in ("one", "two")]
        request = control_pb2.GetServerInfoRequest()

        async def many() -> None:
            for _ in range(1000):
                await control.GetServerInfo(request, metadata=one)

        with pytest.raises(grpc.aio.AioRpcError) as error:
            await many()
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailer = dict(error.value.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailer["grpc-status-details-bin"])  # type: ignore[arg-type]  # binary metadata is bytes
        info, hint = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(hint)
        assert (info.reason, info.metadata["limit"]) == ("LIMIT_REACHED", "identity_rate")
        assert 0 < hint.retry_delay.ToMilliseconds() <= 50
        await control.GetServerInfo(request, metadata=two)

    async def test_calls_that_are_refused_count_too(
        self, control: control_pb2_grpc.DurableControlAsyncStub, tokens: Tokens
    ) -> None:
        reader = bearer(await tokens.add("reader", "read"))
        request = control_pb2.CancelRequest(invocation_id="i")

        async def code() -> grpc.StatusCode:
            try:
                await control.Cancel(request, metadata=reader)
            except grpc.aio.AioRpcError as error:
                return error.code()
            raise AssertionError("it is not refused")

        codes = await asyncio.gather(*(code() for _ in range(1000)))
        assert set(codes) == {
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        }

    async def test_streams_count_among_the_calls_in_flight_until_they_end(
        self,
        channel: grpc.aio.Channel,
        control: control_pb2_grpc.DurableControlAsyncStub,
        tokens: Tokens,
    ) -> None:
        one, two = [bearer(await tokens.add(it, "admin")) for it in ("one", "two")]
        async with ManualWorker(channel, metadata=two):
            invoked = await control.Invoke(control_pb2.InvokeRequest(handler="three"), metadata=one)
            request = control_pb2.WatchInvocationRequest(invocation_id=invoked.invocation_id)
            watches = [control.WatchInvocation(request, metadata=one) for _ in range(3)]
            for it in watches:
                await it.read()

            async def problem() -> str:
                try:
                    await control.GetServerInfo(control_pb2.GetServerInfoRequest(), metadata=one)
                except grpc.aio.AioRpcError as error:
                    return error.details() or ""
                return ""

            assert "identity_calls (3)" in await problem()
            await control.GetServerInfo(control_pb2.GetServerInfoRequest(), metadata=two)
            watches[0].cancel()

            async def passes() -> bool:
                return not await problem()

            await eventually(passes)
