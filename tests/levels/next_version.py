"""The `durable` command of the next version, which does not exist: the present one with a newer format.

    python -m tests.levels.next_version server ...

It has what a next version may have: another version text, the next format level, a new kind of record
and of message, which it uses for each new invocation as soon as the log's level allows that, a new
field of an old record, and new fields in what workers and nodes say. The formats are put in place
before the modules that use them are imported.

DURABLE_TEST_SETTLE is how many seconds the members must be the same before the level rises, and
DURABLE_TEST_CLOCK by how many seconds the clock is ahead.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, NamedTuple

import durable_server
from durable_server.core import levels, messages, records

VERSION = "0.2.0-next"
LEVEL = levels.FORMAT_LEVEL + 1
NUMBER = 200
"""The number of the new record, and of the new message."""


class EpochStarted(NamedTuple):
    """The record, with a new field at its end."""

    epoch: int
    leader: str
    reason: str = ""


class Noted(NamedTuple):
    """The next version has noted an invocation; the next partition gets to know it."""

    invocation_id: str


class Noticed(NamedTuple):
    """The message about that."""

    invocation_id: str


def change_format() -> None:
    """Changes what the modules of the format declare."""
    durable_server.__version__ = VERSION
    levels.FORMAT_LEVEL = LEVEL
    levels.KINDS |= {Noted: LEVEL, Noticed: LEVEL}
    levels.FIELDS[EpochStarted] = {"reason": LEVEL}
    numbers: dict[Any, int] = records.NUMBERS
    numbers[EpochStarted] = numbers.pop(records.EpochStarted)
    numbers[Noted] = NUMBER
    setattr(records, "EpochStarted", EpochStarted)  # noqa: B010  # the types differ
    message_numbers: dict[Any, int] = messages.MESSAGE_NUMBERS
    message_numbers[Noticed] = NUMBER


def change_rules() -> None:
    """Adds the rules of the new kinds, and what proposes them."""
    from durable_server import log_format
    from durable_server.core import apply, inbox
    from durable_server.core.levels import allowed
    from durable_server.core.transaction import Transaction
    from durable_server.processor.inputs import Inputs

    def noticed(tx: Transaction, message: Noticed) -> None:
        tx.find(message.invocation_id)

    def noted(tx: Transaction, record: Noted) -> None:
        message: Any = Noticed(record.invocation_id)
        tx.deliver((tx.partition.index + 1) % tx.partition.count, message, noticed)

    def propose(
        self: Inputs, record: records.Record, *, settle_by: float = 0.0
    ) -> asyncio.Future[Any]:
        future = of_this_version(self, record, settle_by=settle_by)
        if isinstance(record, records.Invoked) and allowed(Noted, self.level):
            new: Any = Noted(record.invocation_id)
            self.submit(new)
        return future

    of_this_version = Inputs.propose
    rules: list[dict[Any, Any]] = [apply._RULES, inbox._RULES]
    rules[0][Noted] = noted
    rules[1][Noticed] = noticed
    templates: dict[Any, str] = log_format.TEMPLATES
    templates |= {Noted: "{invocation_id} is noted", Noticed: "{invocation_id} was noted"}
    setattr(Inputs, "propose", propose)  # noqa: B010


def change_speech() -> None:
    """Adds fields that the present version does not know to what nodes and workers say."""
    from durable._worker.worker import Worker
    from durable_proto.v1 import worker_pb2
    from durable_server.cluster import member, members

    def encode(own: member.Member) -> bytes:
        return record_of_this_version(own)[:-1] + b',"zone":"eu-1"}'

    def hello(self: Worker, *given: Any) -> worker_pb2.Hello:
        found = hello_of_this_version(self, *given)
        found.MergeFromString(bytes([0xFA, 0x7F, 3]) + b"new")  # field 2047
        return found

    record_of_this_version = member.encode
    hello_of_this_version = Worker._hello
    setattr(members, "encode", encode)  # noqa: B010
    setattr(Worker, "_hello", hello)  # noqa: B010


def change_settle() -> None:
    """Sets how long the members must be the same before the level rises."""
    from durable_server.cluster.raising import LevelRaiser

    settle = os.environ.get("DURABLE_TEST_SETTLE")
    defaults = LevelRaiser.__init__.__kwdefaults__
    if settle and defaults is not None:
        defaults["settle"] = float(settle)


def change_clock() -> None:
    """Sets the clock ahead."""
    ahead_ns = int(float(os.environ.get("DURABLE_TEST_CLOCK", "0")) * 1e9)
    if ahead_ns:
        of_the_machine = time.time_ns
        setattr(time, "time_ns", lambda: of_the_machine() + ahead_ns)  # noqa: B010


def main() -> None:
    """Runs the command."""
    change_clock()
    change_format()
    change_rules()
    change_speech()
    change_settle()
    from durable_cli.main import main as command

    command()


if __name__ == "__main__":
    main()
