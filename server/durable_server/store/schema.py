"""The tables of a partition's store.

An invocation's `number` is its rowid: the order of acceptance, and so the stable order of lists. The
journal is keyed by it, which keeps the entries of one invocation together on disk. What the rules need
stands in columns; values are opaque bytes (serialized `durable.v1` messages).

Every write pays for the indexes, so each index names the query that it answers.
"""

from __future__ import annotations

VERSION = 8
"""Written to `PRAGMA user_version`; a store of a version that is not in MIGRATIONS is refused."""

_INDEXES = """
-- Recovery of a leader; Query by state, by handler and by both, in the order of acceptance.
CREATE INDEX invocations_by_state ON invocations (state, handler);
-- The same by completion time; an invocation is added once.
CREATE INDEX invocations_by_end ON invocations (state, handler, completed_ms)
    WHERE completed_ms > 0;
-- The same by the last change, for invocations that have not ended; ended ones do not change.
CREATE INDEX invocations_by_update ON invocations (state, handler, updated_ms)
    WHERE completed_ms = 0;
-- Query by object key, by service label, and the children of an invocation. Most have none.
CREATE INDEX invocations_by_key ON invocations (key, state) WHERE key <> '';
CREATE INDEX invocations_by_service ON invocations (service, state) WHERE service <> '';
CREATE INDEX invocations_by_parent ON invocations (parent, state) WHERE parent <> '';
-- Query by failure, for invocations that have failed and not ended. Ended ones are in `failure_texts`.
-- It includes the text, which is compared row by row: there are few such rows, and they change often.
CREATE INDEX invocations_in_trouble ON invocations (number, fault_type, fault_message)
    WHERE fault_message IS NOT NULL AND completed_ms = 0;
"""

_BUILDS = """
-- The builds that workers have registered, and the routes of handlers; each a MessagePack tuple.
CREATE TABLE deployments (build_id TEXT PRIMARY KEY, spec BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE routes (handler TEXT PRIMARY KEY, spec BLOB NOT NULL) WITHOUT ROWID;

-- The last attempts of each invocation that have ended; of an invocation with one attempt, its row
-- says it all.
CREATE TABLE attempts (
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker_id TEXT NOT NULL,
    build_id TEXT NOT NULL,
    version TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    run INTEGER NOT NULL,
    failure_type TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    PRIMARY KEY (number, attempt)
) WITHOUT ROWID;

-- Invocations that have not ended and are pinned to a build. The last two columns, which are the same
-- in all of its rows, let SQLite count without reading the invocations.
CREATE INDEX invocations_by_pin ON invocations (build, handler, state, completed_ms, pinned)
    WHERE pinned = 1 AND completed_ms = 0;
-- The patches in journals, deprecated ones too.
CREATE INDEX journal_patches ON journal (name, number) WHERE kind IN (15, 16);
"""

_PARTITIONS = """
-- Messages to other partitions that those have not confirmed; each is encoded as in the log.
CREATE TABLE outbox (
    destination INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;

-- For each other partition, the number of the last message sent to it, and of the last one of its
-- messages that has taken effect here; 0 for none.
CREATE TABLE peers (
    partition INTEGER PRIMARY KEY,
    sent INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0
);
"""

MIGRATIONS = {
    2: f"""
ALTER TABLE position ADD COLUMN time_ms INTEGER NOT NULL DEFAULT 0;
DROP INDEX invocations_by_state;
DROP INDEX invocations_by_handler;
DROP INDEX invocations_by_key;
DROP INDEX invocations_by_parent;
{_INDEXES}
""",
    3: """
ALTER TABLE journal ADD COLUMN signal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN failed_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN schema TEXT NOT NULL DEFAULT '';
ALTER TABLE awakeables ADD COLUMN schema TEXT NOT NULL DEFAULT '';
ALTER TABLE awakeables ADD COLUMN requests BLOB;
DROP INDEX invocations_in_trouble;
CREATE INDEX invocations_in_trouble ON invocations (number, fault_type, fault_message)
    WHERE fault_message IS NOT NULL AND completed_ms = 0;
""",
    4: f"""
ALTER TABLE position ADD COLUMN last_number INTEGER NOT NULL DEFAULT 0;
UPDATE position SET last_number = (SELECT coalesce(max(number), 0) FROM invocations);
ALTER TABLE awakeables ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
{_PARTITIONS}
""",
    5: """
ALTER TABLE position ADD COLUMN level INTEGER NOT NULL DEFAULT 1;
""",
    6: """
ALTER TABLE awakeables ADD COLUMN revoked BLOB;
CREATE INDEX awakeables_revoked ON awakeables (created_ms)
    WHERE invocation = '' AND resolved_ms = 0;
""",
    7: f"""
ALTER TABLE invocations ADD COLUMN build TEXT NOT NULL DEFAULT '';
ALTER TABLE invocations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
{_BUILDS}
""",
}
"""The statements that upgrade a store of each older version to the next, in place and without loss."""

