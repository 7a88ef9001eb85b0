"""Webhooks from end to end: a workflow gives out a URL, and a sender posts to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.webhooks.files import own_keys
from durable_server.webhooks.tokens import Claim, Keyring

from .web import Answer, Web, curl

SECRET = b"whsec_first"
BODY = b'{ "type": "paid",\n "amount": 1250.10 }'
JSON = "application/json; charset=utf-8"


@durable.workflow
async def payment(ctx: durable.Context, scheme: str = "") -> list[Any]:
    """Hands out a URL by its state, and returns what was posted there beside the URL."""
    paid = ctx.awakeable()
    secret = "shop" if scheme else ""
    webhook = await paid.webhook(expires_in=timedelta(hours=1), scheme=scheme, secret=secret)
    ctx.set("url", webhook.url)
    event = await paid
    return [webhook.url, webhook.expire_time, event]


@durable.workflow
async def anything(ctx: durable.Context) -> str:
    """Takes a body of any kind."""
    given = ctx.awakeable(type=bytes)
    ctx.set("url", (await given.webhook()).url)
    return (await given).decode()


@durable.workflow
async def several(ctx: durable.Context) -> Any:
    """Hands out two URLs for one awakeable, one in its state under each name."""
    paid = ctx.promise("paid")
    for name in ("url", "other"):
        webhook = await paid.webhook(expires_in=timedelta(hours=1))
        ctx.set(name, [webhook.id, webhook.url])
    return await paid


@dataclass
class Payment:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("negative")


@durable.workflow
async def typed_payment(ctx: durable.Context) -> list[Any]:
    """Hands out a URL for a payment, and waits until it can read one."""
    paid = ctx.promise("paid", type=Payment)
    ctx.set("url", (await paid.webhook()).url)
    problems: list[str] = []
    while True:
        try:
            return [problems, (await paid).amount]
        except durable.CodecError as error:
            problems.append(str(error))
            paid = ctx.promise("paid", type=Payment)


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[durable.AsyncClient]:
    """A client, and a worker that replays the journal at each await."""
    worker = durable.Worker(
        plane.address, workflows=[payment, anything, several, typed_payment], suspend_after=0
    )
    running = asyncio.create_task(worker.run())
    await worker.ready()
    async with durable.AsyncClient(plane.address, timeout=30) as one:
        yield one
    worker.stop()
    await running


async def handed_out(client: durable.AsyncClient, invocation_id: str) -> str:
    """Waits for the URL that a workflow hands out; returns its path."""
    async for seen in client.watch(invocation_id):
        del seen
        state = await client.get_state(invocation_id=invocation_id)
        if "url" in state:
            return "/webhooks/" + str(state["url"]).rpartition("/")[2]
    raise AssertionError("it ended without a URL")


async def deliver(web: Web, path: str, body: bytes = BODY, **headers: str) -> Answer:
    return await web.post(path, body, **{"Content_Type": JSON, **headers})


def stripe_header(body: bytes = BODY, at: float | None = None, secret: bytes = SECRET) -> str:
    signed = int(time.time() if at is None else at)
    mac = hmac.new(secret, b"%d." % signed + body, hashlib.sha256).hexdigest()
    return f"t={signed},v1={mac}"


async def test_a_workflow_hands_out_a_url_and_the_first_post_counts(
    client: durable.AsyncClient, web: Web, plane: ControlPlane
) -> None:
    invocation_id = await client.invoke_async(payment)
    path = await handed_out(client, invocation_id)
    first = await deliver(web, path)
    assert (first.code, first.body) == (200, {"status": "resolved"})
    again = await deliver(web, path)
    other = await deliver(web, path, b'{"type": "other"}')
    url, expire_time, event = (await client.get_result(invocation_id)).value()
    assert (again.code, other.code) == (200, 200)
    assert event == {"type": "paid", "amount": 1250.1}
    # It was replayed, and is the URL that was handed out.
    assert url == f"http://{plane.http_address}{path}"
    left = datetime.fromisoformat(expire_time) - datetime.now(UTC)
    assert timedelta(minutes=55) < left < timedelta(hours=1, seconds=2)
    found = await client.get(invocation_id)
    assert [it.name for it in found.journal][1] == "DurableControl.CreateWebhook"
    assert [it.resolved for it in found.awakeables] == [True]
    # The bytes are kept as they came.
    shown = (await web.get(f"/v1/invocations/{invocation_id}?include_journal=true")).body
    (awakeable,) = shown["invocation"]["awakeables"]
    assert awakeable["outcome"]["value"] == {"data": base64.b64encode(BODY).decode()}
    late = await deliver(web, path)
    assert (late.code, late.body) == (200, {"status": "resolved"})
    await client.purge(invocation_id)
    gone = await deliver(web, path)
    assert (gone.code, gone.body["message"]) == (410, "what waited for this webhook has ended")


async def two_webhooks(
    client: durable.AsyncClient, invocation_id: str
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Waits for the webhooks of `several`; returns the id and the path of each."""
    async for seen in client.watch(invocation_id):
        del seen
        state = await client.get_state(invocation_id=invocation_id)
        if "other" in state:
            found = [
                (str(id_), "/webhooks/" + str(url).rpartition("/")[2])
                for id_, url in (state["url"], state["other"])
            ]
            return found[0], found[1]
    raise AssertionError("it ended without its URLs")


