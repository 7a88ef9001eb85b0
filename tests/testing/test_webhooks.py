"""Webhooks in local mode and in tests: loopback URLs that expire by the test's clock."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import pytest

import durable
import durable.testing
from durable.testing import Wait

SECRET = "whsec_test"
urls: list[str] = []


@pytest.fixture(autouse=True)
def _no_urls() -> None:
    urls.clear()


@durable.workflow
async def paid(ctx: durable.Context, scheme: str = "") -> Any:
    """Creates a webhook URL, and waits two hours for a post."""
    event = ctx.awakeable()
    webhook = await event.webhook(
        expires_in=timedelta(hours=1), scheme=scheme, secret="shop" if scheme else ""
    )
    await ctx.run("hand out", urls.append, webhook.url)
    try:
        async with asyncio.timeout(7200):
            return await event
    except TimeoutError:
        return "nobody has paid"


def post(url: str, body: bytes = b'{"amount": 12}', **headers: str) -> tuple[int, Any]:
    """Posts as a payment provider would: over HTTP."""
    request = urllib.request.Request(url, body, {"content-type": "application/json", **headers})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def handed_out(env: durable.testing.Environment, *arguments: str) -> tuple[str, str]:
    """Starts the workflow; returns its id and the URL that it has handed out."""
    env.register(paid)
    invocation_id = env.client.invoke_async(paid, *arguments)
    env.settle()
    return invocation_id, urls[-1]


@pytest.mark.parametrize("suspend", ["never", "always"])
def test_a_post_resolves_the_awakeable(suspend: durable.testing.Suspend) -> None:
    with durable.testing.Environment(suspend=suspend) as env:
        invocation_id, url = handed_out(env)
        assert url.startswith("http://127.0.0.1:")
        assert post(url) == (200, {"status": "resolved"})
        assert post(url, b'{"amount": 13}') == (200, {"status": "resolved"})
        assert env.client.get_result(invocation_id).value() == {"amount": 12}
        assert urls == [url]  # a replay has the same one


def test_a_url_expires_by_the_virtual_clock() -> None:
    with durable.testing.Environment(skip_time=False) as env:
        invocation_id, url = handed_out(env)
        env.advance(timedelta(minutes=59))
        late = env.client.create_webhook("other", expires_in=timedelta(minutes=5))
        assert late.expire_time == env.now() + timedelta(minutes=5) or (
            timedelta(0)
            < late.expire_time - env.now() - timedelta(minutes=5)
            < timedelta(seconds=1)
        )
        env.advance(timedelta(minutes=2))
        code, body = post(url)
        assert (code, body["details"][0]["reason"]) == (410, "WEBHOOK_EXPIRED")
        assert post(late.url)[0] == 200
        env.advance(timedelta(hours=1))
        assert env.client.get_result(invocation_id).value() == "nobody has paid"


def test_time_skips_to_the_end_when_nobody_posts() -> None:
    with durable.testing.Environment() as env:
        invocation_id, url = handed_out(env)
        assert env.client.get_result(invocation_id).value() == "nobody has paid"
        assert post(url)[0] == 410


def test_senders_sign_with_the_secret_that_the_test_has_given() -> None:
    with durable.testing.Environment(webhook_secrets={"shop": f"whsec_old\n{SECRET}\n"}) as env:
        invocation_id, url = handed_out(env, "stripe")
        body = b'{"type": "paid"}'

        def signature(secret: str, ago: int = 0) -> str:
            at = int(env.now().timestamp()) - ago
            mac = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
            return f"t={at},v1={mac}"

        for wrong in (signature("whsec_other"), signature(SECRET, ago=301)):
            assert post(url, body, **{"stripe-signature": wrong})[0] == 401
        assert post(url, body)[0] == 401
        assert post(url, body, **{"stripe-signature": signature(SECRET)})[0] == 200
        assert env.client.get_result(invocation_id).value() == {"type": "paid"}
        with pytest.raises(durable.InvalidArgumentError, match="no secret 'bank': give it in"):
            env.client.create_webhook("a", scheme="stripe", secret="bank")
    with pytest.raises(ValueError, match="the webhook secret 'shop' is empty"):
        durable.testing.Environment(webhook_secrets={"shop": " "})
    with pytest.raises(ValueError, match="the webhook secret 'a/b' has a name"):
        durable.testing.Environment(webhook_secrets={"a/b": "x"})


def test_rules_are_those_of_a_control_plane() -> None:
    with durable.testing.Environment() as env:
        _, url = handed_out(env)
        assert post(url, b"{")[0] == 400
        assert post(url, b"1", **{"content-encoding": "gzip"})[0] == 415
        assert post(url, b'"' + b"x" * 2_000_000 + b'"')[0] == 413
        assert post(url[:-1])[0] == 404
        # Nothing else is served there.
        base = url.partition("/webhooks/")[0]
        assert post(f"{base}/api/workflows/paid/invoke")[0] == 404


async def test_on_an_event_loop_of_the_test() -> None:
    async with durable.testing.AsyncEnvironment() as env:
        await env.register(paid)
        ids = [await env.client.invoke_async(paid) for _ in range(3)]
        await env.settle()
        assert len({url.partition("/webhooks/")[0] for url in urls}) == 1  # one port
        await asyncio.gather(*(asyncio.to_thread(post, url) for url in urls))
        for invocation_id in ids:
            assert (await env.client.get_result(invocation_id)).value() == {"amount": 12}


def test_local_mode_has_them_too() -> None:
    with durable.Client.local(timeout=30, webhook_secrets={"shop": SECRET}) as client:
        client.register(paid)
        client.serve_handlers()
        invocation_id = client.invoke_async(paid)
        webhook = client.create_webhook("early")
        assert post(webhook.url, b'"early"')[0] == 200
        for seen in client.watch(invocation_id):
            if any(it.name == "hand out" for it in seen.journal):
                break
        assert post(urls[-1])[0] == 200
        assert client.get_result(invocation_id).value() == {"amount": 12}
    with pytest.raises(urllib.error.URLError):
        post(webhook.url)


async def test_a_delivery_survives_every_crash() -> None:
    async def deliver(client: durable.AsyncClient, wait: Wait) -> None:
        if wait.kind == "awakeable":
            url = (await client.create_webhook(wait.name)).url
            while (await asyncio.to_thread(post, url))[0] == 503:  # killed: senders try again
                await client.get(wait.invocation_id)  # when it is there again

    report = await durable.testing.crash_everywhere(paid, drive=deliver, before=urls.clear)
    assert report.result.value() == {"amount": 12}
