"""Webhook deliveries: `POST /webhooks/{token}` resolves one awakeable from outside.

    200 {"status": "resolved"}   it counts, or an earlier one did: senders deliver more than once
    200 {"status": "ignored"}    the sender only tested the address
    400  the body is declared as JSON and is not    401  the signature is not the sender's
    404  there is no such webhook, or it is revoked 410  it has expired, or its invocation has ended
    413  it is larger than `payload_bytes`          415  it is compressed, or JSON that is not UTF-8
    429, 503  deliver it again later

The value is the body's bytes, unchanged: JSON stays as it was written, also where `curl -d` declares
it a form; other content is a payload of its content type, and an empty body is null. The token alone
is the permission, so the rules about web pages and host names do not apply (see `asgi`). Only POST is
served, so programs that merely follow a link, as chat programs and mail scanners do, resolve nothing.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response

from durable_proto.v1 import control_pb2, payload_pb2

from ..access.access import Access, Grant
from ..access.access import Scope as AccessScope
from ..webhooks.files import SecretError
from ..webhooks.service import PATH
from ..webhooks.signature_schemes import SCHEMES, SignatureScheme
from ..webhooks.tokens import Claim
from . import api_types, requests
from .authentication import source_of
from .errors import Error, HttpError, invalid, json_response, refused
from .requests import EndpointRequest
from .routing import Body, Route

logger = logging.getLogger("durable.http")

_BYTES = "application/octet-stream"
_FORM = "application/x-www-form-urlencoded"
_CONTENT_TYPE_CHARACTERS = 256


async def deliver(request: EndpointRequest) -> Response:
    """Accepts one delivery. The body is read only after the token has been verified."""
    http = request.http
    claim = request.backend.webhooks.keyring.read(request.variables["token"])
    if claim is None:
        raise _unknown()
    now = request.backend.webhooks.now()
    if now >= claim.expires_s:
        raise refused(410, "FAILED_PRECONDITION", "WEBHOOK_EXPIRED", "the webhook has expired")
    body = await requests.body(http, request.backend.payload_bytes)
    if claim.scheme:
        scheme, secrets = await _scheme(request, claim)
        bad = scheme.check(http.headers, body, secrets, now)
        if bad is not None:
            raise refused(401, "UNAUTHENTICATED", "SENDER_REFUSED", bad.problem)
        if scheme.is_ping(http.headers):
            return json_response(api_types.Delivered(status="ignored"))
    outcome = payload_pb2.Outcome(value=_payload(http, body))
    await _resolve(request, claim, outcome)
    return json_response(api_types.Delivered(status="resolved"))


ROUTE = Route(
    method="POST",
    template=PATH + "{token}",
    handler=deliver,
    name="deliverWebhook",
    summary="Resolve the awakeable of a webhook",
    body=Body("The value; nothing is null.", media_type="*/*"),
    answers={
        200: Body("It has been taken.", api_types.Delivered),
        401: Body("The signature is not the sender's.", Error),
        410: Body("It has expired, or its invocation is over.", Error),
    },
)


async def _scheme(request: EndpointRequest, claim: Claim) -> tuple[SignatureScheme, list[bytes]]:
    try:
        secrets = await asyncio.to_thread(request.backend.webhooks.secrets.read, claim.secret_name)
        return SCHEMES[claim.scheme], secrets
    except (SecretError, KeyError) as error:
        # The secret existed when the URL was made. The sender can do nothing but try again.
        logger.error("a webhook's sender cannot be checked: %s", error)
        raise refused(
            503, "UNAVAILABLE", "SENDER_UNCHECKED",
            "the sender cannot be checked now; deliver it again",
            headers={"retry-after": "60"},
        ) from error  # fmt: skip


def _unknown() -> HttpError:
    return refused(404, "NOT_FOUND", "WEBHOOK_NOT_FOUND", "there is no such webhook")


async def _resolve(request: EndpointRequest, claim: Claim, outcome: payload_pb2.Outcome) -> None:
    message = control_pb2.ResolveAwakeableRequest(
        awakeable_id=claim.awakeable_id, outcome=outcome, webhook_id=claim.webhook_id
    )
    try:
        await request.control_for(_bearer(request)).call("ResolveAwakeable", message)
    except HttpError as error:
        if any(it.reason == "WEBHOOK_REVOKED" for it in error.body.details):
            raise _unknown() from error
        if error.body.status == "NOT_FOUND":
            raise refused(
                410, "FAILED_PRECONDITION", "WEBHOOK_OVER",
                "what waited for this webhook has ended",
            ) from error  # fmt: skip
        if error.body.status != "ALREADY_EXISTS":
            raise


def _bearer(request: EndpointRequest) -> Access:
    """Returns the access of who has a signed URL: the one call that this module makes for it."""
    return Access(
        "webhook", "webhook", (Grant(AccessScope.RESOLVE),), source=source_of(request.http)
    )


def _payload(request: Request, body: bytes) -> payload_pb2.Payload:
    """Returns a body as a value; raises HttpError for one that is declared as JSON and is not."""
    if not body:
        return payload_pb2.Payload(data=b"null")
    kind = requests.content_type(request) or _BYTES
    if len(kind) > _CONTENT_TYPE_CHARACTERS:
        raise invalid("Content-Type", f"longer than {_CONTENT_TYPE_CHARACTERS} characters")
    media = requests.media_type(kind)
    if media == "application/json" or media.endswith("+json"):
        requests.check_charset(kind)
        requests.parse("body", body)
        return payload_pb2.Payload(data=body)
    if media == _FORM and _is_json(body):
        return payload_pb2.Payload(data=body)
    return payload_pb2.Payload(content_type=kind, data=body)


def _is_json(body: bytes) -> bool:
    try:
        requests.parse("body", body)
    except HttpError:
        return False
    return True