async def test_a_revoked_url_is_as_if_it_had_never_been_made(
    client: durable.AsyncClient, web: Web
) -> None:
    invocation_id = await client.invoke_async(several)
    (first_id, first), (second_id, second) = await two_webhooks(client, invocation_id)
    assert first_id != second_id
    done = await client.revoke_webhook(first_id)
    assert (done.awakeable_id, done.invocation_id) == (f"{invocation_id}.paid", invocation_id)
    assert not done.resolved
    never = await deliver(web, "/webhooks/" + "A" * 60)
    for body in (BODY, b'"other"'):
        refused = await deliver(web, first, body)
        assert (refused.code, refused.body) == (404, never.body)
    assert await client.revoke_webhook(first_id) == done
    # The awakeable waits on, and its other URL works.
    assert (await deliver(web, second)).code == 200
    assert (await client.get_result(invocation_id)).value()["type"] == "paid"
    late = await client.revoke_webhooks(f"{invocation_id}.paid")
    assert late.resolved
    assert (await deliver(web, second)).code == 404


async def test_all_urls_of_an_awakeable_are_revoked_also_later_ones(
    client: durable.AsyncClient, web: Web
) -> None:
    invocation_id = await client.invoke_async(several)
    (_, first), (second_id, second) = await two_webhooks(client, invocation_id)
    name = f"{invocation_id}.paid"
    await client.revoke_webhook(second_id)
    await web.post("/v1/webhooks:revoke", {"awakeable_id": name})
    later = (await client.create_webhook(name)).url
    for path in (first, second, "/webhooks/" + later.rpartition("/")[2]):
        assert (await deliver(web, path)).code == 404
    # Only webhooks are closed.
    await client.resolve_awakeable(name, 7)
    assert (await client.get_result(invocation_id)).value() == 7


async def test_a_url_is_revoked_before_an_invocation_waits(
    client: durable.AsyncClient, web: Web
) -> None:
    made = await client.create_webhook("order-7", expires_in=60)
    path = "/webhooks/" + made.url.rpartition("/")[2]
    await client.revoke_webhook(made.url)
    assert (await deliver(web, path)).code == 404
    await client.resolve_awakeable("order-7", 1)
    assert (await deliver(web, path)).code == 404


async def test_what_is_no_webhook_is_not_revoked(client: durable.AsyncClient, web: Web) -> None:
    made = await client.create_webhook("order-8", expires_in=60)
    forged = made.url.replace("/webhooks/", "/webhooks/A")
    for wrong in (forged, "order-8", "#" + "0" * 24, "a" * 300 + "#" + "0" * 24):
        with pytest.raises(durable.InvalidArgumentError) as caught:
            await client.revoke_webhook(wrong)
        assert wrong not in str(caught.value)
    with pytest.raises(durable.NotFoundError):
        await client.revoke_webhooks("0" * 32 + "-0")
    for body in ({}, {"awakeable_id": "a", "webhook": made.id}):
        assert (await web.post("/v1/webhooks:revoke", body)).code == 400
    assert (await deliver(web, "/webhooks/" + made.url.rpartition("/")[2])).code == 200


