"""The store on SQLite: one file per partition, in WAL mode.

With `synchronous=NORMAL` the file is consistent after a power loss but perhaps behind; `checkpoint`
returns the position up to which it is not behind, below which the log may be trimmed. Each batch is one
transaction whose writes are grouped by kind with `executemany`, because most of SQLite's cost is per
statement call. `rows` has the columns, `pages` selects what a list shows, `failure_index` is the index
of failure texts. The numbers of invocations by handler and state are counted in memory: once from an
index at the start, and then by what each batch changes.

Other processes may have the file open: `durable sql`, a person's sqlite3, a backup. The store never
waits for them, because its caller is the loop that also sends heartbeats. So `begin` returns at once
whether another process is writing, and a checkpoint moves only the pages that no reader still needs.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..core.attempts import KEPT
from ..core.changes import Changes
from ..core.entry_kinds import KINDS
from ..core.levels import FORMAT_LEVEL
from ..core.messages import OutboxMessage
from ..core.model import (
    Awakeable,
    Deployment,
    EndedAttempt,
    EntryRow,
    Handler,
    Invocation,
    OpenEntry,
    Route,
    State,
)
from ..core.records import DEADLINE, WAKE
from ..core.states import FINAL
from ..log.interface import Position
from ..log.message_codec import decode_message, encode_message
from . import pages, rows
from .failure_index import FailureIndex
from .file_users import describe, file_users
from .interface import PAGE_BYTES, Filter, Order, Page, PageCursor, Recovered, StoreFullError
from .rows import ALL, ATTEMPT, AWAKEABLE, ENTRY, LISTED, LISTED_SIZE
from .schema import MIGRATIONS, SCHEMA, VERSION

logger = logging.getLogger("durable.store")

CACHE_BYTES = 64 * 1024 * 1024
"""How much of its file a store keeps in memory. The stores of one process share this much."""
UNPATCHED_COUNTED = 10_000
"""Up to how many invocations without a patch are counted, because each is looked up in the journal."""
_LIVE = ", ".join(str(int(it)) for it in State if it not in FINAL)
"""The states of invocations that have not ended."""
_START_SECONDS = 5.0
"""How long the start waits for another process that is writing to the file."""
_WAL_BYTES = 64 * 1024 * 1024
"""The size to which a write-ahead log is cut that has grown because of a reader."""


class StoreVersionError(Exception):
    """Another version of the software wrote the store, and this one cannot read it."""


class StoreUnusableError(Exception):
    """The file is damaged or locked, or the disk refuses it."""


def explain_error(path: Path, error: sqlite3.Error) -> StoreUnusableError:
    """Returns an error that names the store's file and what to do about SQLite's error."""
    code = (error.sqlite_errorcode or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnusableError(
            f"the store {path} is locked by another process ({describe(file_users(path))}): end that "
            "process, or its transaction, and start again"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreUnusableError(
            f"the store {path} is damaged ({error}): move it away, with what begins with its name, "
            "and it is made anew from the log, unless that was trimmed; else restore both from a "
            "backup"
        )
    return StoreUnusableError(f"the store {path} cannot be used: {error}")


class SqliteStore:
    """A partition's store in one SQLite file, or in memory for the path `:memory:`.

    `cache_bytes` is how much of the file is kept in memory at most, 64 MiB by default.

    Raises StoreVersionError when the file's version cannot be upgraded to this one, FailureIndexError
    when this SQLite cannot write an index that the file has, and `sqlite3.Error` when the disk refuses.
    """

    def __init__(self, path: Path | str, cache_bytes: int = CACHE_BYTES) -> None:
        self._path = None if os.fspath(path) == ":memory:" else Path(path)
        self._db = sqlite3.connect(
            path, isolation_level=None, cached_statements=256, timeout=_START_SECONDS
        )
        try:
            self._open(path, cache_bytes)
        except BaseException:
            self._db.close()
            raise

    def _open(self, path: Path | str, cache_bytes: int) -> None:
        self._db.executescript(
            # The page size applies to a new file only; docs/performance.md says what it saves.
            "PRAGMA page_size = 16384;"
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
            f"PRAGMA cache_size = -{cache_bytes // 1024}; PRAGMA wal_autocheckpoint = 2000;"
            f"PRAGMA journal_size_limit = {_WAL_BYTES};"
        )
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version in MIGRATIONS:
            logger.info("%s: making store version %d out of %d", path, VERSION, version)
            steps = "".join(MIGRATIONS[it] for it in range(version, VERSION))
            self._db.executescript(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise StoreVersionError(
                f"{path} has store version {version}, this program reads version {VERSION}: "
                "use the program that wrote it, or move the file away to rebuild it from the log"
            )
        if self._path is not None:
            os.chmod(self._path, 0o600)
        self._failure_index = FailureIndex.open(self._db)
        self._counts = Counter(
            {
                (handler, State(state)): count
                for state, handler, count in self._db.execute(
                    "SELECT state, handler, count(*) FROM invocations GROUP BY state, handler"
                )
            }
        )
        """Invocations by handler and state. Pairs that have become zero stay until the next start."""
        self._sequence: int
        self._level: int
        """The format level of the log."""
        self._sequence, self._level = self._db.execute(
            "SELECT sequence, level FROM position"
        ).fetchone()
        self._durable = 0
        """The sequence up to which commits are known to survive a power loss."""
        self._db.create_function("was_repinned", 1, rows.was_repinned, deterministic=True)
        # From here on SQLite does not wait for another process.
        self._db.execute("PRAGMA busy_timeout = 0")

    def recover(self) -> Recovered:
        """See `Store.recover`."""
        db = self._db
        sequence, epoch, frame, time_ms, last_number = db.execute(
            "SELECT sequence, epoch, frame, time_ms, last_number FROM position"
        ).fetchone()
        self._check_level()
        active = self._invocations(
            f"SELECT {ALL} FROM invocations WHERE state IN (?, ?) ORDER BY number",
            (State.PENDING, State.RUNNING),
        )
        for invocation in active:
            self._load_parts(invocation)
        timers = db.execute(
            "SELECT wake_ms, id, ? FROM invocations WHERE wake_ms > 0 AND state IN (?, ?) "
            "UNION ALL SELECT deadline_ms, id, ? FROM invocations WHERE deadline_ms > 0 "
            "UNION ALL SELECT j.due_ms, i.id, j.position FROM journal j "
            "JOIN invocations i ON i.number = j.number "
            "WHERE j.due_ms > 0 AND j.completion = 0 AND i.state NOT IN (?, ?, ?)",
            (
                *(WAKE, State.SCHEDULED, State.BACKING_OFF, DEADLINE),
                *(State.COMPLETED, State.FAILED, State.CANCELLED),
            ),
        ).fetchall()
        lock_queues = [
            (it.lock_place, it.state_owner, it.id)
            for it in self._invocations(
                f"SELECT {ALL} FROM invocations WHERE turn > 0 ORDER BY turn", ()
            )
        ]
        early = db.execute("SELECT count(*) FROM awakeables WHERE invocation = ''").fetchone()[0]
        peers = db.execute("SELECT partition, sent, seen FROM peers ORDER BY partition").fetchall()
        return Recovered(
            Position(sequence, epoch, frame),
            last_number,
            [handler for handler, _ in self.handlers()],
            active,
            timers,
            lock_queues,
            early,
            time_ms,
            {partition: sent for partition, sent, _ in peers if sent},
            {partition: seen for partition, _, seen in peers if seen},
            self._unconfirmed({partition: sent for partition, sent, _ in peers}),
            self._level,
            self.deployments(),
            self.routes(),
        )

    def _check_level(self) -> None:
        if self._level > FORMAT_LEVEL:
            raise StoreVersionError(
                f"the store {self._path or ':memory:'} has format level {self._level}, and this version"
                f" reads up to {FORMAT_LEVEL}: start the version that has written it, or a newer one"
            )

    def _unconfirmed(self, sent: dict[int, int]) -> dict[int, range]:
        """Returns the numbers of the messages that their partitions have not confirmed."""
        unconfirmed: dict[int, range] = {}
        for destination, last in sent.items():
            found = self._db.execute(
                "SELECT min(sequence) FROM outbox WHERE destination = ?", (destination,)
            )
            (first,) = found.fetchone()
            if first is not None:
                unconfirmed[destination] = range(first, last + 1)
        return unconfirmed

    def outbox(self, destination: int, first: int, size: int) -> list[OutboxMessage]:
        """See `Store.outbox`."""
        outbox: list[OutboxMessage] = []
        for sequence, data in self._db.execute(
            "SELECT sequence, message FROM outbox WHERE destination = ? AND sequence >= ? "
            "ORDER BY sequence",
            (destination, first),
        ):
            size -= len(data)
            if outbox and size < 0:
                break
            try:
                message = decode_message(data)
            except (KeyError, msgspec.MsgspecError) as error:
                problem = f"unknown type {error}" if isinstance(error, KeyError) else error
                raise StoreVersionError(
                    f"the store {self._path or ':memory:'} has a message that this program cannot "
                    f"read (number {sequence} to partition {destination}: {problem}): was it written "
                    "by a newer version? Start that version, or a newer one"
                ) from error
            outbox.append(OutboxMessage(destination, sequence, message))
        return outbox

    def begin(self) -> bool:
        """See `Store.begin`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def commit(self, position: Position, time_ms: int, changes: Changes) -> None:
        """See `Store.commit`."""
        db = self._db
        if not db.in_transaction:
            db.execute("BEGIN IMMEDIATE")
        moved: Counter[tuple[str, State]] = Counter()
        try:
            if changes.removed:
                self._remove(changes.removed, moved)
            if changes.created:
                db.executemany(rows.INSERT, map(rows.full_row, changes.created.values()))
            if changes.journals_removed:
                journals = [(number,) for number in changes.journals_removed]
                db.executemany("DELETE FROM journal WHERE number = ?", journals)
            if changes.entries:
                db.executemany(
                    rows.INSERT_ENTRY, [(number, *row) for number, row in changes.entries]
                )
            if changes.completions:
                db.executemany(
                    "UPDATE journal SET outcome = ?, completion = ?, completed_ms = ?, signal = ? "
                    "WHERE number = ? AND position = ?",
                    changes.completions,
                )
            if changes.inputs:
                inputs = [(given, number) for number, given in changes.inputs.items()]
                db.executemany("UPDATE invocations SET input = ? WHERE number = ?", inputs)
            if changes.changed:
                db.executemany(rows.UPDATE, map(rows.changed_row, changes.changed.values()))
            self._count_changes(changes, moved)
            self._commit_rare(changes)
            db.execute(
                "UPDATE position SET sequence = ?, epoch = ?, frame = ?, time_ms = ?, "
                "last_number = max(last_number, ?)",
                (*position, time_ms, changes.last_number),
            )
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:  # on a full disk SQLite has rolled back already
                db.execute("ROLLBACK")
            full = isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF
            if full == sqlite3.SQLITE_FULL:
                raise StoreFullError(f"the disk of the store is full: {error}") from error
            raise
        self._sequence = position.sequence
        self._level = changes.level or self._level
        self._counts.update(moved)

    def _count_changes(self, changes: Changes, moved: Counter[tuple[str, State]]) -> None:
        """Adds to `moved` how a batch changes the counts, and the failures of ended invocations to
        the index.
        """
        failed: list[Invocation] = []
        for it in changes.created.values():
            moved[it.handler, it.state] += 1
            if it.completed_ms and it.failure:
                failed.append(it)
        for number, state in changes.states_before.items():
            found = changes.changed.get(number)
            if found is None:
                continue  # It was removed in the same batch; see `_remove`.
            moved[found.handler, state] -= 1
            moved[found.handler, found.state] += 1
            if found.completed_ms and found.failure:
                failed.append(found)
        if failed and self._failure_index is not None:
            self._failure_index.add([(it.number, it.failure.text) for it in failed if it.failure])

    def _commit_rare(self, changes: Changes) -> None:
        """Writes the changes that most batches do not have."""
        db = self._db
        if changes.awakeables:
            for awakeable_id, awakeable in changes.awakeables.items():
                if awakeable is None:
                    db.execute("DELETE FROM awakeables WHERE id = ?", (awakeable_id,))
                else:
                    db.execute(rows.INSERT_AWAKEABLE, rows.awakeable_row(awakeable))
        if changes.waiters:
            db.executemany("INSERT OR IGNORE INTO waiters VALUES (?, ?, ?)", changes.waiters)
        if changes.waiters_removed:
            targets = [(target,) for target in changes.waiters_removed]
            db.executemany("DELETE FROM waiters WHERE target = ?", targets)
        if changes.signals:
            db.executemany("INSERT INTO signals VALUES (?, ?, ?, ?)", changes.signals)
        if changes.taken_signals:
            db.executemany(
                "DELETE FROM signals WHERE number = ? AND signal = ?", changes.taken_signals
            )
        for owner, change in changes.state.items():
            if change.cleared:
                db.execute("DELETE FROM state WHERE owner = ?", (owner,))
            for name, value in change.values.items():
                if value is None:
                    db.execute("DELETE FROM state WHERE owner = ? AND name = ?", (owner, name))
                else:
                    db.execute(
                        "INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (owner, name, value)
                    )
        if changes.handlers:
            db.executemany(
                "INSERT INTO handlers VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET spec = excluded.spec",
                [(handler.name, rows.encode(handler), ms) for handler, ms in changes.handlers],
            )
        if changes.attempts:
            self._commit_attempts(changes.attempts)
        for build_id, deployment in changes.deployments.items():
            if deployment is None:
                db.execute("DELETE FROM deployments WHERE build_id = ?", (build_id,))
            else:
                spec = rows.encode(deployment)
                db.execute("INSERT OR REPLACE INTO deployments VALUES (?, ?)", (build_id, spec))
        for handler, route in changes.routes.items():
            if route is None:
                db.execute("DELETE FROM routes WHERE handler = ?", (handler,))
            else:
                spec = rows.encode(route)
                db.execute("INSERT OR REPLACE INTO routes VALUES (?, ?)", (handler, spec))
        if changes.level:
            db.execute("UPDATE position SET level = ?", (changes.level,))
        if changes.outbox:
            level = changes.level or self._level
            db.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?)",
                [(to, number, encode_message(it, level)) for to, number, it in changes.outbox],
            )
            # The last number of each destination comes last.
            last = {it.destination: it.sequence for it in changes.outbox}
            db.executemany(
                "INSERT INTO peers (partition, sent) VALUES (?, ?) "
                "ON CONFLICT (partition) DO UPDATE SET sent = excluded.sent",
                last.items(),
            )
        if changes.seen:
            db.executemany(
                "INSERT INTO peers (partition, seen) VALUES (?, ?) "
                "ON CONFLICT (partition) DO UPDATE SET seen = excluded.seen",
                changes.seen.items(),
            )
        if changes.acknowledged:
            db.executemany(
                "DELETE FROM outbox WHERE destination = ? AND sequence <= ?",
                changes.acknowledged.items(),
            )

    def _commit_attempts(self, attempts: list[tuple[int, EndedAttempt]]) -> None:
        """Writes attempts that have ended, and removes those that are too many."""
        db = self._db
        db.executemany(rows.INSERT_ATTEMPT, [(number, *it) for number, it in attempts])
        late = [(number, it.attempt - KEPT) for number, it in attempts]
        late = [it for it in late if it[1] > 0]
        if late:
            db.executemany("DELETE FROM attempts WHERE number = ? AND attempt <= ?", late)

    def _remove(self, removed: dict[str, int], moved: Counter[tuple[str, State]]) -> None:
        """Removes invocations with everything that belongs to them."""
        db = self._db
        by_id = [(invocation_id,) for invocation_id in removed]
        by_number = [(number,) for number in removed.values()]
        for number in removed.values():
            handler, state = db.execute(
                "SELECT handler, state FROM invocations WHERE number = ?", (number,)
            ).fetchone()
            moved[handler, State(state)] -= 1
        if self._failure_index is not None:
            self._failure_index.remove(list(removed.values()))
        db.executemany("DELETE FROM state WHERE owner = ?", by_id)
        db.executemany("DELETE FROM awakeables WHERE invocation = ?", by_id)
        db.executemany("DELETE FROM waiters WHERE target = ?", by_id)
        db.executemany("DELETE FROM signals WHERE number = ?", by_number)
        db.executemany("DELETE FROM journal WHERE number = ?", by_number)
        db.executemany("DELETE FROM attempts WHERE number = ?", by_number)
        db.executemany("DELETE FROM invocations WHERE number = ?", by_number)

    def load(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed."""
        found = self._invocations(f"SELECT {ALL} FROM invocations WHERE id = ?", (invocation_id,))
        if not found:
            return None
        self._load_parts(found[0])
        return found[0]

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        """Returns an awakeable as it was last committed."""
        row = self._db.execute(
            f"SELECT {AWAKEABLE} FROM awakeables WHERE id = ?", (awakeable_id,)
        ).fetchone()
        return None if row is None else rows.awakeable(row)

    def awakeables(self, invocation_id: str) -> list[Awakeable]:
        """Returns an invocation's awakeables by their creation time."""
        found = self._db.execute(
            f"SELECT {AWAKEABLE} FROM awakeables WHERE invocation = ? AND invocation <> '' "
            "ORDER BY created_ms, id",
            (invocation_id,),
        )
        return [rows.awakeable(row) for row in found]

    def state(self, owner: str) -> dict[str, bytes]:
        """Returns a whole state by name."""
        return dict(self._db.execute("SELECT name, value FROM state WHERE owner = ?", (owner,)))

    def small_state(self, owner: str, limit: int) -> tuple[dict[str, bytes], bool]:
        """Returns up to `limit` bytes of a state, and whether that is all of it."""
        state: dict[str, bytes] = {}
        size = 0
        for name, value in self._db.execute(
            "SELECT name, value FROM state WHERE owner = ? ORDER BY name", (owner,)
        ):
            size += len(name) + len(value)
            if size > limit:
                return state, False
            state[name] = value
        return state, True

    def state_value(self, owner: str, name: str) -> bytes | None:
        """Returns one value of a state."""
        row = self._db.execute(
            "SELECT value FROM state WHERE owner = ? AND name = ?", (owner, name)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        found = self._db.execute(
            f"SELECT {ENTRY} FROM journal WHERE number = ? ORDER BY position", (number,)
        )
        return [EntryRow._make(row) for row in found]

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of a journal."""
        row = self._db.execute(
            f"SELECT {ENTRY} FROM journal WHERE number = ? AND position = ?", (number, index)
        ).fetchone()
        return None if row is None else EntryRow._make(row)

    def attempts(self, number: int) -> list[EndedAttempt]:
        """See `Store.attempts`."""
        found = self._db.execute(
            f"SELECT {ATTEMPT} FROM attempts WHERE number = ? ORDER BY attempt", (number,)
        )
        return [EndedAttempt._make(row) for row in found]

    def deployments(self) -> list[Deployment]:
        """See `Store.deployments`."""
        found = self._db.execute("SELECT spec FROM deployments")
        return sorted((rows.decode_deployment(spec) for (spec,) in found), key=lambda it: it.number)

    def routes(self) -> list[Route]:
        """See `Store.routes`."""
        found = self._db.execute("SELECT spec FROM routes ORDER BY handler")
        return [rows.decode_route(spec) for (spec,) in found]

    def patches(self, handler: str) -> list[tuple[str, str, str, int, int, int]]:
        """See `Store.patches`."""
        return self._db.execute(
            "SELECT i.handler, j.name, j.target, j.kind, min(j.created_ms),"
            " sum(i.completed_ms = 0) FROM journal j INDEXED BY journal_patches"
            " JOIN invocations i ON i.number = j.number"
            " WHERE j.kind IN (15, 16) AND (:handler = '' OR i.handler = :handler)"
            " GROUP BY i.handler, j.name, j.target, j.kind",
            {"handler": handler},
        ).fetchall()

    def unpatched(
        self, handler: str, name: str, builds: Sequence[str], size: int
    ) -> tuple[int, list[str]]:
        """See `Store.unpatched`."""
        found = self._db.execute(
            "SELECT i.id FROM invocations i INDEXED BY invocations_by_state"
            f" WHERE i.state IN ({_LIVE}) AND i.handler = ?"
            # A repinned one has the build that it was moved to, and another has begun its journal.
            f" AND (i.build NOT IN ({', '.join('?' * len(builds))})"
            " OR (i.rest IS NOT NULL AND was_repinned(i.rest)))"
            " AND EXISTS (SELECT 1 FROM journal j WHERE j.number = i.number)"
            " AND NOT EXISTS (SELECT 1 FROM journal j INDEXED BY journal_patches"
            " WHERE j.kind IN (15, 16) AND j.name = ? AND j.number = i.number)"
            f" LIMIT {UNPATCHED_COUNTED}",
            (handler, *builds, name),
        )
        count, ids = 0, list[str]()
        for (invocation_id,) in found:
            count += 1
            if count <= size:
                ids.append(invocation_id)
        return count, ids

    def completions(self, number: int) -> dict[int, int]:
        """Returns the completion of each entry of a journal by its index, in program order."""
        return dict(
            self._db.execute(
                "SELECT position, completion FROM journal WHERE number = ? ORDER BY position",
                (number,),
            )
        )

    def page(self, where: Filter, order: Order, after: PageCursor | None, size: int) -> Page:
        """Returns the page of invocations after `after`, or the first page."""
        chosen = pages.select(
            self._db, self._counts, self._failure_index, where, order, after, size + 1
        )
        cursors = self._within_bytes(chosen[:size])
        numbers = [cursor.number for cursor in cursors]
        among = f"WHERE number IN ({', '.join('?' * len(numbers))})"
        found = self._invocations(f"SELECT {LISTED} FROM invocations {among}", numbers)
        by_number = {it.number: it for it in found}
        lengths = self._db.execute(
            f"SELECT number, count(*) FROM journal {among} GROUP BY number", numbers
        )
        return Page(
            [by_number[number] for number in numbers],
            cursors[-1] if len(chosen) > len(cursors) else None,
            {by_number[number].id: length for number, length in lengths},
        )

    def _within_bytes(self, cursors: list[PageCursor]) -> list[PageCursor]:
        """Returns as many cursors as fit into a page by size, at least one."""
        marks = ", ".join("?" * len(cursors))
        sizes = dict(
            self._db.execute(
                f"SELECT number, {LISTED_SIZE} FROM invocations WHERE number IN ({marks})",
                [cursor.number for cursor in cursors],
            )
        )
        total = 0
        for count, cursor in enumerate(cursors):
            total += sizes[cursor.number]
            if count and total > PAGE_BYTES:
                return cursors[:count]
        return cursors

    def counts(self) -> list[tuple[str, State, int]]:
        """Counts invocations by handler and state, from memory."""
        return [(*pair, count) for pair, count in sorted(self._counts.items()) if count]

    def pinned_counts(self) -> list[tuple[str, str, int]]:
        """See `Store.pinned_counts`; reads only the index, which has no other invocations."""
        found = self._db.execute(
            "SELECT build, handler, count(*) FROM invocations INDEXED BY invocations_by_pin "
            "WHERE pinned = 1 AND completed_ms = 0 GROUP BY build, handler"
        )
        return found.fetchall()

    def handlers(self) -> list[tuple[Handler, int]]:
        """Returns all handlers with the time of their first registration, by name."""
        found = self._db.execute("SELECT spec, created_ms FROM handlers ORDER BY name")
        return [(rows.decode_handler(spec), created_ms) for spec, created_ms in found]

    def expired(self, now_ms: int, size: int) -> list[str]:
        """Returns ids of finished invocations whose retention is over."""
        found = self._db.execute(
            "SELECT id FROM invocations WHERE expire_ms > 0 AND expire_ms <= ? "
            "ORDER BY expire_ms LIMIT ?",
            (now_ms, size),
        )
        return [row[0] for row in found]

    def early_awakeables(self, resolved_ms: int, revoked_ms: int, size: int) -> list[str]:
        """See `Store.early_awakeables`."""
        found = self._db.execute(
            "SELECT id FROM awakeables WHERE invocation = '' AND resolved_ms BETWEEN 1 AND ? "
            "ORDER BY resolved_ms LIMIT ?",
            (resolved_ms, size),
        ).fetchall()
        found += self._db.execute(
            "SELECT id FROM awakeables WHERE invocation = '' AND resolved_ms = 0 "
            "AND created_ms <= ? ORDER BY created_ms LIMIT ?",
            (revoked_ms, size - len(found)),
        ).fetchall()
        return [row[0] for row in found]

    def next_expiry(self, resolved_ms: int, revoked_ms: int) -> int:
        """See `Store.next_expiry`."""
        times = self._db.execute(
            "SELECT (SELECT min(expire_ms) FROM invocations WHERE expire_ms > 0), "
            "(SELECT min(resolved_ms) + ? FROM awakeables WHERE invocation = '' AND resolved_ms > 0), "
            "(SELECT min(created_ms) + ? FROM awakeables WHERE invocation = '' AND resolved_ms = 0)",
            (resolved_ms, revoked_ms),
        ).fetchone()
        return min((it for it in times if it is not None), default=0)

    def checkpoint(self) -> int:
        """See `Store.checkpoint`.

        It is complete when it has moved every page of the write-ahead log into the file and has synced
        the file. A reader of an older state keeps it from moving the pages that were written since.
        """
        busy, written, moved = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy and written == moved:
            self._durable = self._sequence
        return self._durable

    def file_users(self) -> str:
        """See `Store.file_users`."""
        return describe(file_users(self._path) if self._path is not None else [])

    def close(self) -> None:
        """Closes the store; an uncommitted transaction is rolled back."""
        self._db.close()

    def _invocations(self, sql: str, values: Sequence[Any]) -> list[Invocation]:
        return [rows.invocation(row) for row in self._db.execute(sql, values)]

    def _load_parts(self, invocation: Invocation) -> None:
        """Reads the parts of an active invocation that are in other tables."""
        last = max(invocation.cancel_number, invocation.completions_before)
        last_signal = invocation.signals_before
        for position, completion, kind, name, target, signal, size in self._db.execute(
            "SELECT position, completion, kind, name, target, signal, "
            "coalesce(length(argument), 0) + coalesce(length(outcome), 0) "
            "FROM journal WHERE number = ?",
            (invocation.number,),
        ):
            invocation.recorded[position] = completion
            invocation.journal_bytes += size
            last = max(last, completion)
            last_signal = max(last_signal, signal)
            facts = KINDS.get(kind)
            if facts is None:
                raise StoreVersionError(
                    f"the store {self._path or ':memory:'} has a journal entry of the unknown kind "
                    f"{kind} (invocation {invocation.id}, entry {position}): was it written by a newer "
                    "version? Start that version, or a newer one"
                )
            if not completion and facts.wait_in_memory:
                invocation.opened[position] = OpenEntry(kind, name, target)
        invocation.completions = last
        found = self._db.execute(
            "SELECT invocation, position FROM waiters WHERE target = ? ORDER BY invocation, position",
            (invocation.id,),
        )
        invocation.waiters = tuple(found.fetchall())
        found = self._db.execute(
            "SELECT signal, name, outcome FROM signals WHERE number = ? ORDER BY signal",
            (invocation.number,),
        )
        invocation.signals = tuple(found.fetchall())
        if invocation.signals:
            last_signal = max(last_signal, invocation.signals[-1][0])
        invocation.signal_count = last_signal
