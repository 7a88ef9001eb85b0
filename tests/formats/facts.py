"""Facts: what the code reads in a log or in a store, as plain values with names, which JSON can hold.

Fields have no names in logs and stores, so bytes that are the same may be read otherwise. A recording
therefore keeps what the version that made it has read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from durable_server.log import batch, frame
from durable_server.store.interface import Filter, Order
from durable_server.store.sqlite import SqliteStore
from tests.support.outboxes import outbox

RENAMED: dict[str, str] = {}
"""The present name of a type, or of a field, by what it is in recordings: `Type` or `Type.field`."""


def log_facts(frames: list[bytes]) -> Any:
    """Returns what is in the frames of a log."""
    found = []
    for data in frames:
        decoded = frame.decode(data)
        found.append([plain(decoded._replace(body=b"")), plain(batch.decode(decoded.body))])
    return found


def store_facts(path: Path) -> Any:
    """Returns what is in a store, read by the calls that the processor and the requests make."""
    store = SqliteStore(path)
    invocations = {it: store.load(it) for it in pages(store, Filter(), Order())}
    awakeables = {it.id: it for id_ in invocations for it in store.awakeables(id_)}
    found = {
        "recovered": plain(store.recover()) | {"outbox": outbox(store)},
        "handlers": store.handlers(),
        "invocations": invocations,
        "journals": {it.id: store.journal(it.number) for it in invocations.values() if it},
        "attempts": {it.id: store.attempts(it.number) for it in invocations.values() if it},
        "states": {
            it.state_owner: store.state(it.state_owner) for it in invocations.values() if it
        },
        "awakeables": awakeables,
        "counts": store.counts(),
    }
    store.close()
    return plain(found)


def pages(store: SqliteStore, where: Filter, order: Order) -> list[str]:
    """Returns the ids in a list, read in small pages."""
    found, after = list[str](), None
    while True:
        page = store.page(where, order, after, 7)
        found += [it.id for it in page.invocations]
        after = page.end
        if after is None:
            return found


def plain(value: Any) -> Any:
    """Returns a value of the core as one of JSON; a tuple or object with fields tells its type."""
    kind: Any = type(value)
    if is_dataclass(kind):
        names = [it.name for it in fields(kind)]
        return {"type": kind.__name__} | {it: plain(getattr(value, it)) for it in names}
    if hasattr(kind, "_fields"):
        return {"type": kind.__name__} | {it: plain(getattr(value, it)) for it in kind._fields}
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {str(key): plain(it) for key, it in value.items()}
    if isinstance(value, list | tuple):
        return [plain(it) for it in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def fact_differences(recorded: Any, present: Any, where: str) -> Iterator[str]:
    """Says in words what the present code reads otherwise; it may read more fields."""
    if isinstance(recorded, dict) and isinstance(present, dict):
        kind = recorded.get("type", "")
        where = f"{where} {kind}".rstrip()
        for name, value in recorded.items():
            now = RENAMED.get(f"{kind}.{name}", name)
            if now not in present:
                yield f"{where}.{name}: recorded {value!r}, not read any more"
            elif name == "type":
                yield from fact_differences(RENAMED.get(value, value), present[now], where)
            else:
                yield from fact_differences(value, present[now], f"{where}.{name}")
    elif isinstance(recorded, list) and isinstance(present, list) and len(recorded) == len(present):
        for index, (was, became) in enumerate(zip(recorded, present, strict=True)):
            yield from fact_differences(was, became, f"{where}[{index}]")
    elif recorded != present:
        yield f"{where}: recorded {recorded!r}, read {present!r}"
