"""`POST /webhooks/{token}`: the outside world resolves one awakeable.

    200 {"status": "resolved"}   it counts, or an earlier one did: senders deliver more than once
    200 {"status": "ignored"}    the sender only tried the address
    400  it says that it is JSON and is not         401  the signature is not the sender's
    404  there is no such webhook                   410  it has expired, or its invocation is over
    413  it is larger than `payload_bytes`          429, 503  deliver it again later

The value is the body's bytes as they came: JSON stays as it was written, also where `curl -d` has
called it a form; anything else is a payload of its content type, and nothing at all is null. The
token alone is the permission, so the rules about web pages and host names do not apply here (see
`shim`), and only POST is served: what merely looks at a link, as chat programs and mail scanners do,
resolves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.requests import Request
from starlette.responses import Response

from durable_proto.v1 import control_pb2, payload_pb2

from ..webhooks.desk import PATH, Webhooks
from ..webhooks.files import SecretError
from ..webhooks.schemes import SCHEMES, Scheme
from ..webhooks.tokens import Claim
from . import reading
from .control import Control
from .errors import HttpError, bad_request, json_response
from .routing import Route

logger = logging.getLogger("durable.http")

_BYTES = "application/octet-stream"
_FORM = "application/x-www-form-urlencoded"
_CONTENT_TYPE_CHARACTERS = 256


class Deliveries:
    """The endpoint of all webhooks."""

    def __init__(self, control: Control, webhooks: Webhooks, payload_bytes: int) -> None:
        self._control = control
        self._webhooks = webhooks
        self._payload_bytes = payload_bytes

    def route(self) -> Route:
        """Returns the endpoint."""
        return Route("POST", PATH + "{token}", self.deliver)

    async def deliver(self, request: Request, variables: dict[str, str]) -> Response:
        """Takes one delivery. The body is not read before the token is known to be good."""
        claim = self._webhooks.keyring.read(variables["token"])
        if claim is None:
            raise HttpError(404, "NOT_FOUND", "there is no such webhook")
        now = time.time()
        if now >= claim.expires_s:
            raise HttpError(410, "FAILED_PRECONDITION", "the webhook has expired")
        body = await reading.body(request, self._payload_bytes)
        if claim.scheme:
            scheme, secrets = await self._scheme(claim)
            bad = scheme.check(request.headers, body, secrets, now)
            if bad is not None:
                raise HttpError(401, "UNAUTHENTICATED", bad.problem)
            if scheme.is_ping(request.headers):
                return json_response({"status": "ignored"})
        outcome = payload_pb2.Outcome(value=_payload(request, body))
        await self._resolve(claim.awakeable_id, outcome)
        return json_response({"status": "resolved"})

    async def _scheme(self, claim: Claim) -> tuple[Scheme, list[bytes]]:
        try:
            secrets = await asyncio.to_thread(self._webhooks.secrets.read, claim.secret_name)
            return SCHEMES[claim.scheme], secrets
        except (SecretError, KeyError) as error:
            # It was there when the URL was made. The sender cannot help it, and tries again.
            logger.error("a webhook's sender cannot be checked: %s", error)
            raise HttpError(
                503, "UNAVAILABLE", "the sender cannot be checked now; deliver it again", None,
                {"retry-after": "60"},
            ) from error  # fmt: skip

    async def _resolve(self, awakeable_id: str, outcome: payload_pb2.Outcome) -> None:
        asked = control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, outcome=outcome)
        try:
            await self._control.call("ResolveAwakeable", asked)
        except HttpError as error:
            if error.status == "NOT_FOUND":
                raise HttpError(
                    410, "FAILED_PRECONDITION", "what waited for this webhook has ended"
                ) from error
            if error.status != "ALREADY_EXISTS":
                raise


def _payload(request: Request, body: bytes) -> payload_pb2.Payload:
    """Returns a body as a value; raises HttpError for what only says that it is JSON."""
    if not body:
        return payload_pb2.Payload(data=b"null")
    kind = request.headers.get("content-type", "") or _BYTES
    if len(kind) > _CONTENT_TYPE_CHARACTERS:
        raise bad_request(f"the content type is longer than {_CONTENT_TYPE_CHARACTERS} characters")
    media = kind.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        reading.parse(body)
        return payload_pb2.Payload(data=body)
    if media == _FORM and _is_json(body):
        return payload_pb2.Payload(data=body)
    return payload_pb2.Payload(content_type=kind, data=body)


def _is_json(body: bytes) -> bool:
    try:
        reading.parse(body)
    except HttpError:
        return False
    return True
