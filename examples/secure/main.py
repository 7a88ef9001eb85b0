"""Shows a control plane with TLS and tokens to the right caller, and to each wrong one."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from examples.launcher import say
from examples.secure.system import Answer, System

WIDTH = 90
"""How much is shown of what a caller is told."""


class Case(NamedTuple):
    """A caller, what it does, and whether that should succeed."""

    caller: str
    does: str
    answer: Answer
    permitted: bool

    @property
    def right(self) -> bool:
        """Whether the control plane has answered as it should."""
        return (self.answer.code in (0, 200, 202)) == self.permitted


def commands(system: System, shop: Path, viewer: Path, payroll: Path) -> Iterator[Case]:
    """Runs commands of `durable`, with the right credential and with each wrong one."""
    invoke = ("invoke", "orders.place", '"book"')
    yield Case("shop's token", "invoke orders.place", system.cli(*invoke, token=shop), True)
    yield Case("viewer's token", "list", system.cli("list", token=viewer), True)
    yield Case("viewer's token", "invoke orders.place", system.cli(*invoke, token=viewer), False)
    yield Case(
        "shop's token", "invoke payroll.run", system.cli("invoke", "payroll.run", token=shop), False
    )
    yield Case("payroll's token", "invoke orders.place", system.cli(*invoke, token=payroll), False)
    yield Case("shop's token", "token list", system.cli("token", "list", token=shop), False)
    yield Case("nobody", "invoke orders.place", system.cli(*invoke), False)
    wrong = system.folder / "wrong.token"
    wrong.write_text(shop.read_text().strip()[:-4] + "AAAA\n")
    yield Case("a wrong token", "list", system.cli("list", token=wrong), False)
    revoked = system.token("revoked", "--scope", "read")
    yield Case("a new token", "list", system.cli("list", token=revoked), True)
    system.cli("token", "revoke", "revoked", token=system.admin, check=True)
    yield Case("the same, revoked", "list", system.cli("list", token=revoked), False)
    yield Case(
        "no authority",
        "list",
        system.cli("list", token=shop, environment={"DURABLE_TLS_CA": ""}),
        False,
    )
    plain = system.address.removeprefix("grpcs://")
    yield Case(
        "without TLS", "list", system.cli("list", token=shop, address=f"grpc://{plain}"), False
    )


def requests(system: System, shop: Path, viewer: Path) -> Iterator[Case]:
    """Makes HTTP requests with curl."""
    trust = ("--cacert", str(system.certificates / "ca.pem"))
    path = "/api/workflows/orders.place/invoke"
    body = (*trust, "--json", json.dumps("book"))
    yield Case("curl, shop's token", "invoke", system.curl("POST", path, *body, token=shop), True)
    yield Case(
        "curl, viewer's token", "invoke", system.curl("POST", path, *body, token=viewer), False
    )
    yield Case("curl, nobody", "invoke", system.curl("POST", path, *body), False)
    yield Case("curl, nobody", "/health", system.curl("GET", "/health", *trust), True)
    yield Case("curl, nobody", "/metrics", system.curl("GET", "/metrics", *trust), False)
    yield Case("curl, no authority", "/health", system.curl("GET", "/health"), False)


def main() -> int:
    """Runs the example; the exit code is 1 if anything was answered in the wrong way."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-")))
        system = System(stack, folder)
        say("making certificates, and starting a control plane with TLS and authentication")
        system.start()
        worker = system.token("worker", "--scope", "worker:orders.*", "--scope", "worker:payroll.*")
        shop = system.token("shop", "--scope", "invoke:orders.*", "--scope", "read:orders.*")
        viewer = system.token("viewer", "--scope", "read")
        payroll = system.token("payroll", "--scope", "admin", "--namespace", "payroll.")
        system.worker("worker", worker)
        cases = [*commands(system, shop, viewer, payroll), *requests(system, shop, viewer)]
        print(f"🔒 {system.address} and {system.http}")
        for case in cases:
            answer = "permitted" if case.permitted else "refused"
            mark = "✅" if case.right else "❌"
            said = case.answer.output.partition("\n")[0]
            shown = f"{said[:WIDTH]}…" if len(said) > WIDTH else said
            print(f"{mark} {case.caller:<22} {case.does:<20} {answer:<9} {shown}")
        print("📜 What the audit has of the last two calls that were to change something:")
        for line in system.cli("audit", "--limit", "2", token=system.admin).output.splitlines():
            print(f"   {line}")
        wrong = sum(not case.right for case in cases)
        print(f"{len(cases) - wrong} of {len(cases)} were answered as they should be")
        return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
