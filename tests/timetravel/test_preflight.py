"""Preflight: many runs, what is found grouped by cause, and what user code does meanwhile."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable
from durable._client.live_preflight import Chosen, preflight_live
from durable._common.codecs.messages import encode_message
from durable._timetravel.preflight import preflight_runs
from durable.testing import Environment, preflight
from durable_proto.v1 import payload_pb2

from . import after, before


def _start(env: Environment, count: int) -> list[str]:
    ids = [env.client.invoke_async(before.order, "tea", number) for number in range(count)]
    env.settle()
    return ids


def test_compatible_code_is_ok(env: Environment) -> None:
    _start(env, 20)
    report = preflight([after.order_with(after.same)], env.client)
    assert report.ok
    assert report.count == 20
    assert str(report) == "20 invocations replayed, 0 with a problem"


def test_one_cause_is_one_problem(env: Environment) -> None:
    ids = _start(env, 20)
    env.client.invoke_async(before.approval, {"eur": 3})
    env.settle()
    report = preflight([after.order_with(after.inserted), before.approval], env.client)
    assert not report.ok
    assert report.count == 21
    (problem,) = report.problems
    assert (problem.handler, problem.verdict, problem.count) == ("order", "held", 20)
    assert (problem.entry_index, problem.expected, problem.got) == (
        *(1, "SET_STATE 'charged'", "RUN 'tax'"),
    )
    assert sorted(problem.invocation_ids) == sorted(ids)
    text = str(report)
    assert "20 of order would be held\n    operation 1: the journal has SET_STATE 'charged'" in text
    assert "the program has RUN 'tax'" in text
    assert f"at {after.__file__}:" in text
    assert text.endswith("21 invocations replayed, 20 with a problem")
    data = report.to_dict()
    assert not data["ok"]
    assert data["problems"][0]["count"] == 20
    assert len(data["problems"][0]["invocation_ids"]) == 3


def test_a_handler_that_is_gone_is_a_problem(env: Environment) -> None:
    _start(env, 2)
    report = preflight([before.approval], env.client)
    (problem,) = report.problems
    assert (problem.handler, problem.verdict, problem.count) == ("order", "unknown_handler", 2)


def test_filters_choose_among_live_ones(env: Environment) -> None:
    _start(env, 2)
    env.client.invoke_async(before.approval, {"eur": 3})
    env.settle()
    env.client.invoke_async(before.order, "tea", 3)
    report = preflight([before.approval], env.client, handler="approval")
    assert (report.ok, report.count) == (True, 1)


def test_what_has_ended_is_left_out(env: Environment) -> None:
    _start(env, 2)
    env.advance(3601)
    running = _start(env, 1)
    report = preflight([after.order_with(after.renamed)], env.client)
    assert report.count == 1
    assert report.problems[0].invocation_ids == running


def test_what_ends_between_its_listing_and_its_export_is_left_out(env: Environment) -> None:
    ended, removed = _start(env, 2)
    env.advance(3601)
    (running,) = _start(env, 1)
    env.client.purge(removed)
    seen: list[tuple[int, int]] = []
    chosen = Chosen([ended, running, removed])
    report = preflight_live(
        *(env.client, {"order": before.order}, chosen),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (report.count, report.left_out, report.ok) == (1, 2, True)
    assert str(report).endswith("0 with a problem; 2 left out, because they have ended")
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_what_fails_as_before_is_no_problem(env: Environment) -> None:
    env.client.invoke_async(before.unlucky)
    env.settle()
    report = preflight([before.unlucky], env.client)
    assert (report.ok, report.count, report.as_before) == (True, 1, 1)
    assert str(report) == "1 invocation replayed, 0 with a problem; 1 fail as they did before"


def test_runs_come_from_a_file_too(env: Environment, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    durable.ExportedRun.write(path, [env.client.export(it) for it in _start(env, 3)])
    assert preflight([before.order], path).count == 3
    assert not preflight([after.order_with(after.renamed)], str(path)).ok
    with pytest.raises(ValueError, match="filters"):
        preflight([before.order], path, handler="order")


def test_what_is_no_run_is_refused(run: durable.ExportedRun) -> None:
    with pytest.raises(TypeError, match="is no exported run"):
        preflight([before.order], [run.message])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="is no exported run"):
        preflight([before.order], durable.AsyncClient("127.0.0.1:1"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is no workflow"):
        preflight([after.same], [run])  # type: ignore[list-item]


@pytest.mark.parametrize("body", [after.spins, after.spins_and_catches, after.blocks])
def test_code_that_never_comes_to_rest_is_found(run: durable.ExportedRun, body: after.Body) -> None:
    runs = [run] * 5
    report = preflight([after.order_with(body)], runs, timeout=0.05)
    (problem,) = report.problems
    assert (problem.verdict, problem.count, report.skipped) == ("stuck", 3, 2)
    assert problem.place.startswith(after.__file__)
    assert "has not come to rest in 0.05 s" in problem.text
    # And the next one is replayed as if nothing had been.
    assert preflight([before.order], runs, timeout=30).ok


def test_a_replay_is_silent_and_the_rest_is_not(
    run: durable.ExportedRun, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("shop")

    async def talks(ctx: durable.Context) -> None:
        print("a replay speaks")
        logger.error("a replay logs")
        await after.same(ctx)

    def between() -> Iterator[durable.ExportedRun]:
        yield run
        print("between two replays")
        logger.error("between two")
        yield run

    assert preflight_runs({"order": after.order_with(talks)}, between()).ok
    out, err = capsys.readouterr()
    assert (out, err) == ("between two replays\n", "")
    assert [it.message for it in caplog.records if it.name == "shop"] == ["between two"]


def test_streams_and_logs_are_as_before(run: durable.ExportedRun) -> None:
    before_it = sys.stdout, sys.stderr, logging.root.manager.disable
    preflight([after.order_with(after.spins)], [run], timeout=0.05)
    assert (sys.stdout, sys.stderr, logging.root.manager.disable) == before_it


def test_no_step_is_run_and_no_worker_is_deposed(env: Environment) -> None:
    ran: list[int] = []

    async def ships(ctx: durable.Context) -> None:
        await ctx.run("charge", lambda: ran.append(1))
        ctx.set("charged", 2)
        group = [ctx.sleep(3600), ctx.run("ship", lambda: ran.append(2))]
        await group[0]

    (invocation_id,) = _start(env, 1)
    found = env.client.get(invocation_id)
    assert preflight([after.order_with(ships)], env.client).ok
    assert not ran
    again = env.client.get(invocation_id)
    assert (again.status, again.attempt, again.worker_id, len(again.journal)) == (
        *(found.status, found.attempt, found.worker_id, len(found.journal)),
    )


class _Reversing(durable.Codec):
    """A codec that any test can read."""

    def encode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        kind = "application/x-durable-reversed"
        return payload_pb2.Payload(content_type=kind, data=payload.data[::-1])

    def decode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        return payload_pb2.Payload(data=payload.data[::-1])


def test_encoded_values_need_the_codec_of_the_worker() -> None:
    with Environment(skip_time=False, codec=_Reversing()) as env:
        env.register(before.order)
        invocation_id = env.client.invoke_async(before.order, "tea", 3)
        env.settle()
        decoded = env.client.export(invocation_id)
        assert preflight([before.order], [decoded]).ok
        encoded = durable.ExportedRun.from_json(decoded.to_json())
        encode_message(_Reversing(), encoded.message)
    report = preflight([before.order], [encoded])
    assert [it.verdict for it in report.problems] == ["undecodable"]
    assert "there is no codec here" in report.problems[0].text
    assert preflight([before.order], [encoded], codec=_Reversing()).ok