async def test_a_body_that_does_not_fit_is_refused_and_the_url_stays_good(
    client: durable.AsyncClient, web: Web
) -> None:
    invocation_id = await client.invoke_async(typed_payment)
    path = await handed_out(client, invocation_id)
    for body, field in [
        (b'{"amount": "12"}', "outcome.value.amount"),
        (b"{}", "outcome.value"),
        (b"5", "outcome.value"),
    ]:
        refused = await deliver(web, path, body)
        assert refused.code == 400
        (detail,) = refused.body["details"]
        assert detail["reason"] == "INVALID_FIELD"
        assert detail["metadata"]["field"] == field
        assert detail["metadata"]["problem"] in refused.body["message"]
    for kind in ("application/x-www-form-urlencoded", "text/xml", "application/octet-stream"):
        refused = await deliver(web, path, b"amount=12", Content_Type=kind)
        assert refused.code == 400
        assert f"its content type is '{kind}'" in refused.body["message"]
    shown = (await web.get(f"/v1/invocations/{invocation_id}?include_journal=true")).body
    (awakeable,) = shown["invocation"]["awakeables"]
    assert "outcome" not in awakeable
    assert json.loads(awakeable["schema"])["$defs"]["Payment"]["required"] == ["amount"]
    name = awakeable["awakeableId"]
    refused = await web.post(f"/api/awakeables/{name}/resolve", {"result": {"amount": []}})
    assert refused.code == 400
    refused = await web.post(
        f"/v1/awakeables/{name}:resolve", {"outcome": {"value": {"data": "InRleHQi"}}}
    )
    assert refused.code == 400
    # What only the program can refuse is taken, and replaced by the next body.
    assert (await deliver(web, path, b'{"amount": -1}')).code == 200
    async for it in client.watch(invocation_id):
        if any(entry.step_number == 3 for entry in it.journal):
            break
    assert (await deliver(web, path, b'{"amount": 12}')).code == 200
    problems, amount = (await client.get_result(invocation_id)).value()
    (problem,) = problems
    assert problem.endswith("value: no Payment: negative (read as Payment)")
    assert amount == 12


@pytest.mark.parametrize(
    ("body", "kind", "result"),
    [
        (b"<paid/>", "text/xml", "<paid/>"),
        (b"amount=12&state=paid", "application/x-www-form-urlencoded", "amount=12&state=paid"),
        (b"\x41", "application/octet-stream", "A"),
    ],
)
async def test_what_is_no_json_keeps_its_content_type(
    client: durable.AsyncClient, web: Web, body: bytes, kind: str, result: str
) -> None:
    invocation_id = await client.invoke_async(anything)
    path = await handed_out(client, invocation_id)
    assert (await deliver(web, path, body, Content_Type=kind)).code == 200
    assert (await client.get_result(invocation_id)).value() == result
    found = await web.get(f"/v1/invocations/{invocation_id}?include_journal=true")
    (awakeable,) = found.body["invocation"]["awakeables"]
    assert awakeable["outcome"]["value"]["contentType"] == kind


async def test_curl_needs_no_body_and_a_hook_in_the_making_is_no_event(
    client: durable.AsyncClient, web: Web, secrets: Path
) -> None:
    empty = await client.invoke_async(payment)
    path = await handed_out(client, empty)
    assert await curl("-X", "POST", web.base + path) == {"status": "resolved"}
    assert (await client.get_result(empty)).value()[2] is None

    typed = await client.invoke_async(payment)
    path = await handed_out(client, typed)
    await curl("-d", '{"approved": true}', web.base + path)
    assert (await client.get_result(typed)).value()[2] == {"approved": True}

    (secrets / "shop").write_bytes(SECRET)
    hooked = await client.invoke_async(payment, "github")
    path = await handed_out(client, hooked)
    signature = f"sha256={hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()}"
    signed = {"X_Hub_Signature_256": signature}
    ping = await deliver(web, path, X_GitHub_Event="ping", **signed)
    assert (ping.code, ping.body) == (200, {"status": "ignored"})
    forged = await deliver(web, path, X_GitHub_Event="ping")
    assert forged.code == 401
    assert (await deliver(web, path, X_GitHub_Event="push", **signed)).code == 200
    assert (await client.get_result(hooked)).value()[2] == {"type": "paid", "amount": 1250.1}


