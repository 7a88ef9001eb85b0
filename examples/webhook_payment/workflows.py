"""A checkout that waits for the payment provider's webhook, for days if need be."""

from dataclasses import dataclass
from datetime import timedelta

import durable

SECRET_NAME = "payments"
"""The name of the webhook secret, known to the control plane, that the provider signs with."""


@dataclass
class Order:
    """What is to be paid."""

    number: str
    amount: int


@dataclass
class Payment:
    """What the provider posts."""

    id: str
    status: str
    amount: int


@durable.workflow
async def checkout(ctx: durable.Context, order: Order) -> str:
    """Gives the provider a URL with a secret token, and waits for what it posts there."""
    paid = ctx.awakeable(type=Payment)
    webhook = await paid.webhook(expires_in=timedelta(days=3), scheme="stripe", secret=SECRET_NAME)
    # main.py reads the URL from the state. With a real provider, a step calls its API here.
    ctx.set("webhook", webhook.url)

    payment = await paid
    if payment.status != "succeeded" or payment.amount != order.amount:
        return f"❌ {order.number} is not paid: {payment.status}, {payment.amount} cents"
    return f"✅ {order.number} is paid: {payment.amount} cents ({payment.id})"
