"""The requests about the state of object keys: reads it, and edits it between two invocations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from ..core.limits import Limits
from ..core.model import HandlerKind, object_scope
from ..core.records import StateEdited
from ..core.replies import Busy
from ..processor.errors import InvalidFieldError, InvalidStateError, RecordTooLargeError
from ..processor.router import Router
from .proposals import Proposals
from .reads import Reads


class ObjectState:
    """Reads and edits states for clients."""

    def __init__(self, router: Router, reads: Reads, proposals: Proposals, limits: Limits) -> None:
        self._router = router
        self._reads = reads
        self._proposals = proposals
        self._limits = limits

    def get(self, name: str, key: str) -> Mapping[str, bytes]:
        """Returns the state of an object's key as it was last committed, by name."""
        return self._router.for_object(key).store.state(self._owner(name, key))

    async def set(
        self,
        name: str,
        key: str,
        values: list[tuple[str, bytes | None]],
        *,
        clear_all: bool,
        request_id: str,
    ) -> None:
        """Changes a state; None clears a value. Raises InvalidStateError while an invocation runs.

        A repetition with the same request id, if that is not empty, changes nothing.
        """
        processor = self._router.for_object(key)
        record = StateEdited(self._owner(name, key), tuple(values), clear_all, request_id)
        try:
            reply = await self._proposals.propose(processor, record)
        except RecordTooLargeError as error:
            limit = self._limits.batch_bytes
            raise InvalidFieldError("state", str(error), limit=limit) from error
        if isinstance(reply, Busy):
            found = self._reads.find(reply.invocation_id)
            raise InvalidStateError(found.id, found.state, "edit the state under", "ended")

    def handlers(self, name: str, key: str) -> list[str]:
        """Returns the names of the handlers of an object. Raises NotLeadingError."""
        self._router.for_object(key)
        return sorted({*self._handlers(name)})

    def _handlers(self, name: str) -> Iterator[str]:
        # A partition that had no leader while a worker registered its handlers may not know them yet.
        known = (it.partition.handlers.values() for it in self._router.all())
        for handler in chain.from_iterable(known):
            if handler.kind != HandlerKind.WORKFLOW and handler.name.rpartition(".")[0] == name:
                yield handler.name

    def _owner(self, name: str, key: str) -> str:
        """Returns the owner of the state of an object's key. Raises InvalidFieldError."""
        if next(self._handlers(name), None) is None:
            raise unknown_object(name)
        return object_scope(name, key)


def unknown_object(name: str) -> InvalidFieldError:
    """Returns the error for an object of which nothing is known."""
    return InvalidFieldError(
        "object", f"no worker has ever registered a handler of an object {name!r}"
    )
