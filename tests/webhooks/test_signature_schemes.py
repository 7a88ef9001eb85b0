"""The signature schemes, against vectors from the senders' own documents and libraries."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from durable_server.webhooks.signature_schemes import SCHEMES, TOLERANCE_SECONDS, BadSignature

# Signed with the official library stripe 16.1.0: WebhookSignature, time 1700000000.
STRIPE_BODY = (
    b'{\n  "id": "evt_1",\n  "type": "payment_intent.succeeded",\n'
    b'  "data": {"object": {"id": "pi_1", "amount": 1250}}\n}'
)
FIRST = "cb07d123f5cb486ca9a82a096b06b0bd43daa40ed57f0b03e155acf13a07dd8f"  # with whsec_first
SECOND = "4e98fe085ec5364118fa2e371caeb6013955aaf69f987e5c15157c69272c457a"  # with whsec_second
SIGNED = 1_700_000_000

# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GITHUB_SECRET = b"It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def stripe(
    header: str | None,
    body: bytes = STRIPE_BODY,
    secrets: tuple[bytes, ...] = (b"whsec_first",),
    now: float = SIGNED + 1,
) -> BadSignature | None:
    headers = {} if header is None else {"stripe-signature": header}
    return SCHEMES["stripe"].check(headers, body, secrets, now)


def github(header: str | None, body: bytes = GITHUB_BODY) -> BadSignature | None:
    headers = {} if header is None else {"x-hub-signature-256": header}
    return SCHEMES["github"].check(headers, body, [b"another", GITHUB_SECRET], 0)


@pytest.mark.parametrize(
    "header",
    [
        f"t={SIGNED},v1={FIRST}",
        f"t={SIGNED},v1={FIRST},v0={SECOND}",
        f"t={SIGNED}, v1={SECOND}, v1={FIRST}",
        f"v1={FIRST},t={SIGNED}",
    ],
)
def test_what_stripe_signs_is_accepted(header: str) -> None:
    assert stripe(header) is None
    assert stripe(header, secrets=(b"whsec_other", b"whsec_first")) is None


def test_while_a_secret_is_replaced_either_will_do() -> None:
    both = f"t={SIGNED},v1={SECOND},v1={FIRST}"
    assert stripe(both, secrets=(b"whsec_first",)) is None
    assert stripe(both, secrets=(b"whsec_second",)) is None
    assert stripe(f"t={SIGNED},v1={SECOND}", secrets=(b"whsec_first", b"whsec_second")) is None


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "no Stripe-Signature"),
        ("", "t=SECONDS is missing"),
        (f"v1={FIRST}", "t=SECONDS is missing"),
        (f"t=,v1={FIRST}", "t=SECONDS is missing"),
        (f"t=-1,v1={FIRST}", "t=SECONDS is missing"),
        (f"t=١٧,v1={FIRST}", "t=SECONDS is missing"),
        (f"t={'9' * 5000},v1={FIRST}", "t=SECONDS is missing"),
        (f"t={SIGNED},t={SIGNED + 900},v1={FIRST}", "t=SECONDS is missing"),
        (f"t={SIGNED}", "no v1 signature"),
        (f"t={SIGNED},v1=", "no v1 signature"),
        (f"t={SIGNED},v0={FIRST}", "no v1 signature"),
        (f"t={SIGNED + 1},v1={FIRST}", "no v1 signature"),
        (f"t={SIGNED},v1={FIRST.upper()}", "no v1 signature"),
        (f"t={SIGNED},v1={FIRST[:-1]}é", "no v1 signature"),
    ],
)
def test_what_stripe_has_not_signed_is_refused(header: str | None, words: str) -> None:
    bad = stripe(header)
    assert bad is not None
    assert words in bad.problem


def test_another_body_or_an_old_delivery_is_refused() -> None:
    good = f"t={SIGNED},v1={FIRST}"
    assert stripe(good, body=STRIPE_BODY + b"\n") is not None
    assert stripe(good, now=SIGNED + TOLERANCE_SECONDS) is None
    old = stripe(good, now=SIGNED + TOLERANCE_SECONDS + 1)
    assert old is not None
    assert "300 seconds ago" in old.problem
    # A sender whose clock is ahead is no attacker: only it can sign.
    assert stripe(good, now=SIGNED - 60) is None


def test_what_github_signs_is_accepted() -> None:
    assert github(GITHUB) is None


@pytest.mark.parametrize(
    "header",
    [None, "", "sha256=", GITHUB.removeprefix("sha256="), GITHUB.replace("256", "1"),
     GITHUB[:-1], GITHUB + "0", f"{GITHUB},{GITHUB}"],
)  # fmt: skip
def test_what_github_has_not_signed_is_refused(header: str | None) -> None:
    assert github(header) is not None
    assert github(GITHUB, body=b"Hello, world!") is not None


def test_only_githubs_ping_is_a_ping() -> None:
    pings: dict[str, Callable[..., bool]] = {name: it.is_ping for name, it in SCHEMES.items()}
    assert pings["github"]({"x-github-event": "ping"})
    assert not pings["github"]({"x-github-event": "push"})
    assert not pings["github"]({})
    assert not pings["stripe"]({"x-github-event": "ping"})


@pytest.mark.parametrize("name", SCHEMES)
def test_without_secrets_nothing_fits(name: str) -> None:
    empty = hmac.new(b"", b"1.", hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t=1,v1={empty}", "x-hub-signature-256": f"sha256={empty}"}
    assert SCHEMES[name].check(headers, b"", (), 1) is not None
