"""The rules: for each RPC and each HTTP route, which scope it needs and for what.

This is the one place that says who may do what. The gRPC server's interceptor applies a rule before
it parses a request: the caller must have one of the rule's scopes for some handler. What the request
is about is then looked up where it is led, and the caller must have the scope for that handler
(`Subject`).

HTTP routes that make an RPC pass the caller on, so the rule of the RPC decides. The other routes have
rules of their own, by name. An RPC or route without a rule is not served; a test compares the tables
with what is served, and `docs/security.md` is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from .access import Scope


class Subject(Enum):
    """What a request is about, and so for which handler the caller needs the scope."""

    NOTHING = "nothing"
    """The scope for any handler is enough."""
    WHOLE = "the whole system"
    """The scope for all handlers, without a namespace."""
    HANDLER = "the handler"
    """The field `handler` of the request."""
    INVOCATION = "the handler of the invocation"
    """The field `invocation_id`."""
    AWAKEABLE = "the handler that waits for the awakeable"
    """The field `awakeable_id`, or the awakeable of the field `webhook`."""
    STATE = "the object, or the handler of the invocation"
    """The fields `object` and `key`, or `invocation_id`. For an object `cart` the caller needs a scope
    for a handler whose name begins with `cart.`.
    """
    LISTED = "only what the caller may see is listed and counted"
    BUILD = "all handlers of the build that are concerned"
    """The field `build_id`, with `handlers` if the request names some."""
    SERVED = "all handlers that the worker registers"
    """The handlers in the hello of a session."""
    TOKENS = "tokens within what the caller has itself"


class Rule(NamedTuple):
    """What a caller needs for one RPC or route."""

    scopes: tuple[Scope, ...] = ()
    """One of them; none says that every authenticated caller may."""
    subject: Subject = Subject.NOTHING
    changes: bool = False
    """Whether it changes something, and so is in the audit."""
    open: bool = False
    """Whether it is served without a credential."""


OPEN = Rule(open=True)
ANYBODY = Rule()

_CONTROL = "/durable.v1.DurableControl/"
_WORKER = "/durable.v1.DurableWorker/"
_ACCESS = "/durable.v1.DurableAccess/"
_OPERATE = Rule((Scope.OPERATE,), Subject.INVOCATION, changes=True)
_READ_ONE = Rule((Scope.READ,), Subject.INVOCATION)
_READ_LIST = Rule((Scope.READ,), Subject.LISTED)

RPCS: Mapping[str, Rule] = {
    f"{_CONTROL}Invoke": Rule((Scope.INVOKE,), Subject.HANDLER, changes=True),
    f"{_CONTROL}GetResult": Rule((Scope.READ, Scope.INVOKE), Subject.INVOCATION),
    f"{_CONTROL}GetInvocation": _READ_ONE,
    f"{_CONTROL}WatchInvocation": _READ_ONE,
    f"{_CONTROL}Query": _READ_LIST,
    f"{_CONTROL}GetStats": _READ_LIST,
    f"{_CONTROL}ListHandlers": _READ_LIST,
    f"{_CONTROL}ListWorkers": _READ_LIST,
    f"{_CONTROL}Pause": _OPERATE,
    f"{_CONTROL}Resume": _OPERATE,
    f"{_CONTROL}Cancel": _OPERATE,
    f"{_CONTROL}Restart": _OPERATE,
    f"{_CONTROL}Repin": _OPERATE,
    f"{_CONTROL}ExportInvocation": _READ_ONE,
    f"{_CONTROL}ListDeployments": _READ_LIST,
    f"{_CONTROL}PromoteBuild": Rule((Scope.OPERATE,), Subject.BUILD, changes=True),
    f"{_CONTROL}RollBackBuild": Rule((Scope.OPERATE,), Subject.BUILD, changes=True),
    f"{_CONTROL}DrainBuild": Rule((Scope.OPERATE,), Subject.BUILD, changes=True),
    f"{_CONTROL}ListPatches": _READ_LIST,
    f"{_CONTROL}Purge": _OPERATE,
    f"{_CONTROL}Signal": Rule((Scope.RESOLVE,), Subject.INVOCATION, changes=True),
    f"{_CONTROL}ResolveAwakeable": Rule((Scope.RESOLVE,), Subject.AWAKEABLE, changes=True),
    f"{_CONTROL}CreateWebhook": Rule((Scope.RESOLVE,), Subject.AWAKEABLE, changes=True),
    f"{_CONTROL}RevokeWebhook": Rule((Scope.RESOLVE,), Subject.AWAKEABLE, changes=True),
    f"{_CONTROL}GetState": Rule((Scope.READ,), Subject.STATE),
    f"{_CONTROL}SetState": Rule((Scope.OPERATE,), Subject.STATE, changes=True),
    f"{_CONTROL}GetServerInfo": ANYBODY,
    f"{_CONTROL}GetCluster": Rule((Scope.READ,), Subject.WHOLE),
    f"{_CONTROL}DrainNode": Rule((Scope.ADMIN,), Subject.WHOLE, changes=True),
    f"{_WORKER}Session": Rule((Scope.WORKER,), Subject.SERVED, changes=True),
    f"{_ACCESS}GetIdentity": ANYBODY,
    f"{_ACCESS}CreateToken": Rule((Scope.ADMIN,), Subject.TOKENS, changes=True),
    f"{_ACCESS}ListTokens": Rule((Scope.ADMIN,), Subject.TOKENS),
    f"{_ACCESS}RevokeToken": Rule((Scope.ADMIN,), Subject.TOKENS, changes=True),
    f"{_ACCESS}ListAudit": Rule((Scope.ADMIN,), Subject.WHOLE),
}
"""The RPCs of our services, by their full names."""

SERVICES: Mapping[str, Rule] = {
    "grpc.health.v1.Health": OPEN,
    "grpc.reflection.v1.ServerReflection": ANYBODY,
    "grpc.reflection.v1alpha.ServerReflection": ANYBODY,
    "grpc.channelz.v1.Channelz": Rule((Scope.ADMIN,), Subject.WHOLE),
}
"""The services of gRPC itself: all RPCs of each."""


HTTP: Mapping[str, Rule] = {
    "health": OPEN,
    "healthReady": OPEN,
    "healthLive": OPEN,
    "getMetrics": Rule((Scope.READ,), Subject.LISTED),
    "getOpenapi": OPEN,
    # The page's files hold no data, and its sign-in comes before a credential.
    "getPage": OPEN,
    "getPageFile": OPEN,
    "getSession": OPEN,
    "signIn": OPEN,
    "signOut": OPEN,
    "beginSignIn": OPEN,
    "finishSignIn": OPEN,
    # The signed URL is the credential.
    "deliverWebhook": OPEN,
}
"""The HTTP routes that make no RPC for their caller, by name."""


def rule_of_route(name: str, rpc: str) -> Rule | None:
    """Returns the rule of an HTTP route: that of the RPC that it makes, or else one of its own."""
    return RPCS.get(rpc) if rpc else HTTP.get(name)


def rule_of(method: str) -> Rule | None:
    """Returns the rule of an RPC by its full name, as in `/durable.v1.DurableControl/Invoke`."""
    return RPCS.get(method) or SERVICES.get(method.rpartition("/")[0].removeprefix("/"))