SCHEMA = f"""
CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    -- The log's time at that position: the next leader's clock does not begin before it.
    time_ms INTEGER NOT NULL,
    -- The number of the youngest invocation ever: that of a removed one is not given again.
    last_number INTEGER NOT NULL DEFAULT 0,
    -- The format level of the log.
    level INTEGER NOT NULL DEFAULT 1
);
INSERT INTO position VALUES (1, 0, 0, 0, 0, 0, 1);

CREATE TABLE invocations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    handler TEXT NOT NULL,
    key TEXT NOT NULL,
    input BLOB,
    headers BLOB,
    service TEXT NOT NULL,
    partition_key TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    parent TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker_id TEXT NOT NULL,
    failures INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    completed_ms INTEGER NOT NULL,
    wake_ms INTEGER NOT NULL,
    expire_ms INTEGER NOT NULL,
    version TEXT NOT NULL,
    outcome BLOB,
    fault_type TEXT,
    fault_message TEXT,
    fault BLOB,
    pause_reason TEXT NOT NULL,
    pause_identity TEXT NOT NULL,
    pause_ms INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL,
    -- The build that began the journal, and whether only its workers go on.
    build TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    -- MessagePack of what only the rules need and few invocations have: see `rows`.
    rest BLOB
);
{_INDEXES}
-- Due retries and scheduled starts.
CREATE INDEX invocations_by_wake ON invocations (wake_ms) WHERE wake_ms > 0;
-- Invocations that hold or wait for an object lock, in order.
CREATE INDEX invocations_by_turn ON invocations (turn) WHERE turn > 0;
-- Invocations with a deadline.
CREATE INDEX invocations_by_deadline ON invocations (deadline_ms) WHERE deadline_ms > 0;
-- Invocations by the end of their retention.
CREATE INDEX invocations_by_expiry ON invocations (expire_ms) WHERE expire_ms > 0;

CREATE TABLE journal (
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    argument BLOB,
    outcome BLOB,
    completion INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    completed_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    target TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    -- The number of the signal that completed a SIGNAL entry; 0 when it was given back.
    signal INTEGER NOT NULL DEFAULT 0,
    -- For a step or a call: how many tries had failed before.
    failed_tries INTEGER NOT NULL DEFAULT 0,
    -- For a SIGNAL: the JSON Schema of the value that the program expects.
    schema TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (number, position)
) WITHOUT ROWID;
-- Pending timers.
CREATE INDEX journal_by_due ON journal (due_ms) WHERE due_ms > 0 AND completion = 0;

-- Awakeables; `invocation` is empty for one that was resolved before an invocation created it.
CREATE TABLE awakeables (
    id TEXT PRIMARY KEY,
    invocation TEXT NOT NULL,
    positions BLOB,
    created_ms INTEGER NOT NULL,
    resolved_ms INTEGER NOT NULL,
    outcome BLOB,
    schema TEXT NOT NULL DEFAULT '',
    requests BLOB,
    -- Whether that invocation lives in another partition and has ended.
    released INTEGER NOT NULL DEFAULT 0,
    -- The ids of its revoked webhooks.
    revoked BLOB
) WITHOUT ROWID;
CREATE INDEX awakeables_by_invocation ON awakeables (invocation) WHERE invocation <> '';
-- Awakeables that no entry has waited for, by the age of their outcomes.
CREATE INDEX awakeables_early ON awakeables (resolved_ms) WHERE invocation = '';
-- Awakeables that only have revoked webhooks, by the age of the last revocation.
CREATE INDEX awakeables_revoked ON awakeables (created_ms)
    WHERE invocation = '' AND resolved_ms = 0;

-- Journal entries that wait for the end of another invocation.
CREATE TABLE waiters (
    target TEXT NOT NULL,
    invocation TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (target, invocation, position)
) WITHOUT ROWID;

-- Signals that no entry has consumed yet.
CREATE TABLE signals (
    number INTEGER NOT NULL,
    signal INTEGER NOT NULL,
    name TEXT NOT NULL,
    outcome BLOB NOT NULL,
    PRIMARY KEY (number, signal)
) WITHOUT ROWID;

-- State by owner: an invocation's id, or an object's name and key with a NUL between them.
CREATE TABLE state (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;

CREATE TABLE handlers (
    name TEXT PRIMARY KEY,
    spec BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;
{_BUILDS}
{_PARTITIONS}"""