async def test_a_sender_must_have_signed(
    client: durable.AsyncClient, web: Web, secrets: Path
) -> None:
    (secrets / "shop").write_bytes(SECRET)
    invocation_id = await client.invoke_async(payment, "stripe")
    path = await handed_out(client, invocation_id)
    for headers in (
        {},
        {"Stripe_Signature": stripe_header(secret=b"whsec_other")},
        {"Stripe_Signature": stripe_header(b"{}")},
        {"Stripe_Signature": stripe_header(at=time.time() - 301)},
    ):
        refused = await deliver(web, path, **headers)
        assert (refused.code, refused.body["status"]) == (401, "UNAUTHENTICATED"), headers
    # A secret that has gone is not the sender's fault: it shall come again.
    (secrets / "shop").unlink()
    unchecked = await deliver(web, path, Stripe_Signature=stripe_header())
    assert (unchecked.code, unchecked.headers["retry-after"]) == (503, "60")
    assert "shop" not in unchecked.body["message"]
    # A new secret counts at once, beside the old one.
    (secrets / "shop").write_bytes(b"whsec_new\n" + SECRET)
    assert (await deliver(web, path, Stripe_Signature=stripe_header())).code == 200
    assert (await client.get_result(invocation_id)).value()[2]["type"] == "paid"


async def test_a_token_is_good_for_its_awakeable_until_it_expires(
    web: Web, client: durable.AsyncClient, tmp_path: Path
) -> None:
    keyring = Keyring(own_keys(tmp_path / "data"))
    now = int(time.time())
    expired = await deliver(web, "/webhooks/" + keyring.sign(Claim("early-1", now)))
    assert (expired.code, expired.body["message"]) == (410, "the webhook has expired")
    missing = [
        await deliver(web, f"/webhooks/{token}")
        for token in (
            "x",
            "early-1",
            keyring.sign(Claim("early-1", now + 60))[:-2],
            Keyring([b"x" * 64]).sign(Claim("early-1", now + 60)),
            Keyring([b"x" * 64]).sign(Claim("early-1", now - 60)),
        )
    ]
    assert {it.code for it in missing} == {404}
    assert len({str(it.body) for it in missing}) == 1
    good = keyring.sign(Claim("early-1", now + 60))
    assert (await deliver(web, "/webhooks/" + good)).code == 200
    # Resolved before anybody asked; nothing else was.
    with pytest.raises(durable.AlreadyExistsError):
        await client.resolve_awakeable("early-1", 2)
    await client.resolve_awakeable("early-2", 2)


async def test_bad_bodies_and_other_methods_resolve_nothing(
    web: Web, client: durable.AsyncClient
) -> None:
    made = await client.create_webhook("early-1")
    path = "/webhooks/" + made.url.rpartition("/")[2]
    broken = await deliver(web, path, b'{"a": }')
    assert (broken.code, broken.body["status"]) == (400, "INVALID_ARGUMENT")
    assert "column 7" in broken.body["message"]
    large = await deliver(web, path, b" " * (64 * 1024 + 1))
    assert (large.code, large.headers["connection"]) == (413, "close")
    assert (await deliver(web, path, Content_Type="x" * 300)).code == 400
    looked = await web.get(path)
    assert (looked.code, looked.headers["allow"]) == (405, "POST, OPTIONS")
    assert (await web.delete(path)).code == 405
    await client.resolve_awakeable("early-1", "still free")


async def test_a_sender_has_the_public_name_and_pages_still_have_none(
    web: Web, client: durable.AsyncClient
) -> None:
    made = await client.create_webhook("early-1")
    path = "/webhooks/" + made.url.rpartition("/")[2]
    foreign = {
        "Host": "pay.example.com",
        "Origin": "https://shop.example",
        "Sec_Fetch_Site": "cross-site",
    }
    assert (await deliver(web, path, **foreign)).code == 200
    for other in (
        "/webhooks",
        "/webhooks/../api/workflows/stats",
        "//webhooks/x",
        "/api/workflows/stats",
    ):
        answer = await web.get(other, Host="pay.example.com")
        assert answer.code in (403, 404), other
        assert "total" not in answer.body


