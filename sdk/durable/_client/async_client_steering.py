"""What the async client can do to invocations that exist and to states, over `_steering`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from .._common.webhooks import Webhook, webhook_request
from . import steering
from .calls import Operation
from .options import UNSET, ClientBase
from .steering import PAUSE_SECONDS, Resolution

T = TypeVar("T")


class AsyncSteeringClient(ClientBase):
    """The half of `AsyncClient` that changes what is there."""

    @abstractmethod
    async def _run(self, operation: Operation[T]) -> T: ...

    async def pause(
        self,
        invocation_id: str,
        *,
        reason: str = "",
        identity: str = "",
        timeout: float | timedelta = PAUSE_SECONDS,  # noqa: ASYNC109  # the server waits
    ) -> str:
        """Holds an invocation at its next journal boundary; returns its status after that.

        Waits up to `timeout` seconds (at most 50) for steps in flight, so that "paused" is the rule;
        "running" says that one still runs, and that the invocation is held after it. Raises
        NotFoundError, PreconditionError when it has ended.
        """
        seconds = self._options.timeout
        return await self._run(steering.pause(invocation_id, reason, identity, timeout, seconds))

    async def resume(self, invocation_id: str, *, reason: str = "", identity: str = "") -> str:
        """Lets a paused invocation go on from its journal; returns its status after that.

        One that waits for its next attempt, "backing_off", begins it now; its failures still count.
        Raises NotFoundError, PreconditionError when it is neither.
        """
        timeout = self._options.timeout
        return await self._run(steering.resume(invocation_id, reason, identity, timeout))

    async def cancel(
        self, invocation_id: str, *, reason: str = "", identity: str = "", force: bool = False
    ) -> str:
        """Asks an invocation to end; returns its status after that.

        The handler sees it as an exception and may compensate; with `force` it is not asked.
        Raises NotFoundError, PreconditionError when it has ended.
        """
        timeout = self._options.timeout
        return await self._run(steering.cancel(invocation_id, reason, identity, force, timeout))

    async def restart(
        self,
        invocation_id: str,
        *,
        from_index: int = 0,
        input: Any = UNSET,
        reason: str = "",
        identity: str = "",
    ) -> str:
        """Starts a new invocation like one that has ended or is paused; returns the new id.

        Completed steps before `from_index` are taken over and not done again. `input` is another
        input, as one value (for several arguments a dict), not together with `from_index`. Raises
        NotFoundError, PreconditionError, InvalidArgumentError.
        """
        timeout = self._options.timeout
        return await self._run(
            steering.restart(invocation_id, from_index, input, reason, identity, timeout)
        )

    async def purge(self, invocation_id: str) -> None:
        """Removes an invocation that has ended, before its retention is over.

        Raises NotFoundError, PreconditionError when it has not ended.
        """
        await self._run(steering.purge(invocation_id, self._options.timeout))

    async def signal(self, invocation_id: str, name: str, value: Any = None) -> None:
        """Delivers a named signal to an invocation; kept there until the handler awaits it.

        Raises NotFoundError, PreconditionError when it has ended, LimitError.
        """
        await self._run(steering.signal(invocation_id, name, value, self._options.timeout))

    async def resolve_awakeable(self, awakeable_id: str, value: Any = None) -> Resolution:
        """Resolves an awakeable with a value, also before the handler asks for it.

        The first outcome counts; the same one again changes nothing, and the Resolution says so.
        Raises NotFoundError, AlreadyExistsError when it has another outcome already.
        """
        return await self._run(steering.resolve(awakeable_id, value, self._options.timeout))

    async def reject_awakeable(
        self,
        awakeable_id: str,
        message: str,
        *,
        code: int = 0,
        metadata: Mapping[str, str] | None = None,
    ) -> Resolution:
        """Rejects an awakeable: who awaits it gets a terminal error with this message.

        The first outcome counts, as for `resolve_awakeable`. Raises NotFoundError,
        AlreadyExistsError when it has another outcome already.
        """
        timeout = self._options.timeout
        return await self._run(steering.reject(awakeable_id, message, code, metadata, timeout))

    async def create_webhook(
        self,
        awakeable_id: str,
        *,
        expires_in: float | timedelta | None = None,
        scheme: str = "",
        secret: str = "",
    ) -> Webhook:
        """Makes a URL that resolves an awakeable: for senders who can only POST to an address.

        `expires_in` is in seconds or a timedelta, 24 hours by default, a year at most. With a
        `scheme`, "stripe" or "github", the sender must sign with the control plane's webhook secret
        of the name `secret`. The URL is itself a secret. Raises PreconditionError when the control
        plane serves no HTTP, InvalidArgumentError.
        """
        request = webhook_request(awakeable_id, expires_in, scheme, secret)
        return await self._run(steering.create_webhook(request, self._options.timeout))

    async def resolve_promise(self, invocation_id: str, name: str, value: Any = None) -> Resolution:
        """Resolves a named promise of an invocation; else like `resolve_awakeable`."""
        awakeable_id = steering.promise_id(invocation_id, name)
        return await self._run(steering.resolve(awakeable_id, value, self._options.timeout))

    async def reject_promise(
        self,
        invocation_id: str,
        name: str,
        message: str,
        *,
        code: int = 0,
        metadata: Mapping[str, str] | None = None,
    ) -> Resolution:
        """Rejects a named promise of an invocation; else like `reject_awakeable`."""
        awakeable_id = steering.promise_id(invocation_id, name)
        timeout = self._options.timeout
        return await self._run(steering.reject(awakeable_id, message, code, metadata, timeout))

    async def get_state(
        self, *, object: str = "", key: str = "", invocation_id: str = ""
    ) -> dict[str, Any]:
        """Returns the state of an object's key, or of a workflow's invocation, by name.

        Give `object` and `key`, or `invocation_id`. Raises NotFoundError, InvalidArgumentError.
        """
        timeout = self._options.timeout
        return await self._run(steering.get_state(object, key, invocation_id, timeout))

    async def set_state(
        self,
        *,
        object: str,
        key: str,
        values: Mapping[str, Any] | None = None,
        clear: Iterable[str] = (),
        clear_all: bool = False,
    ) -> None:
        """Changes the state of an object's key: removes all or some names, then sets values.

        Raises PreconditionError while an exclusive handler has its turn on the key,
        InvalidArgumentError.
        """
        timeout = self._options.timeout
        await self._run(steering.set_state(object, key, values or {}, clear, clear_all, timeout))
