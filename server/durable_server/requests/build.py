"""The composition of the client requests: makes the parts that DurableControl translates for."""

from __future__ import annotations

from typing import NamedTuple

from ..core.limits import Limits
from ..processor.router import Router
from ..processor.workers import Workers
from .awakeables import Awakeables
from .invocations import Invocations
from .object_state import ObjectState
from .proposals import Proposals
from .reads import Reads


class Requests(NamedTuple):
    """Everything that clients can ask of one control plane."""

    limits: Limits
    reads: Reads
    proposals: Proposals
    invocations: Invocations
    awakeables: Awakeables
    object_state: ObjectState


def build_requests(router: Router, workers: Workers, limits: Limits) -> Requests:
    """Returns the requests of clients over some partitions."""
    reads = Reads(router, workers, limits)
    proposals = Proposals(router, limits)
    return Requests(
        limits,
        reads,
        proposals,
        Invocations(router, reads, proposals, limits),
        Awakeables(router, proposals, limits),
        ObjectState(router, reads, proposals, limits),
    )
