"""A workflow with values that only its worker and its clients may read, and their codec."""

import os

import durable

codec = durable.EncryptionCodec(durable.KeyFile(os.environ["DURABLE_KEY_FILE"]))
"""The worker finds it by `--codec examples.encryption.workflows:codec`."""


def account_of(patient: str) -> str:
    """Looks the patient's account up."""
    return f"account of {patient}"


@durable.workflow
async def bill(ctx: durable.Context, patient: str, diagnosis: str) -> dict[str, str]:
    """Bills a patient."""
    account = await ctx.run("account", account_of, patient)
    ctx.set("diagnosis", diagnosis)
    return {"account": account, "for": diagnosis}
