"""The JetStream API (`$JS.API.…`): JSON requests and answers, and typed errors.

Error numbers are the server's `err_code`s. Those on which something here depends have a name.
"""

from __future__ import annotations

import json
from typing import Any

from .connection import Connection
from .parser import Message

STREAM_NOT_FOUND = 10059
MESSAGE_NOT_FOUND = 10037
WRONG_LAST_SEQUENCE = 10071
SUBJECT_IN_FLIGHT = 10164
"""The same for a subject whose last message is still being replicated."""
STREAM_NAME_IN_USE = 10058
NOT_ENABLED_FOR_ACCOUNT = 10039
INSUFFICIENT_STORAGE = frozenset({10002, 10047, 10122})
"""The account, the server's storage or a stream limit has less space than the stream reserves."""
CREATE_ADVICE = {
    10026: "the account may not have more streams: raise max_streams",
    10052: "the options of the stream are not taken by this server: use nats-server 2.12 or newer",
    10065: "another stream of this account takes its subjects: change that one, or use another account",
    10074: "more replicas than one need a cluster: leave --replicas out, or name a cluster",
}
"""What to do about a refusal of a new stream that no retry changes, by error number."""
NO_RESPONDERS = 503


class ApiError(Exception):
    """JetStream answered with an error.

    `number` is its err_code, or 503 when no server answers for the stream.
    """

    def __init__(self, number: int, description: str) -> None:
        super().__init__(f"{description} ({number})")
        self.number = number
        self.description = description


def error_of(answer: dict[str, Any]) -> ApiError:
    """Returns the error in an answer that has one."""
    error = answer["error"]
    return ApiError(
        int(error.get("err_code") or error.get("code") or 0), str(error.get("description", ""))
    )


async def call_api(
    connection: Connection,
    verb: str,
    body: dict[str, Any],
    timeout_seconds: float,
    *,
    again_seconds: float = 0.0,
) -> dict[str, Any]:
    """Calls `$JS.API.<verb>`; `again_seconds` as for `Connection.call`.

    Raises ApiError, TimeoutError (no answer within `timeout_seconds` seconds) or ConnectionLostError.
    """
    payload = json.dumps(body).encode() if body else b""
    message = await connection.call(
        f"$JS.API.{verb}".encode(), payload, timeout_seconds, again_seconds=again_seconds
    )
    return answer_of(message, "JetStream does not answer")


def answer_of(message: Message, empty: str = "an empty ack") -> dict[str, Any]:
    """Returns the answer in a message: of the API, or the acknowledgement of a stream.

    `empty` is said of a message without one and without a description. Raises ApiError.
    """
    if not message.payload:
        raise ApiError(message.status, message.description or empty)
    answer: dict[str, Any] = json.loads(message.payload)
    if "error" in answer:
        raise error_of(answer)
    return answer


def delivery_of(reply: bytes) -> list[bytes]:
    """Returns what the reply subject of a consumer's message says, as the digits of four numbers.

    They are the sequence in the stream, the number among what the consumer has delivered, the time in
    ns since 1970, and how many messages follow. The subject is
    `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<number>.<time>.<pending>`, or the longer form
    with domain and account in front.
    """
    words = reply.split(b".")
    return words[5:9] if len(words) == 9 else words[7:11]
