"""The table of the API tokens in the memory of a process: it tells whose a token is, without I/O.

A `TokenStore` fills it, at the start and at each change in the stream of tokens. So a call is
authenticated without asking anybody, and a revocation is known as soon as it has arrived. What a
process knows may be a moment old: a token that it does not know may have been made on another node
just now. So before a token counts as unknown, the table waits until it has all that the stream had
when the call came.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from ..access.access import Access
from ..access.interface import Credential, UnauthenticatedError
from ..access.tokens import PREFIX, Token, TokenText, TokenTextError

Changed = Callable[[Collection[str]], None]

_ADVICE = "set another one with DURABLE_TOKEN or DURABLE_TOKEN_FILE, or run `durable login`"


class Row(NamedTuple):
    """A token, as it stands in the stream."""

    sequence: int
    """The sequence of its record in the stream."""
    token: Token


def now_ms() -> int:
    """Returns the wall's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def _nothing() -> None:
    pass


class TokenTable:
    """The tokens that there are. Implements `access.interface.Authenticator` and `Revocations`."""

    def __init__(self, clock_ms: Callable[[], int] = now_ms) -> None:
        self.sequence = 0
        """Up to where of the stream everything is in the table."""
        self.catch_up: Callable[[], Awaitable[None]] = _nothing
        """Returns when the table has all that the stream has now. Raises CredentialUncheckedError."""
        self._clock_ms = clock_ms
        self._by_name: dict[str, Row] = {}
        self._by_id: dict[str, Row] = {}
        self._listeners: list[Changed] = []

    def __iter__(self) -> Iterator[Token]:
        """The tokens, those that have ended too, in no order."""
        return iter([it.token for it in self._by_name.values()])

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Token | None:
        """Returns the token with a name; None if there is none."""
        row = self._by_name.get(name)
        return None if row is None else row.token

    async def access(self, credential: Credential) -> Access | None:
        """See `Authenticator.access`."""
        if not credential.bearer.startswith(PREFIX):
            return None
        try:
            shown = TokenText.parse(credential.bearer)
        except TokenTextError as error:
            raise UnauthenticatedError(
                "malformed", f"the credential {error}; part of it may be missing, so {_ADVICE}"
            ) from None
        row = self._by_id.get(shown.id)
        if row is None:
            await self.catch_up()
            row = self._by_id.get(shown.id)
        if row is None or not row.token.matches(shown.secret):
            raise UnauthenticatedError(
                "unknown", f"there is no such API token as the one of this call; {_ADVICE}"
            )
        token = row.token
        if token.revoke_ms:
            raise UnauthenticatedError(
                "revoked", f"the API token {token.name!r} was revoked; {_ADVICE}"
            )
        if token.ended_ms(self._clock_ms()):
            raise UnauthenticatedError(
                "expired", f"the API token {token.name!r} has expired; {_ADVICE}"
            )
        return token.access(credential.source)

    def revoked(self, access_id: str) -> bool:
        """See `Revocations.revoked`."""
        row = self._by_id.get(access_id)
        return row is None or row.token.revoke_ms > 0

    def listen(self, changed: Changed) -> Callable[[], None]:
        """See `Revocations.listen`. The callback must not raise."""
        self._listeners.append(changed)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(changed)

        return end

    def put(self, sequence: int, token: Token) -> None:
        """Takes a record of the stream with its sequence, unless a later one is there."""
        before = self._by_name.get(token.name)
        if before is not None and before.sequence >= sequence:
            return
        row = Row(sequence, token)
        gone = set()
        if before is not None and before.token.id != token.id:
            self._by_id.pop(before.token.id, None)
            gone.add(before.token.id)
        self._by_name[token.name] = self._by_id[token.id] = row
        if token.revoke_ms:
            gone.add(token.id)
        self._tell(gone)

    def removable(self, at_ms: int) -> list[Row]:
        """Returns the tokens that ended so long ago that they are not kept any more."""
        return [it for it in self._by_name.values() if it.token.removable(at_ms)]

    def remove(self, rows: Iterable[Row]) -> None:
        """Drops tokens that the stream does not keep any more, unless they have changed since."""
        gone = set()
        for row in rows:
            token = row.token
            if self._by_name.get(token.name) is row:
                del self._by_name[token.name], self._by_id[token.id]
                gone.add(token.id)
        self._tell(gone)

    def drop(self, name: str) -> None:
        """Drops the token of a name, whose record cannot be read any more."""
        row = self._by_name.get(name)
        if row is not None:
            self.remove((row,))

    def read_all(
        self, tokens: Mapping[str, tuple[int, Token]], sequence: int, *, same: bool
    ) -> None:
        """Takes all that the stream has up to a sequence, by name, each with the sequence of its
        record.

        What it does not have is gone, except for what this process has written after that sequence.
        `same` says whether it is the stream of the last time; of another one nothing is kept.
        """
        before = self._by_name
        self._by_name = {}
        for name, (its, token) in tokens.items():
            self._by_name[name] = Row(its, token)
        for name, row in before.items():
            mine = self._by_name.get(name)
            if same and row.sequence > (sequence if mine is None else mine.sequence):
                self._by_name[name] = row
        self._by_id = {it.token.id: it for it in self._by_name.values()}
        self.sequence = sequence
        self._tell([it for row in before.values() if self.revoked(it := row.token.id)])

    def _tell(self, gone: Collection[str]) -> None:
        if gone:
            for listener in tuple(self._listeners):
                listener(gone)
