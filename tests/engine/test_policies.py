"""Retry policies, spans of time and errors: which arguments are refused, and what an error means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest

import durable
from durable import RetryableError, RetryPolicy, TerminalError
from durable._common.durations import CENTURY_SECONDS
from durable._definitions.retry import Verdict, retry_delay
from durable._engine.failures import to_failure
from durable_proto.v1 import invocation_pb2

from .harness import a_context

POLICY: Any = RetryPolicy
TERMINAL: Any = TerminalError
RETRYABLE: Any = RetryableError


async def _program(ctx: durable.Context) -> None: ...


def _workflow(**options: Any) -> object:
    return durable.workflow(**options)(_program)


def _view(**options: Any) -> object:
    return a_context().options(**options)


def _client(timeout: Any) -> object:
    with durable.Client("127.0.0.1:1", timeout=timeout) as client:
        return client.options(timeout=timeout)


NO_SPANS = ["1s", None, True, Decimal(1), [1]]
BAD_SPANS: list[Any] = [-1, -0.001, math.nan, math.inf, -math.inf, timedelta(seconds=-1)]
TOO_LONG: list[Any] = [CENTURY_SECONDS + 1, 1e300, timedelta.max]

TAKES_SPANS: dict[str, tuple[Callable[[Any], object], bool, bool]] = {
    # What takes a span of time; whether it may be None; whether it may be 0.
    "initial_interval": (lambda it: POLICY(initial_interval=it), False, True),
    "max_interval": (lambda it: POLICY(initial_interval=0, max_interval=it), True, True),
    "max_duration": (lambda it: POLICY(max_duration=it), True, False),
    "retry_after": (lambda it: RETRYABLE("x", retry_after=it), True, True),
    "retention": (lambda it: _workflow(retention=it), True, True),
    "timeout": (lambda it: _workflow(timeout=it), True, False),
    "a step's timeout": (lambda it: _view(timeout=it), True, False),
    "delay": (lambda it: _view(delay=it), True, True),
    "a client's timeout": (_client, True, True),
}


@pytest.mark.parametrize("name", TAKES_SPANS)
def test_spans_of_time_follow_one_rule_everywhere(name: str) -> None:
    take, optional, may_be_zero = TAKES_SPANS[name]
    word = name.rpartition(" ")[2]
    for good in (1, 0.5, timedelta(seconds=2), timedelta(milliseconds=1)):
        take(good)
    for wrong in NO_SPANS:
        if wrong is None and optional:
            take(wrong)
            continue
        with pytest.raises(TypeError, match=f"{word}.*is a number of seconds or a timedelta"):
            take(wrong)
    for bad in BAD_SPANS[:3] + BAD_SPANS[4:]:
        with pytest.raises(ValueError, match=rf"{word}.*is .*must be 0 or more"):
            take(bad)
    for bad in [math.inf, *TOO_LONG]:
        with pytest.raises(ValueError, match=f"{word}.*is .*a hundred years"):
            take(bad)
    for zero in (0, 0.0, timedelta(0)):
        if may_be_zero:
            take(zero)
        else:
            with pytest.raises(ValueError, match=f"{word} is 0.*give None for no limit"):
                take(zero)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("multiplier", 0.5, "must be from 1 to 1000"),
        ("multiplier", math.nan, "must be from 1 to 1000"),
        ("multiplier", "2", "is a number"),
        ("multiplier", True, "is a number"),
        ("jitter", 1.5, "must be from 0 to 1"),
        ("jitter", -0.1, "must be from 0 to 1"),
        ("jitter", None, "is a number"),
        ("max_attempts", 0, "from 1.*None for no limit"),
        ("max_attempts", -1, "from 1.*None for no limit"),
        ("max_attempts", 2**31, "from 1"),
        ("max_attempts", 3.0, "is a whole number"),
        ("max_attempts", True, "is a whole number"),
        ("max_attempts", "3", "is a whole number"),
        ("retry_on", "ValueError", "takes classes of exceptions"),
        ("retry_on", [ValueError, "KeyError"], "takes classes of exceptions"),
        ("retry_on", int, "takes classes of exceptions"),
        ("give_up_on", ValueError(), "takes classes of exceptions"),
        ("on_exhausted", "stop", "'pause', 'fail' or None"),
        ("on_exhausted", True, "'pause', 'fail' or None"),
    ],
)
def test_a_policy_refuses_values_out_of_range(field: str, value: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{field}.*{problem}"):
        POLICY(**{field: value})


def test_arguments_of_a_policy() -> None:
    policy = RetryPolicy(initial_interval=90, retry_on=[OSError, KeyError], give_up_on=ValueError)
    assert policy.initial_interval == policy.max_interval == timedelta(seconds=90)
    assert policy.retry_on == (OSError, KeyError)
    assert policy.give_up_on == (ValueError,)
    assert replace(policy, max_attempts=1) == RetryPolicy(
        initial_interval=90, retry_on=(OSError, KeyError), give_up_on=(ValueError,), max_attempts=1
    )
    assert hash(policy) == hash(replace(policy))
    with pytest.raises(ValueError, match=r"max_interval .1 s. is less than initial_interval .2 s"):
        RetryPolicy(initial_interval=2, max_interval=1)
    with pytest.raises(TypeError, match=r"retry is a durable\.RetryPolicy, not 3"):
        _workflow(retry=3)
    with pytest.raises(TypeError, match=r"retry is a durable\.RetryPolicy, not 3"):
        _view(retry=3)


def test_a_policy_as_the_worker_declares_it() -> None:
    kinds = invocation_pb2.RetryPolicy
    at_once = RetryPolicy(initial_interval=0, jitter=0, max_attempts=None).message()
    assert at_once.initial_interval.ToMilliseconds() == 1  # 0 is the protocol's default
    assert (at_once.jitter, at_once.max_attempts) == (-1, -1)
    assert at_once.on_exhausted == kinds.EXHAUSTION_UNSPECIFIED
    assert RetryPolicy(on_exhausted="fail").message().on_exhausted == kinds.EXHAUSTION_FAIL
    assert RetryPolicy(on_exhausted="pause").message().on_exhausted == kinds.EXHAUSTION_PAUSE


def _group(*errors: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("several", [_nested(errors[-1]), *errors[:-1]])


def _nested(error: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("one", [BaseExceptionGroup("in another", [error])])


RETRY, FINAL, HOLD = Verdict.RETRY, Verdict.FINAL, Verdict.HOLD
ONLY_OS = RetryPolicy(retry_on=OSError)
NOT_VALUE = RetryPolicy(give_up_on=ValueError)


@pytest.mark.parametrize(
    ("policy", "errors", "of_program", "of_step"),
    [
        (RetryPolicy(), [OSError()], RETRY, RETRY),
        (RetryPolicy(), [TerminalError()], FINAL, FINAL),
        (RetryPolicy(), [OSError(), TerminalError()], FINAL, FINAL),
        (RetryPolicy(), [TypeError(), TerminalError()], FINAL, FINAL),
        (RetryPolicy(), [TypeError()], HOLD, RETRY),
        (RetryPolicy(), [OSError(), TypeError()], HOLD, RETRY),
        (RetryPolicy(), [durable.NonDurableAwaitError()], HOLD, HOLD),
        (RetryPolicy(), [durable.CodecError()], HOLD, RETRY),
        (ONLY_OS, [ConnectionError()], RETRY, RETRY),
        (ONLY_OS, [KeyError()], FINAL, FINAL),
        (ONLY_OS, [OSError(), KeyError()], FINAL, FINAL),
        (ONLY_OS, [OSError(), ConnectionError()], RETRY, RETRY),
        (ONLY_OS, [RetryableError(), OSError()], RETRY, RETRY),
        (ONLY_OS, [TypeError()], HOLD, FINAL),
        (NOT_VALUE, [UnicodeError()], FINAL, FINAL),
        (NOT_VALUE, [OSError(), UnicodeError()], FINAL, FINAL),
        (NOT_VALUE, [OSError()], RETRY, RETRY),
        (RetryPolicy(retry_on=TypeError), [TypeError()], RETRY, RETRY),
        (RetryPolicy(retry_on=Exception), [TypeError()], HOLD, RETRY),
        (RetryPolicy(give_up_on=TypeError), [TypeError()], FINAL, FINAL),
        (RetryPolicy(give_up_on=ExceptionGroup), [OSError(), OSError()], FINAL, FINAL),
        (RetryPolicy(retry_on=ExceptionGroup), [OSError(), OSError()], RETRY, RETRY),
    ],
)
def test_the_verdict_on_an_error_alone_and_in_groups(
    policy: RetryPolicy, errors: list[BaseException], of_program: Verdict, of_step: Verdict
) -> None:
    whole = errors[0] if len(errors) == 1 else _group(*errors)
    for error in (whole, _nested(whole)) if ExceptionGroup not in policy.give_up_on else (whole,):
        assert policy.verdict(error, of_step=False) is of_program
        assert policy.verdict(error, of_step=True) is of_step


def test_the_longest_delay_of_the_parts_of_a_group_counts() -> None:
    parts = [RetryableError(retry_after=it) for it in (1, timedelta(minutes=1), None, 0)]
    assert retry_delay(_group(OSError(), *parts)) == timedelta(minutes=1)
    assert retry_delay(_group(OSError(), RetryableError())) is None
    assert retry_delay(RetryableError(retry_after=0)) == timedelta(0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"code": "E42"}, "code is a whole number.*'E42'"),
        ({"code": None}, "code is a whole number.*None"),
        ({"code": 4.0}, "code is a whole number"),
        ({"code": True}, "code is a whole number"),
        ({"code": 2**31}, "code is 2147483648.*32 bits"),
        ({"code": -(2**31) - 1}, "32 bits"),
        ({"metadata": "x"}, "metadata is a mapping of str to str, not str"),
        ({"metadata": [("a", "b")]}, "metadata is a mapping of str to str, not list"),
        ({"metadata": {"n": 1}}, "has 'n': 1; make it a str"),
        ({"metadata": {1: "n"}}, "has 1: 'n'"),
    ],
)
def test_an_error_refuses_a_field_of_a_wrong_type(options: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        TERMINAL("no", **options)


def test_arguments_of_an_error() -> None:
    for code in (0, -1, 409, 2**31 - 1, -(2**31), HTTPStatus.CONFLICT):
        failure = to_failure(TerminalError("no", code=code))
        assert failure.code == code
    for message, text in ((KeyError("x"), "'x'"), (None, ""), (7, "7")):
        error = TERMINAL(message)
        assert (error.message, str(error), to_failure(error).message) == (text, text, text)


class _NoSuper(TerminalError):
    def __init__(self, order: str) -> None:
        self.order = order


class _NoSuperStep(durable.StepFailedError):
    def __init__(self) -> None:
        pass


class _OddFields(TerminalError):
    def __init__(self, code: Any, metadata: Any) -> None:
        super().__init__("odd")
        self.code = code
        self.metadata = metadata


class _Raises(TerminalError):
    @property
    def code(self) -> int:  # type: ignore[override]  # on purpose
        raise RuntimeError("no code")

    @code.setter
    def code(self, code: int) -> None: ...

    def __str__(self) -> str:
        raise ValueError("no text")


class _NoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # on purpose


class _OddRetry(RetryableError):
    def __init__(self, retry_after: Any) -> None:
        self.retry_after = retry_after


class _Unprintable:
    def __str__(self) -> str:
        raise ValueError("no text")


ODD = [
    _NoSuper("17"),
    _NoSuperStep(),
    *(_OddFields(code, {}) for code in ("E42", None, 4.5, 2**31, [1])),
    *(_OddFields(0, it) for it in (None, "x", 5, {1: 2}, {"a": _Unprintable()}, {"x" * 999: "y"})),
    _Raises(),
    _NoText(),
    _OddRetry("soon"),
    _OddRetry(-1),
    _OddRetry(math.nan),
    KeyError(_Unprintable()),
    Exception("\ud800 half a character"),
    Exception("x" * 100_000),
    type("ü" * 300, (Exception,), {})("a long name"),
]


@pytest.mark.parametrize("error", ODD, ids=lambda it: f"{type(it).__name__[:20]}")
def test_every_exception_becomes_a_failure_within_the_limits(error: BaseException) -> None:
    whole = ExceptionGroup("several", [error, OSError()]) if isinstance(error, Exception) else error
    for it in (error, whole):
        failure = to_failure(it, terminal=True)
        assert failure.type
        assert len(failure.type.encode()) <= 256
        assert len(failure.message.encode()) <= 8 * 1024
        failure.SerializeToString()
        retry_delay(it)
        RetryPolicy().verdict(it, of_step=True)
    assert to_failure(RuntimeError("outer")).message == "outer"


def test_a_saga_refuses_what_cannot_be_called() -> None:
    context: Any = object()
    with pytest.raises(TypeError, match="takes the workflow's context"):
        durable.saga(context)
    saga = durable.saga(a_context())
    called: Any = None
    with pytest.raises(TypeError, match="and not saga"):
        saga.undo(called)
