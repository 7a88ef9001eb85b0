"""What a request is about: each RPC by callers who may, who may not, and who do not know of it.

For one who does not know it, it must look as if it did not exist. So the same request is made about
something that others have and about something that nobody has, and the errors must be equal but for the
names in the requests.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2
from durable_server.access.access import Scope
from durable_server.access.rules import RPCS, Rule, Subject
from durable_server.core import ids
from durable_server.webhooks.tokens import Claim
from tests.access_check.callers import Error, Tokens, bearer, error_of
from tests.support.manual_worker import ManualWorker, open_entry

if TYPE_CHECKING:
    from tests.server.calls import Control

SERVICE = "/durable.v1.DurableControl/"
DECIDED = {
    *(Subject.HANDLER, Subject.INVOCATION, Subject.AWAKEABLE, Subject.STATE, Subject.BUILD),
}
OUTCOME = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"1"))


class Things(NamedTuple):
    """What requests may be about."""

    handler: str
    invocation: str
    awakeable: str
    own_id: str
    """An awakeable with an id of the user's own choice."""
    object: str
    early: str
    """An awakeable for which nobody waits."""
    build: str
    """A build of a worker that serves nothing of others."""

    def hide(self, error: Error) -> Error:
        """Returns an error without the names that are in the requests."""
        text = json.dumps(error)
        for field, value in sorted(self._asdict().items(), key=lambda it: -len(it[1])):
            text = text.replace(value, f"<{field}>")
        return Error(*json.loads(text))


ABSENT = Things(
    "absent.do", "0" * 32, "0" * 32 + "-a", "absent", "absent.cart", "nobody", "absent-1"
)
Make = Callable[[Things], Any]
Requests: dict[str, list[Make]] = {
    "Invoke": [lambda it: control_pb2.InvokeRequest(handler=it.handler)],
    "GetResult": [lambda it: control_pb2.GetResultRequest(invocation_id=it.invocation)],
    "GetInvocation": [lambda it: control_pb2.GetInvocationRequest(invocation_id=it.invocation)],
    "ExportInvocation": [
        lambda it: control_pb2.ExportInvocationRequest(invocation_id=it.invocation)
    ],
    "WatchInvocation": [lambda it: control_pb2.WatchInvocationRequest(invocation_id=it.invocation)],
    "Pause": [lambda it: control_pb2.PauseRequest(invocation_id=it.invocation)],
    "Resume": [lambda it: control_pb2.ResumeRequest(invocation_id=it.invocation)],
    "Restart": [lambda it: control_pb2.RestartRequest(invocation_id=it.invocation)],
    "Signal": [
        lambda it: control_pb2.SignalRequest(invocation_id=it.invocation, name="s", outcome=OUTCOME)
    ],
    "ResolveAwakeable": [
        lambda it: control_pb2.ResolveAwakeableRequest(awakeable_id=it.awakeable, outcome=OUTCOME),
        lambda it: control_pb2.ResolveAwakeableRequest(awakeable_id=it.own_id, outcome=OUTCOME),
    ],
    "CreateWebhook": [
        lambda it: control_pb2.CreateWebhookRequest(awakeable_id=it.awakeable),
        lambda it: control_pb2.CreateWebhookRequest(awakeable_id=it.own_id),
    ],
    "RevokeWebhook": [
        lambda it: control_pb2.RevokeWebhookRequest(awakeable_id=it.awakeable),
        lambda it: control_pb2.RevokeWebhookRequest(awakeable_id=it.own_id),
        lambda it: control_pb2.RevokeWebhookRequest(webhook=Claim(it.awakeable, 1).webhook_id),
    ],
    "GetState": [
        lambda it: control_pb2.GetStateRequest(object=it.object, key="k"),
        lambda it: control_pb2.GetStateRequest(invocation_id=it.invocation),
    ],
    "SetState": [lambda it: control_pb2.SetStateRequest(object=it.object, key="k", clear_all=True)],
    "Repin": [lambda it: control_pb2.RepinRequest(invocation_id=it.invocation)],
    "PromoteBuild": [
        lambda it: control_pb2.PromoteBuildRequest(build_id=it.build),
        lambda it: control_pb2.PromoteBuildRequest(build_id=it.build, automatic=True),
    ],
    "RollBackBuild": [lambda it: control_pb2.RollBackBuildRequest(build_id=it.build)],
    "DrainBuild": [lambda it: control_pb2.DrainBuildRequest(build_id=it.build)],
    "Cancel": [lambda it: control_pb2.CancelRequest(invocation_id=it.invocation)],
    "Purge": [lambda it: control_pb2.PurgeRequest(invocation_id=it.invocation)],
}
"""For each RPC the requests about something, so that a change comes after what it would disturb."""


class Caller:
    """Makes calls with one token."""

    def __init__(self, control: Control, token: str) -> None:
        self._control = control
        self._metadata = bearer(token)

    async def __call__(self, name: str, request: Any) -> Error | None:
        """Returns the error of a call; None if it was answered."""
        try:
            call = getattr(self._control, name)(request, metadata=self._metadata)
            if name == "WatchInvocation":
                await call.read()
                call.cancel()
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return error_of(error)
        return None


