"""The tally of RPCs: what the control plane has answered since it started.

RPCs belong to the process and not to a partition, because a request may read several of them, or none.
"""

from __future__ import annotations

from typing import Final

from .histogram import SECONDS, Histogram

REFUSALS: Final = (
    *("missing", "malformed", "unknown", "expired", "revoked"),
    *("scope", "identity_rate", "identity_calls"),
)
"""The reasons for which the check of calls refuses one: the credential, the scope, the limits."""


class RpcTally:
    """The counts of one control plane's unary RPCs."""

    def __init__(self) -> None:
        self.seconds: dict[str, Histogram] = {}
        """The time to the answer, by method."""
        self.answers: dict[tuple[str, str], int] = {}
        """By method and the name of the gRPC code."""

        self.refusals = dict.fromkeys(REFUSALS, 0)
        """How many calls were refused before they were parsed, by reason."""

    def refused(self, reason: str) -> None:
        """Counts a call that was refused before it was parsed: who makes it, or what it asks for."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def answered(self, method: str, code: str, seconds: float) -> None:
        """Counts a unary RPC."""
        histogram = self.seconds.get(method)
        if histogram is None:
            histogram = self.seconds[method] = Histogram(SECONDS)
        histogram.add(seconds)
        key = (method, code)
        self.answers[key] = self.answers.get(key, 0) + 1
