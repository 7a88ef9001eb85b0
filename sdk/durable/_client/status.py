"""The status words: lifecycle states of the protocol as the words that users see, and back.

A state that this version does not know is shown by its number, and does not count as final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, cast

from durable_proto.v1 import invocation_pb2

if TYPE_CHECKING:
    State: TypeAlias = invocation_pb2.InvocationState

_STATES: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("INVOCATION_STATE_").lower()
    for value in invocation_pb2.InvocationState.DESCRIPTOR.values
}
_STATE_NUMBERS: Final[dict[str, State]] = {
    word: cast("State", number) for number, word in _STATES.items()
}
FINAL_STATES: Final = frozenset(
    {
        invocation_pb2.INVOCATION_STATE_COMPLETED,
        invocation_pb2.INVOCATION_STATE_FAILED,
        invocation_pb2.INVOCATION_STATE_CANCELLED,
    }
)


def status_word(state: int) -> str:
    """Returns the word for a state's number."""
    return _STATES.get(state) or f"state_{state}"


def state_number(word: str) -> State:
    """Returns a state's number; raises ValueError with the known words for any other."""
    number = _STATE_NUMBERS.get(word)
    if not number:
        known = ", ".join(name for name, value in _STATE_NUMBERS.items() if value)
        raise ValueError(f"{word!r} is no invocation status; the statuses are: {known}")
    return number
