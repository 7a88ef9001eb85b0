"""The ready queue, against a list of what waits for what and since when."""

from __future__ import annotations

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.processor.queue import Place, ReadyQueue, Wanted

KINDS = [Wanted("a"), Wanted("a", "1"), Wanted("a", "", "b1"), Wanted("b", "", "b1")]
kinds = st.sampled_from(KINDS)
names = st.sampled_from("uvwxyz")
actions = st.one_of(
    st.tuples(st.just("push"), names, kinds, st.integers(0, 1)),
    st.tuples(st.just("pop"), names, kinds, st.just(0)),
    st.tuples(st.just("move"), names, kinds, st.just(0)),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(actions, max_size=40))
def test_each_id_waits_once_for_what_was_said_last(
    steps: list[tuple[str, str, Wanted, int]],
) -> None:
    queue = ReadyQueue(count())
    waiting: dict[str, Wanted] = {}
    for what, name, wanted, priority in steps:
        if what == "push":
            queue.push(wanted, priority, name)
            waiting[name] = wanted
        elif what == "pop" and queue.has(wanted):
            popped = queue.pop(wanted)
            assert waiting.pop(popped) == wanted
        elif what == "move":
            # All that wait for the kind of the name, if any, want another one now.
            before = waiting.get(name)
            queue.move(lambda _, known, old=before, new=wanted: new if known == old else known)
            waiting = {it: wanted if kind == before else kind for it, kind in waiting.items()}
        assert {kind: size for kind, size in queue.sizes() if size} == {
            kind: [*waiting.values()].count(kind) for kind in waiting.values()
        }
        assert {kind for kind, _ in queue.firsts()} == {*waiting.values()}
        assert bool(queue) == bool(waiting)
    for kind in KINDS:
        while queue.has(kind):
            assert waiting.pop(queue.pop(kind)) == kind
    assert not waiting


def test_what_moves_by_a_route_keeps_its_place_and_what_is_pushed_anew_goes_to_the_end() -> None:
    queue = ReadyQueue(count())
    old, new = Wanted("w", "", "old"), Wanted("w", "", "new")
    for name in "abcd":
        queue.push(old, 0, name)
    queue.push(new, 0, "late")
    queue.push(new, 0, "b")
    queue.move(lambda name, known: new if name == "a" else known)
    assert [queue.pop(new) for _ in range(3)] == ["a", "late", "b"]
    assert [queue.pop(old) for _ in range(2)] == ["c", "d"]
    assert not queue


def test_the_place_of_a_queue_is_that_of_its_first_id() -> None:
    queue = ReadyQueue(count())
    wanted = Wanted("w")
    places: list[Place] = []
    for name in "ab":
        queue.push(wanted, 0, name)
        places.append(queue.head(wanted))
    queue.push(Wanted("w", "", "b1"), 0, "a")
    assert places == [(0, 0), (0, 0)]
    assert queue.head(wanted) == (0, 1)
