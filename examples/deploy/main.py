"""Deploys code that does not fit the journals of running invocations, in two ways, without a loss."""

import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from examples.deploy import v1, v3
from examples.deploy.figures import Figures, effects
from examples.deploy.system import System
from examples.launcher import say

RUNNING = 200
"""How many invocations of the old build run when the new one is deployed."""
PERCENT = 20
"""The share of new invocations that the new build gets first."""


class Deploy:
    """The two deploys of one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.figures = Figures()
        self._done = 0
        """How many side effects were counted before."""

    # The parts of both

    def orders(self, numbers: Iterable[int]) -> list[str]:
        """Starts orders, and returns their ids when each has reserved and has a build."""
        return self._begun([self.system.client.invoke_async(v1.order, it) for it in numbers])

    def parcels(self, numbers: Iterable[int]) -> list[str]:
        """Starts parcels, and returns their ids when each is packed and has a build."""
        return self._begun([self.system.client.invoke_async(v3.parcel, it) for it in numbers])

    def _begun(self, ids: list[str]) -> list[str]:
        """Waits until all wait for their signal."""
        waiting = set(ids)

        def begun() -> bool:
            for it in list(waiting):
                if any(entry.kind == "SIGNAL" for entry in self.system.client.get(it).journal):
                    waiting.remove(it)
            return not waiting

        self.system.until(begun)
        return ids

    def builds(self, ids: Iterable[str]) -> dict[str, int]:
        """Counts invocations by the build that has begun their journal."""
        found = Counter(self.system.client.get(it).build_id for it in ids)
        return dict(sorted(found.items()))

    def signal(self, ids: Iterable[str], name: str) -> None:
        """Sends each a signal."""
        for it in ids:
            self.system.client.signal(it, name)

    def results(self, ids: Iterable[str]) -> dict[str, int]:
        """Waits for all, and counts their results; a failure counts by its status."""
        found = (self.system.client.get_result(it) for it in ids)
        results = Counter(
            str(it.value()) if it.status == "completed" else it.status for it in found
        )
        return dict(sorted(results.items()))

    def effects(self) -> dict[str, int]:
        """Counts the side effects since the last call."""
        lines = self.system.effects.read_text().splitlines()
        new = lines[self._done :]
        self._done = len(lines)
        return effects(new)

    def preflight(self, build: str, expected: str) -> None:
        """Replays what is running with the code of a build."""
        ended = self.system.run("preflight", f"examples.deploy.{build}")
        found = re.search(r"(\d+ of \d+) would not go on", ended.output)
        told = found[1] if found else "none" if ended.code == 0 else ended.output
        self.figures.check(f"{build} would hold", told, expected)

    # Pinned

    def pinned(self) -> None:
        """Deploys v2 beside v1: each order ends on the build that has begun it."""
        system, figures = self.system, self.figures
        say(f"build v1, and {RUNNING} orders that wait for their payment")
        system.deploy("v1")
        system.client.promote_build("v1")
        old = self.orders(range(RUNNING))
        figures.check("orders of v1", self.builds(old), {"v1": RUNNING})
        self.preflight("v2", f"{RUNNING} of {RUNNING}")
        system.deploy("v2")
        figures.check("orders that are held", system.client.stats().by_status.get("paused", 0), 0)

        system.run("promote", "v2", "--percent", str(PERCENT))
        ramp = self.orders(range(1000, 1100))
        # The control plane decides by the last digits of the id, so a retry decides the same.
        share = sum(int(it[-4:], 16) % 100 < PERCENT for it in ramp)
        figures.check(
            f"100 new orders at {PERCENT} %", self.builds(ramp), {"v1": 100 - share, "v2": share}
        )
        system.run("rollback", "v2")
        back = self.orders(range(1100, 1120))
        figures.check("20 new orders after the rollback", self.builds(back), {"v1": 20})
        system.run("promote", "v2")
        new = self.orders(range(1120, 1150))
        figures.check("30 new orders after the promotion", self.builds(new), {"v2": 30})

        system.run("drain", "v1")
        of_v1 = RUNNING + 100 - share + 20
        build = system.client.list_deployments().get("v1")
        assert build is not None
        figures.check("pinned to v1, so it may not be stopped", build.pinned_count, of_v1)
        say("the worker of v1 is killed; the orders of v1 that are paid for wait for it")
        system.stop("v1", signal.SIGKILL)
        self.signal(old[:20], "paid")
        system.until(lambda: (found := system.client.list_deployments().get("v1")) is not None
                     and found.waiting_count == 20)  # fmt: skip
        system.run("deployments")
        say("the worker of v1 is started again, and all orders are paid for")
        system.deploy("v1")
        self.signal([*old[20:], *ramp, *back, *new], "paid")
        results = self.results([*old, *ramp, *back, *new])
        figures.check(
            "results, by the build that has made them", results, {"v1": of_v1, "v2": share + 30}
        )
        ended = system.run("drain", "v1", "--wait")
        figures.check("exit code of the drain: v1 may be stopped", ended.code, 0)
        system.stop("v1")
        system.run("deployments")
        system.stop("v2")
        total = RUNNING + 150
        expected = {"reserved": total, "shipped": total, "taxed": share + 30}
        figures.check("side effects, each once", self.effects(), expected)

    # Patched

    def patched(self) -> None:
        """Deploys v4 in place of v3, with both ways in the code, and then v5 with the new one."""
        system, figures = self.system, self.figures
        say(f"build v3, which is not pinned, and {RUNNING} parcels that wait to be collected")
        system.deploy("v3")
        old = self.parcels(range(RUNNING))
        self.preflight("v4", "none")
        self.preflight("v5", f"{RUNNING} of {RUNNING}")
        system.deploy("v4")
        system.stop("v3")
        new = self.parcels(range(1000, 1050))
        (patch,) = system.client.list_patches()
        system.run("patches")
        counts = {"insured": patch.applied_count, "not": patch.unapplied_count}
        figures.check("parcels by the patch", counts, {"insured": 50, "not": RUNNING})
        self.signal(old, "collected")
        figures.check(
            "results of v3's parcels, on v4", self.results(old), {"without insurance": RUNNING}
        )
        system.run("patches")
        (patch,) = system.client.list_patches()
        figures.check("parcels that need the code before the patch", patch.unapplied_count, 0)
        self.preflight("v5", "none")
        system.deploy("v5")
        system.stop("v4")
        latest = self.parcels(range(1050, 1080))
        self.signal([*new, *latest], "collected")
        figures.check(
            "results of the others, on v5", self.results([*new, *latest]), {"insured": 80}
        )
        total = RUNNING + 80
        expected = {"insured": 80, "left": total, "packed": total}
        figures.check("side effects, each once", self.effects(), expected)

    def end(self) -> int:
        """Looks at everything once more; returns the exit code."""
        by_status = self.system.client.stats().by_status
        total = 2 * RUNNING + 150 + 80
        self.figures.check("all invocations, by status", by_status, {"completed": total})
        wrong = self.figures.wrong
        print("✅ Nothing was held, nothing was lost" if not wrong else f"❌ {wrong} are wrong")
        return int(wrong > 0)


def main() -> int:
    """Runs the example; the exit code is 1 if any figure is not as it must be."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="durable-", ignore_cleanup_errors=True)
            )
        )
        say("starting a control plane")
        deploy = Deploy(System(stack, folder))
        deploy.pinned()
        deploy.patched()
        return deploy.end()


if __name__ == "__main__":
    sys.exit(main())