def rules() -> dict[str, Rule]:
    """Returns the rules of the RPCs that name what they are about, by method."""
    found = {it.removeprefix(SERVICE): rule for it, rule in RPCS.items() if it.startswith(SERVICE)}
    return {it: rule for it, rule in found.items() if rule.subject in DECIDED}


@asynccontextmanager
async def two_tenants(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens, partitions: int = 1
) -> AsyncIterator[dict[str, Things]]:
    """Yields what two tenants have: one of each. With partitions, one's own id is in another one."""
    admin = bearer(await tokens.add("admin", "admin"))
    worker = ManualWorker(channel, handlers=("mine.do", "theirs.do"), metadata=admin)
    for tenant in ("mine", "theirs"):
        kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
        worker.hello.handlers.add(name=f"{tenant}.cart.add", version="v1", kind=kind)
    found = {}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(worker)
        for tenant in ("mine", "theirs"):
            other = ManualWorker(
                channel, f"worker of {tenant}", handlers=(f"{tenant}.built",), metadata=admin
            )
            other.hello.build_id = f"{tenant}-1"
            await stack.enter_async_context(other)
        for tenant in ("mine", "theirs"):
            request = control_pb2.InvokeRequest(handler=f"{tenant}.do")
            started = await control.Invoke(request, metadata=admin)
            about = await worker.receive("start")
            assert about.invocation_id == started.invocation_id
            made = Things(
                f"{tenant}.do",
                about.invocation_id,
                f"{about.invocation_id}-a",
                own_id(tenant, about.invocation_id, partitions),
                f"{tenant}.cart",
                f"{tenant}-early",
                f"{tenant}-1",
            )
            for index, awakeable in enumerate((made.awakeable, made.own_id)):
                await worker.send(open_entry(about, index, "AWAKEABLE", awakeable))
                await worker.receive("ack")
            found[tenant] = made
        yield found


def own_id(tenant: str, invocation_id: str, partitions: int) -> str:
    """Returns an id for an awakeable, in another partition than the invocation if there are several."""
    names = (f"{tenant}-own-{number}" for number in itertools.count())
    if partitions == 1:
        return next(names)
    home = ids.partition(invocation_id, partitions)
    return next(it for it in names if ids.awakeable_partition(it, partitions) != home)


async def check_unknown(control: Control, tokens: Tokens, things: dict[str, Things]) -> None:
    """What a caller does not know is answered as what does not exist."""
    scopes = [it.value for it in Scope]
    await tokens.add("by-pattern", *(f"{it}:mine.*" for it in scopes))
    await tokens.add("by-namespace", *scopes, namespace="mine.")
    for token in ("by-pattern", "by-namespace"):
        call = Caller(control, tokens.texts[token])
        for name, makes in Requests.items():
            for make in makes:
                hidden = await call(name, make(things["theirs"]))
                absent = await call(name, make(ABSENT))
                assert hidden is not None, (token, name)
                assert absent is not None, (token, name)
                assert things["theirs"].hide(hidden) == ABSENT.hide(absent), (token, name)
                assert hidden.code in ("NOT_FOUND", "INVALID_ARGUMENT"), hidden
    # It was not only the form of the requests.
    unbound = Caller(control, tokens.texts["admin"])
    for name, makes in Requests.items():
        for make in makes:
            error = await unbound(name, make(things["theirs"]))
            assert error is None or error.code == "FAILED_PRECONDITION", (name, error)


async def check_denied(control: Control, tokens: Tokens, things: dict[str, Things]) -> None:
    """What a caller knows and may not do is denied."""
    for name, makes in Requests.items():
        rule = rules()[name]
        others = [f"{it.value}:other.*" for it in Scope if it is not Scope.ADMIN]
        kept = [f"{it.value}:mine.*" for it in Scope if it not in (*rule.scopes, Scope.ADMIN)]
        call = Caller(control, await tokens.add(f"not-{name}", *others, *kept))
        for make in makes:
            error = await call(name, make(things["mine"]))
            assert error is not None, name
            assert (error.code, error.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED"), name
            assert '"handler": "mine.' in error.metadata, (name, error)


async def check_permitted(control: Control, tokens: Tokens, things: dict[str, Things]) -> None:
    """One of the scopes of the rule for the handler is enough."""
    for name, makes in Requests.items():
        for scope in rules()[name].scopes:
            for token, grants, namespace in (
                (f"p-{scope.value}", (f"{scope.value}:mine.*",), ""),
                (f"n-{scope.value}", (scope.value,), "mine."),
            ):
                call = Caller(control, await tokens.add(token, *grants, namespace=namespace))
                for make in makes:
                    error = await call(name, make(things["mine"]))
                    assert error is None or error.code in (
                        "FAILED_PRECONDITION",
                        "ALREADY_EXISTS",
                    ), (name, token, error)
