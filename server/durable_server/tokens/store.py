"""The store of API tokens: writes them to the stream `DURABLE_ACCESS`, and follows it into the
table.

    create, revoke ─► conditional write ─► stream ─► push consumer of each process ─► table

**Writes.** Each states which record of its subject it follows. So of two tokens of one name that
are made at once, one lands. An attempt whose outcome is unknown is settled by reading: the record
has the id of the token, which is random.

**Following.** Each process has a push consumer that begins with the last record of each subject and
goes on with what is written. NATS numbers what a consumer delivers, and says every few seconds how
far it is (heartbeats). After a gap, after silence, and when the connection is lost, the process
opens a new connection and reads everything again. Until then the table stays as it was: what was
revoked meanwhile is known once NATS is back.

**A token that the table does not have** may have been made on another node just now. `catch_up`
asks the stream for its last sequence and waits until the table is there. Calls that come while it
asks share the next question, so callers with invented tokens cost one question at a time, however
many they are.

**Removal.** A token that ended 30 days ago is removed when another one is made, after that has
landed. So the last message of the stream is always there, and the table can reach its last
sequence.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from ..access.interface import CredentialUncheckedError
from ..access.tokens import (
    TOKENS_MAX,
    Token,
    TokenExistsError,
    TokenNotFoundError,
    TokensFullError,
)
from ..cluster.records import Record, create_record_stream, read_record, write_record
from ..futures import fail
from ..log.interface import LogError, LogUnavailableError
from ..log.jetstream import ACK_TIMEOUT
from ..log.preflight import with_connection
from ..nats import api
from ..nats.api import ApiError, call_api, delivery_of
from ..nats.backoff import Backoff
from ..nats.connection import Connection, ConnectionLostError
from ..nats.endpoint import Endpoint, EndpointSource
from ..nats.parser import Message
from ..processor.errors import NotReadyError
from .records import (
    STREAM,
    TOKEN_SUBJECTS,
    TokenRecordError,
    decode,
    encode,
    name_of,
    subject_of,
)
from .table import Row, TokenTable, now_ms

_CONNECTION = "durable tokens"
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_START_SECONDS = 60.0
"""How long the first reading may take, with all its tries."""
HEARTBEAT_SECONDS = 1.0
"""How often NATS says that there is nothing new."""
SILENCE_SECONDS = 4.0
"""How long NATS may say nothing before everything is read again."""
CATCH_UP_SECONDS = 5.0
"""How long a call with an unknown token waits for the table."""
_AGAIN_SECONDS = 0.5
"""When a question to a replicated stream is asked again, which it loses while it elects a leader.
"""
_MAXIMUM_BYTES = 10077
"""The err_code of a stream that has no room."""

T = TypeVar("T")

logger = logging.getLogger("durable.tokens")


class TokensUnavailableError(NotReadyError):
    """The tokens cannot be read or written now; the message says why. A caller may try again."""


class TokenStore:
    """The tokens of a system, for one process. `replicas` applies to the stream if that is missing."""

    def __init__(
        self,
        source: EndpointSource,
        replicas: int,
        *,
        table: TokenTable | None = None,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.table = TokenTable(clock_ms) if table is None else table
        """The tokens as this process knows them."""
        self.table.catch_up = self._catch_up
        self._source = source
        self._replicas = replicas
        self._clock_ms = clock_ms
        self._created = ""
        """When the stream was made that the table is of."""
        self._read = asyncio.Event()
        """Set once the table has been read."""
        self._moved = asyncio.Event()
        """Set when the table has reached a later sequence."""
        self._connection: Connection | None = None
        """The connection on which the stream is followed; None while there is none."""
        self._problem = "no answer"
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._waiting: asyncio.Future[None] | None = None
        """What those wait for who came after the question that is under way."""
        self._damaged: set[str] = set()

    # ---- start and end

    async def start(self) -> None:
        """Makes the stream if it is missing, and reads it; returns when the table is there.

        Raises LogUnavailableError, and what `with_connection` raises; StreamConfigError.
        """

        async def make(connection: Connection, _endpoint: Endpoint) -> None:
            await create_record_stream(connection, self._replicas, STREAM)

        await with_connection(self._source, _CONNECTION, make)
        self._task = asyncio.create_task(self._run())
        reading = asyncio.ensure_future(self._read.wait())
        try:
            await asyncio.wait(
                {self._task, reading},
                timeout=_START_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._task.done():
                self._task.result()
            if not reading.done():
                raise LogUnavailableError(
                    f"the stream {STREAM.name} of API tokens cannot be read: {self._problem}"
                )
        except BaseException:
            await self.close()
            raise
        finally:
            reading.cancel()

    async def close(self) -> None:
        """Stops to follow the stream. The table stays as it is."""
        tasks = [it for it in (self._task, self._asking) if it is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ---- writes

    async def create(self, token: Token) -> None:
        """Writes a new token; returns when this process has it in its table.

        Raises TokenExistsError, TokensFullError, TokensUnavailableError.
        """
        now = self._clock_ms()
        removable = [it for it in self.table.removable(now) if it.token.name != token.name]
        if len(self.table) - len(removable) >= TOKENS_MAX:
            raise TokensFullError

        async def use(connection: Connection, _endpoint: Endpoint) -> int:
            return await self._write_new(connection, token)

        self.table.put(await self._written(use), token)
        await self._remove(removable)

    async def replace_revoked(self, token: Token) -> None:
        """Writes a token in the place of a revoked one of its name, whose id never returns.

        Raises TokenExistsError if another one of its name is not revoked, or if one with this id was;
        TokenNotFoundError, TokensUnavailableError.
        """

        def change(before: Token) -> Token:
            if before.id == token.id and not before.revoke_ms:
                return before
            if not before.revoke_ms or token.id in (before.id, *before.replaced):
                raise TokenExistsError(before)
            return replace(token, replaced=(*before.replaced, before.id))

        await self._change(token.name, change)

    async def revoke(self, name: str, allowed: Callable[[Token], bool]) -> Token:
        """Revokes the token of a name, if `allowed` agrees; returns it as it is then.

        One that is revoked already stays as it is. Raises TokenNotFoundError, also if it is not
        allowed; TokensUnavailableError.
        """
        now = self._clock_ms()

        def change(before: Token) -> Token:
            if not allowed(before):
                raise TokenNotFoundError(name)
            return before if before.revoke_ms else replace(before, revoke_ms=now)

        return await self._change(name, change)

    async def _change(self, name: str, change: Callable[[Token], Token]) -> Token:
        """Changes the token of a name to what `change` makes of it."""

        async def use(connection: Connection, _endpoint: Endpoint) -> tuple[int, Token]:
            record = await _read(connection, subject_of(name))
            if record is None:
                raise TokenNotFoundError(name)
            before = decode(record.data)
            after = change(before)
            if after == before:
                return record.sequence, after
            # If another write comes between, or the answer is lost, all of this is done again.
            body = encode(after, record.data)
            return await _write(connection, subject_of(name), body, record.sequence), after

        sequence, token = await self._written(use)
        self.table.put(sequence, token)
        return token

    async def _write_new(self, connection: Connection, token: Token) -> int:
        """Writes a token that has no record yet; returns the sequence of its record."""
        subject = subject_of(token.name)
        while True:
            record = await _read(connection, subject)
            expected = 0
            if record is not None:
                found = decode(record.data)
                if found.id == token.id:
                    return record.sequence  # of a try whose answer was lost
                if not found.removable(self._clock_ms()):
                    raise TokenExistsError(found)
                expected = record.sequence
            try:
                return await _write(connection, subject, encode(token), expected)
            except ApiError as error:
                if error.number == _MAXIMUM_BYTES:
                    raise TokensFullError from error
                if error.number not in (api.WRONG_LAST_SEQUENCE, api.SUBJECT_IN_FLIGHT):
                    raise
            await asyncio.sleep(_FIRST_PAUSE)

    async def _written(self, use: Callable[[Connection, Endpoint], Awaitable[T]]) -> T:
        try:
            return await with_connection(self._source, _CONNECTION, use)
        except TokenRecordError as error:
            raise TokensUnavailableError(f"the record is damaged: {error}") from error
        except LogUnavailableError as error:
            raise TokensUnavailableError(str(error)) from error

    async def _remove(self, rows: list[Row]) -> None:
        """Removes records of tokens that ended long ago; what fails is left to the next write."""
        if not rows:
            return

        async def use(connection: Connection, _endpoint: Endpoint) -> None:
            for row in rows:
                # Only this record: another process may have given the name to a new token.
                purge = {"filter": subject_of(row.token.name), "seq": row.sequence + 1}
                await call_api(connection, f"STREAM.PURGE.{STREAM.name}", purge, ACK_TIMEOUT)

        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                await self._written(use)
        except (TokensUnavailableError, TimeoutError) as error:
            logger.info("tokens that have ended stay for now: %s", error or "no answer")
            return
        self.table.remove(rows)

    # ---- following

    async def _run(self) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, None)
        while True:
            try:
                connection = await Connection.open(await self._source(), name=_CONNECTION)
                try:
                    await self._follow(connection, backoff)
                finally:
                    self._connection = None
                    connection.abort()
            except Exception as error:
                # Whatever it is: if nobody followed the stream any more, no revocation would be heard.
                if not isinstance(error, OSError | ApiError | LogError):
                    logger.exception("the API tokens are read again")
                self._problem = str(error) or "no answer"
                if backoff.attempts == 5:
                    logger.warning(
                        "the API tokens are those of a while ago, until NATS answers: %s",
                        self._problem,
                    )
            await backoff.pause()

    async def _follow(self, connection: Connection, backoff: Backoff) -> None:
        """Reads the stream into the table, and what comes after; ends with an error."""
        state = await self._state(connection)
        consumer = _Consumer(self, str(state["created"]), int(state["state"]["last_seq"]))
        try:
            await consumer.begin(connection)
            await consumer.read
            backoff.progress()
            backoff.attempts = 0
            self._connection = connection
            self._read.set()
            await consumer.ended
        finally:
            consumer.close()

    async def _state(self, connection: Connection) -> dict[str, Any]:
        """Returns what is known of the stream, which is made again if somebody has deleted it."""
        verb = f"STREAM.INFO.{STREAM.name}"
        try:
            return await call_api(connection, verb, {}, ACK_TIMEOUT, again_seconds=_AGAIN_SECONDS)
        except ApiError as error:
            if error.number != api.STREAM_NOT_FOUND:
                raise
        logger.warning("the stream %s is gone, with all API tokens; made again", STREAM.name)
        await create_record_stream(connection, self._replicas, STREAM)
        return await call_api(connection, verb, {}, ACK_TIMEOUT, again_seconds=_AGAIN_SECONDS)

    def _read_all(self, tokens: dict[str, tuple[int, Token]], sequence: int, created: str) -> None:
        """Takes all that a stream has, up to a sequence."""
        self.table.read_all(tokens, sequence, same=created == self._created)
        self._created = created
        self._moved.set()

    def _take(self, sequence: int, name: str, token: Token | None) -> None:
        """Takes the next record of a name; None for one that cannot be read."""
        if token is None:
            self.table.drop(name)
        else:
            self.table.put(sequence, token)
        self.table.sequence = sequence
        self._moved.set()

    def _decode(self, subject: str, data: bytes) -> Token | None:
        """Reads a record; None, with one warning in a row, if that is not possible.

        A token with such a record is unknown, so that nobody gets in by it.
        """
        try:
            token = decode(data)
            if subject_of(token.name) != subject:
                raise TokenRecordError(f"it names the token {token.name}")
        except TokenRecordError as error:
            if subject not in self._damaged:
                self._damaged.add(subject)
                logger.warning("the record %s is damaged and ignored: %s", subject, error)
            return None
        self._damaged.discard(subject)
        return token

    # ---- catching up

    async def _catch_up(self) -> None:
        """Returns when the table has all that the stream had when this was called.

        Raises CredentialUncheckedError.
        """
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        waiting = self._waiting
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answer())
        await asyncio.shield(waiting)

    async def _answer(self) -> None:
        while (waiting := self._waiting) is not None:
            self._waiting = None
            try:
                async with asyncio.timeout(CATCH_UP_SECONDS):
                    await self._reach_end()
            except (OSError, ApiError) as error:
                problem = str(error) or "no answer"
                fail(
                    waiting,
                    CredentialUncheckedError(
                        f"NATS cannot be asked for API tokens now: {problem}; try again"
                    ),
                )
            except BaseException:
                for it in (waiting, self._waiting):
                    if it is not None:
                        it.cancel()
                self._waiting = None
                raise
            else:
                waiting.set_result(None)

    async def _reach_end(self) -> None:
        connection = self._connection
        if connection is None:
            raise ConnectionLostError(self._problem)
        info = await call_api(
            connection,
            f"STREAM.INFO.{STREAM.name}",
            {},
            CATCH_UP_SECONDS,
            again_seconds=_AGAIN_SECONDS,
        )
        last = int(info["state"]["last_seq"])
        while self.table.sequence < last:
            self._moved.clear()
            await self._moved.wait()


class _Consumer:
    """A push consumer on one connection: reads what there is, then gives each record that comes."""

    def __init__(self, store: TokenStore, created: str, last: int) -> None:
        loop = asyncio.get_running_loop()
        self.read: asyncio.Future[None] = loop.create_future()
        """Done when all that there was is in the table."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Fails when something is missing; never done else."""
        self._store = store
        self._created = created
        self._last = last
        """The last sequence of the stream before the reading."""
        self._tokens: dict[str, tuple[int, Token]] = {}
        self._delivered = 0
        self._silence: asyncio.TimerHandle | None = None

    async def begin(self, connection: Connection) -> None:
        """Makes the consumer. Raises what a call of the API raises."""
        _, inbox = connection.subscribe(self._take)
        self._heard()
        name = f"tokens-{secrets.token_hex(6)}"
        config = {
            "name": name,
            "deliver_subject": inbox.decode(),
            "deliver_policy": "last_per_subject",
            "filter_subject": TOKEN_SUBJECTS,
            "ack_policy": "none",
            "replay_policy": "instant",
            "num_replicas": 1,
            "mem_storage": True,
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        answer = await call_api(
            connection,
            f"CONSUMER.CREATE.{STREAM.name}.{name}",
            {"stream_name": STREAM.name, "config": config},
            ACK_TIMEOUT,
        )
        if not answer["num_pending"] and not answer["delivered"]["consumer_seq"]:
            self._all_read(self._last)

    def close(self) -> None:
        """Ends the wait for signs of life."""
        if self._silence is not None:
            self._silence.cancel()

    def _heard(self) -> None:
        """Notes a sign of life."""
        self.close()
        self._silence = asyncio.get_running_loop().call_later(
            SILENCE_SECONDS, self._end, f"nothing came for {SILENCE_SECONDS:g} s"
        )

    def _take(self, message: Message) -> None:
        if message.status == 499:
            self._end("the connection is lost")
        elif message.status:
            self._heartbeat(message)
        else:
            self._record(message)

    def _heartbeat(self, message: Message) -> None:
        self._heard()
        for line in message.header.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"nats-last-consumer" and int(value) != self._delivered:
                self._end("a record was lost on the way")

    def _record(self, message: Message) -> None:
        self._heard()
        sequence, number, _, pending = map(int, delivery_of(message.reply))
        if number != self._delivered + 1:
            self._end("a record was lost on the way")
            return
        self._delivered = number
        subject = message.subject.decode()
        name = name_of(subject)
        token = self._store._decode(subject, message.payload)
        if self.read.done():
            self._store._take(sequence, name, token)
            return
        if token is None:
            self._tokens.pop(name, None)
        else:
            self._tokens[name] = sequence, token
        if not pending:
            self._all_read(max(sequence, self._last))

    def _all_read(self, sequence: int) -> None:
        if not self.read.done():
            self._store._read_all(self._tokens, sequence, self._created)
            self.read.set_result(None)

    def _end(self, reason: str) -> None:
        for future in (self.read, self.ended):
            fail(future, ConnectionLostError(reason))


async def _read(connection: Connection, subject: str) -> Record | None:
    return await read_record(connection, subject, again_seconds=_AGAIN_SECONDS, stream=STREAM.name)


async def _write(connection: Connection, subject: str, data: bytes, expected: int) -> int:
    """Writes the record that follows the one of a sequence; returns its sequence.

    Raises what a call of the API raises: ApiError with WRONG_LAST_SEQUENCE also when this record has
    landed already, and its answer was lost.
    """
    return await write_record(
        connection,
        subject,
        data,
        expected=expected,
        again_seconds=_AGAIN_SECONDS,
        stream=STREAM.name,
    )
