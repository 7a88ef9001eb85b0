"""A checkout that waits for the payment provider's webhook, which may take days."""

from dataclasses import dataclass
from datetime import timedelta

import durable

SECRET_NAME = "payments"
"""The webhook secret of the control plane that the provider signs with."""


@dataclass
class Order:
    """What is to be paid."""

    number: str
    amount: int


@dataclass
class Payment:
    """What the provider says."""

    id: str
    status: str
    amount: int


@durable.workflow
async def checkout(ctx: durable.Context, order: Order) -> str:
    """Gives the provider a URL that nobody else can use, and waits for what it posts there."""
    paid = ctx.awakeable(type=Payment)
    webhook = await paid.webhook(expires_in=timedelta(days=3), scheme="stripe", secret=SECRET_NAME)
    # The example's provider looks here; for a real one this is a step that calls its API.
    ctx.set("webhook", webhook.url)

    payment = await paid
    if payment.status != "succeeded" or payment.amount != order.amount:
        return f"❌ {order.number} is not paid: {payment.status}, {payment.amount} cents"
    return f"✅ {order.number} is paid: {payment.amount} cents ({payment.id})"
