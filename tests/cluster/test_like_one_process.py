"""A node that leads nothing answers clients as one process does: the same tests, at such a node.

Not among them is what depends on when an awakeable with an id of the user's choice reaches its
partition, which is another one here than that of its invocation, but for chance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from durable_proto.v1 import control_pb2_grpc
from durable_server.core.limits import Limits
from tests.server.test_export import test_an_export_has_what_the_worker_got
from tests.server.test_partitions_reads import (
    test_a_list_is_in_order_whatever_the_size_of_its_pages,
    test_a_token_of_another_list_is_refused,
    test_a_watch_of_no_id_is_refused,
    test_an_invocation_shows_its_awakeables_wherever_they_are,
    test_an_unknown_handler_is_unknown_from_every_partition,
    test_filters_reach_all_partitions,
    test_large_outcomes_make_a_page_short_and_not_large,
    test_what_is_there_all_along_comes_once,
)
from tests.server.test_partitions_requests import (
    test_a_restart_stays_in_its_partition,
    test_a_signal_is_checked_against_a_schema_in_another_partition,
    test_a_value_is_checked_against_a_schema_in_another_partition,
    test_the_state_of_a_key_is_where_its_invocations_are,
)
from tests.server.test_primitives import (
    test_a_pause_waits_for_the_worker_and_resume_goes_on,
    test_a_restart_keeps_the_beginning,
    test_an_awakeable_of_no_invocation_is_not_found,
    test_an_edit_of_state_that_is_repeated_has_no_second_effect,
    test_an_outcome_may_come_before_the_wait_for_it,
    test_force_takes_the_attempt_away,
    test_signals_wait_in_order_and_are_delivered_once,
    test_state_is_edited_between_two_turns,
)
from tests.server.test_requests import (
    test_a_delayed_start,
    test_a_refusal_is_typed,
    test_a_wait_that_times_out_returns_the_state,
    test_a_watch_shows_changes_until_the_end,
    test_absurd_durations_are_refused,
    test_concurrent_requests_with_one_id_start_once,
    test_lists_and_counts,
    test_purge_and_resume_need_their_states,
    test_the_same_request_gets_the_same_answer,
)

from .relay_nodes import Cluster, cluster

__all__ = [
    "test_a_delayed_start",
    "test_a_list_is_in_order_whatever_the_size_of_its_pages",
    "test_a_pause_waits_for_the_worker_and_resume_goes_on",
    "test_a_refusal_is_typed",
    "test_a_restart_keeps_the_beginning",
    "test_a_restart_stays_in_its_partition",
    "test_a_signal_is_checked_against_a_schema_in_another_partition",
    "test_a_token_of_another_list_is_refused",
    "test_a_value_is_checked_against_a_schema_in_another_partition",
    "test_a_wait_that_times_out_returns_the_state",
    "test_a_watch_of_no_id_is_refused",
    "test_a_watch_shows_changes_until_the_end",
    "test_absurd_durations_are_refused",
    "test_an_awakeable_of_no_invocation_is_not_found",
    "test_an_edit_of_state_that_is_repeated_has_no_second_effect",
    "test_an_export_has_what_the_worker_got",
    "test_an_invocation_shows_its_awakeables_wherever_they_are",
    "test_an_outcome_may_come_before_the_wait_for_it",
    "test_an_unknown_handler_is_unknown_from_every_partition",
    "test_concurrent_requests_with_one_id_start_once",
    "test_filters_reach_all_partitions",
    "test_force_takes_the_attempt_away",
    "test_large_outcomes_make_a_page_short_and_not_large",
    "test_lists_and_counts",
    "test_purge_and_resume_need_their_states",
    "test_signals_wait_in_order_and_are_delivered_once",
    "test_state_is_edited_between_two_turns",
    "test_the_same_request_gets_the_same_answer",
    "test_the_state_of_a_key_is_where_its_invocations_are",
    "test_what_is_there_all_along_comes_once",
]


@pytest.fixture
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    # The limits of the folder from which the test comes.
    payload_bytes = 256 * 1024 if "reads" in request.function.__module__ else 64 * 1024
    limits = Limits(payload_bytes=payload_bytes, journal_entries=100)
    async with cluster(limits=limits, a=[], b=[0], c=[1, 2]) as started:
        yield started


@pytest.fixture
def channel(nodes: Cluster) -> grpc.aio.Channel:
    return nodes["a"].channel


@pytest.fixture
def control(nodes: Cluster) -> control_pb2_grpc.DurableControlAsyncStub:
    return nodes["a"].control
