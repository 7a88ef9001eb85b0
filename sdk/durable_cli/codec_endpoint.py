"""The codec endpoint: encodes and decodes values for commands by a server that the user runs.

So commands need no keys: they send what the control plane has to `POST URL/decode`, and what the user
typed to `POST URL/encode` (`docs/encryption.md` has the protocol, `examples/encryption` a server).
One request has all payloads of a response.

An endpoint beyond loopback is asked by HTTPS only, because its responses are plain values.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from google.protobuf import json_format

from durable import Codec, CodecError, UndecodableValueError
from durable_proto.v1 import payload_pb2

ENDPOINT_SECONDS: Final = 10.0
"""How long the endpoint may take."""
RESPONSE_BYTES_MAX: Final = 256 * 1024 * 1024
"""The largest response that is read."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class EndpointCodec(Codec):
    """Asks a codec endpoint. Raises ValueError for a URL that cannot be one."""

    def __init__(self, url: str, *, insecure: bool = False) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the codec endpoint {url!r} is no URL with http:// or https://")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                f"the codec endpoint at {parts.hostname} has credentials, a query or a fragment; give"
                " only its address and path"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not insecure:
            raise ValueError(
                f"the codec endpoint {url!r} is not on this machine, and would send decoded values in"
                " plain text; use https://, or pass insecure=True if the network is trusted"
            )
        self._url: Final = url.rstrip("/")
        # No proxy of the environment comes between: values are plain here.
        self._opener: Final = build_opener(ProxyHandler({}))

    def encode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the encoded payload; raises CodecError when the endpoint does not."""
        (encoded,) = self._ask("encode", [payload])
        if isinstance(encoded, UndecodableValueError):
            raise CodecError(str(encoded))
        return encoded

    def decode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the decoded payload; raises CodecError, UndecodableValueError."""
        (decoded,) = self._ask("decode", [payload])
        if isinstance(decoded, UndecodableValueError):
            raise decoded
        return decoded

    def decode_all(
        self, payloads: Sequence[payload_pb2.Payload]
    ) -> Sequence[payload_pb2.Payload | UndecodableValueError]:
        """Returns the decoded payloads; raises CodecError when the endpoint cannot be asked."""
        return self._ask("decode", payloads)

    def _ask(
        self, verb: str, payloads: Sequence[payload_pb2.Payload]
    ) -> list[payload_pb2.Payload | UndecodableValueError]:
        asked = {"payloads": [json_format.MessageToDict(it) for it in payloads]}
        request = Request(  # the scheme was checked
            f"{self._url}/{verb}",
            data=json.dumps(asked).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=ENDPOINT_SECONDS) as response:
                answered = json.loads(response.read(RESPONSE_BYTES_MAX))
            items = answered["payloads"]
            if len(items) != len(payloads):
                raise ValueError(f"{len(items)} payloads came back of {len(payloads)}")
            return [_parsed(it) for it in items]
        except HTTPError as error:
            with error:
                reason = f"status {error.code}{_message(error.read(10_000))}"
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            reason = f"its response is not what it should be: {type(error).__name__}: {error}"
        raise CodecError(f"the codec endpoint {self._url} does not {verb}: {reason}")


def _parsed(item: Any) -> payload_pb2.Payload | UndecodableValueError:
    if isinstance(item, dict) and "error" in item:
        return UndecodableValueError(str(item["error"]), key_id=str(item.get("keyId", "")))
    return json_format.ParseDict(item, payload_pb2.Payload())


def _message(body: bytes) -> str:
    """Returns the message of an error response, after a colon; "" if it has none."""
    try:
        return f": {json.loads(body)['message']}"
    except (ValueError, KeyError, TypeError):
        return ""
