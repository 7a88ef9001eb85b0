"""Starts a checkout, then plays the payment provider: it sends a signed webhook, twice."""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from durable import Client
from examples.launcher import started
from examples.webhook_payment.workflows import SECRET_NAME, Order, checkout


class Provider:
    """A payment provider that signs as Stripe does."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def send(self, url: str, event: dict[str, object]) -> str:
        """Posts an event; returns the response."""
        body = json.dumps(event).encode()
        signed_at = int(time.time())
        mac = hmac.new(self._secret, b"%d.%s" % (signed_at, body), hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": f"t={signed_at},v1={mac.hexdigest()}",
        }
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
                return f"{answer.status} {json.load(answer)['status']}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {json.load(error)['message']}"


@contextmanager
def shared_secret() -> Iterator[tuple[Path, str]]:
    """Gives the folder of webhook secrets, WEBHOOK_SECRETS_DIR or a new one, and the secret in it."""
    given = os.environ.get("WEBHOOK_SECRETS_DIR")
    if given:
        yield Path(given), (Path(given) / SECRET_NAME).read_text().strip()
        return
    with tempfile.TemporaryDirectory(prefix="durable-") as name:
        secret = f"whsec_{secrets.token_hex(16)}"
        (Path(name) / SECRET_NAME).write_text(secret)
        yield Path(name), secret


def handed_out(client: Client, invocation_id: str) -> str:
    """Waits until the workflow has a URL for the provider, and returns it."""
    for _ in client.watch(invocation_id):
        state = client.get_state(invocation_id=invocation_id)
        if "webhook" in state:
            return str(state["webhook"])
    raise RuntimeError(client.get(invocation_id).failure)


def main() -> None:
    """Runs the example."""
    module = "examples.webhook_payment.workflows"
    with (
        shared_secret() as (folder, secret),
        started(module, options=("--webhook-secrets-dir", str(folder))) as it,
        Client(it.address) as client,
    ):
        invocation_id = client.invoke_async(checkout, Order("order-17", 1250))
        url = handed_out(client, invocation_id)
        print(f"🔗 order-17 can be paid at {url[: url.rindex('/')]}/...")

        event: dict[str, object] = {"id": "pay-1", "status": "succeeded", "amount": 1250}
        print(f"🦹 Somebody else posts there: {Provider('a guess').send(url, event)}")
        provider = Provider(secret)
        print(f"🏦 The provider posts there: {provider.send(url, event)}")
        print(f"🏦 It is not sure and posts again: {provider.send(url, event)}")
        print(client.get_result(invocation_id, checkout).value())


if __name__ == "__main__":
    main()
