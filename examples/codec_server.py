"""A codec endpoint: encodes and decodes values for people, whose browsers and shells have no keys.

    python examples/codec_server.py --key-file keys            # serves on 127.0.0.1:8088
    durable get ID --codec-endpoint http://127.0.0.1:8088
    durable server --http ... --codec-endpoint http://127.0.0.1:8088    # tells the page

The protocol is in docs/encryption.md. Whoever reaches this server can decode. So it serves loopback
only, and web pages only of the origins that it is given. Before others can reach it, put it behind
something that authenticates them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import click
from google.protobuf import json_format

import durable
from durable_proto.v1.payload_pb2 import Payload

DEFAULT_LISTEN = "127.0.0.1:8088"
BODY_BYTES_MAX = 64 * 1024 * 1024
IDLE_SECONDS = 30
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CodecServer(ThreadingHTTPServer):
    """Serves one codec."""

    daemon_threads = True

    def __init__(self, host: str, port: int, codec: durable.Codec, origins: frozenset[str]) -> None:
        super().__init__((host, port), _Endpoint)
        self.codec = codec
        self.origins = origins
        """The origins of the web pages that may ask, such as `http://127.0.0.1:8080`."""

    def answer(self, verb: str, payloads: list[Any]) -> dict[str, Any]:
        """Returns what `POST /{verb}` answers; raises ParseError for what is no payload."""
        work: Callable[[Payload], Payload] = getattr(self.codec, verb)
        return {
            "payloads": [_result(work, json_format.ParseDict(it, Payload())) for it in payloads]
        }


def _result(work: Callable[[Payload], Payload], payload: Payload) -> dict[str, Any]:
    """Returns a payload in JSON; or why this one cannot be decoded, beside others that can be."""
    try:
        return json_format.MessageToDict(work(payload))
    except durable.UndecodableValueError as error:
        return {"error": str(error), "keyId": error.key_id}


class _Endpoint(BaseHTTPRequestHandler):
    timeout = IDLE_SECONDS

    @property
    def codec_server(self) -> CodecServer:
        """The server; BaseHTTPRequestHandler knows it by a wider type."""
        return cast(CodecServer, self.server)

    def do_OPTIONS(self) -> None:
        """Answers a browser that asks whether a page of another origin may send a request."""
        if self._allowed():
            self._send(204, None)

    def do_POST(self) -> None:
        """Encodes or decodes."""
        if not self._allowed():
            return
        verb = self.path.removeprefix("/")
        if verb not in ("encode", "decode"):
            self._send(404, {"message": "there are only POST /encode and POST /decode"})
            return
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self._send(413, {"message": f"Content-Length is not from 0 to {BODY_BYTES_MAX}"})
            return
        try:
            payloads = json.loads(self.rfile.read(int(length)))["payloads"]
            answer = self.codec_server.answer(verb, payloads)
        except (ValueError, KeyError, TypeError, json_format.ParseError):
            self._send(400, {"message": 'the body is not {"payloads": [{"contentType", "data"}]}'})
        else:
            self._send(200, answer)

    def _allowed(self) -> bool:
        """Refuses web pages of other origins. Programs send no Origin."""
        origin = self.headers.get("origin")
        allowed = origin is None or origin in self.codec_server.origins
        if not allowed:
            self._send(403, {"message": "pages of this origin may not ask; see --origin"})
        return allowed

    def _send(self, status: int, body: dict[str, Any] | None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        origin = self.headers.get("origin")
        if origin in self.codec_server.origins:
            self.send_header("access-control-allow-origin", origin)
            self.send_header("access-control-allow-credentials", "true")
            self.send_header("access-control-allow-methods", "POST")
            self.send_header("access-control-allow-headers", "content-type")
        self.send_header("vary", "origin")
        self.send_header("cache-control", "no-store")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a request is of no interest, and its values must not be logged."""


@click.command()
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Serve here.")
@click.option("--key-file", required=True, type=click.Path(path_type=Path), help="Use its keys.")
@click.option(
    "--origin", "origins", multiple=True, default=["http://127.0.0.1:8080"], show_default=True,
    help="Let web pages of this origin ask; may be repeated.",
)  # fmt: skip
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the address here.")
def main(listen: str, key_file: Path, origins: tuple[str, ...], ready_file: Path | None) -> None:
    """Serve a codec endpoint with the keys of a file."""
    host, _, port = listen.rpartition(":")
    if host.strip("[]") not in LOOPBACK or not port.isdigit():
        raise click.UsageError(f"--listen {listen!r} is not HOST:PORT on loopback")
    try:
        codec = durable.EncryptionCodec(durable.KeyFile(key_file))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--key-file: {error}") from error
    server = CodecServer(host.strip("[]"), int(port), codec, frozenset(origins))
    url = f"http://{host}:{server.server_address[1]}"
    if ready_file is not None:
        ready_file.write_text(url)
    print(f"codec endpoint on {url}", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