async def test_what_a_request_gets_wrong_is_named(client: durable.AsyncClient) -> None:
    async def refused(**changes: Any) -> str:
        with pytest.raises(durable.InvalidArgumentError) as caught:
            await client.create_webhook(**{"awakeable_id": "a", **changes})
        return str(caught.value)

    assert "awakeable_id: is empty" in await refused(awakeable_id="")
    assert "id_bytes (256)" in await refused(awakeable_id="a" * 257)
    for wrong, problem in ((0, "give None for 24 hours"), (-1.5, "must be 0 or more")):
        with pytest.raises(ValueError, match=f"expires_in is .*{problem}"):
            await client.create_webhook("a", expires_in=wrong)
    assert "webhook_seconds (31622400)" in await refused(expires_in=timedelta(days=367))
    assert "not one of stripe, github" in await refused(scheme="stripes", secret="shop")
    assert "secret_name: is empty" in await refused(scheme="stripe")
    assert "secret_name: is for a scheme" in await refused(secret="shop")
    assert "no secret 'shop'" in await refused(scheme="stripe", secret="shop")
    assert "not a secret's name" in await refused(scheme="stripe", secret="../data/webhook.key")


async def test_an_expiry_is_a_span_or_a_time(web: Web) -> None:
    at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    stamp = at.isoformat().replace("+00:00", "Z")
    path = "/v1/awakeables/a%2Fb%3Ac:webhook"
    made = await web.post(path, {"expireTime": stamp})
    assert (made.code, made.body["expireTime"]) == (200, stamp)
    both = await web.post(path, {"expireTime": stamp, "expiresIn": "5s"})
    assert (both.code, "expire_time" in both.body["message"]) == (400, True)
    for nothing in ("0s", "-1.5s"):
        never = await web.post(path, {"expiresIn": nothing})
        assert (never.code, "expires_in" in never.body["message"]) == (400, True)
    past = await web.post(path, {"expireTime": "2020-01-01T00:00:00Z"})
    assert (past.code, "expired already" in past.body["message"]) == (400, True)
    day = await web.post(path)
    default = datetime.fromisoformat(day.body["expireTime"]) - datetime.now(UTC)
    assert timedelta(hours=23) < default < timedelta(hours=25)
    token = made.body["url"].rpartition("/")[2]
    assert (await web.post(f"/webhooks/{token}", {"x": 1}, Content_Type=JSON)).code == 200
    assert (await web.post("/api/awakeables/a%2Fb%3Ac/resolve", {"result": 2})).code == 409


async def test_urls_have_the_public_name_and_outlive_a_restart(tmp_path: Path) -> None:
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        public_url="https://pay.example.com/durable/",
        grace_seconds=0.2,
    )
    async with ControlPlane(config) as plane, durable.AsyncClient(plane.address) as client:
        made = await client.create_webhook("early-1")
    assert made.url.startswith("https://pay.example.com/durable/webhooks/")
    path = "/webhooks/" + made.url.rpartition("/")[2]
    async with ControlPlane(config) as plane:
        assert (await deliver(Web(plane.http_address), path)).code == 200
    other = replace(config, webhook_key="k" * 64)
    assert "k" * 64 not in repr(other)
    async with ControlPlane(other) as plane:
        assert (await deliver(Web(plane.http_address), path)).code == 404


async def test_without_http_the_error_says_how_to_have_it(tmp_path: Path) -> None:
    config = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2)
    async with ControlPlane(config) as plane:
        assert not (tmp_path / "data" / "webhook.key").exists()
        async with durable.AsyncClient(plane.address) as client:
            with pytest.raises(durable.PreconditionError, match="--http HOST:PORT") as caught:
                await client.create_webhook("a")
            assert caught.value.reason == "HTTP_NOT_SERVED"
            assert caught.value.metadata == {"operation": "CreateWebhook"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"public_url": "pay.example.com", "http": "127.0.0.1:0"}, "is not http"),
        ({"public_url": "ftp://pay.example.com", "http": "127.0.0.1:0"}, "is not http"),
        ({"public_url": "https://pay.example.com?x=1", "http": "127.0.0.1:0"}, "is not http"),
        ({"public_url": "https://pay.example.com"}, "add --http"),
        ({"webhook_key": "k" * 64, "webhook_key_file": Path("keys")}, "keep one"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(**settings).check()
