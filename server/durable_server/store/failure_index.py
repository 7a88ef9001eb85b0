"""The text index of failures: which invocations that ended with a failure contain a text.

The indexed text is the failure as people read it: its type, `: `, and its message.

The index is SQLite's FTS5 over trigrams, without the texts themselves (`content=''`) and without
positions (`detail=none`): it is small, written once for a failure and never for a success. It may
return too many matches, so the caller compares the text itself too. It cannot find a text of less
than three characters.

A SQLite without FTS5 has no index: the answers are the same, found by reading all failures. The index
is created and filled when it is missing or of an older form, so an older store gets it when it is
opened. A store with an index cannot be written without FTS5, because the index would then miss what
is added; that is refused.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

logger = logging.getLogger("durable.store")

CREATE_TABLE: Final = """
CREATE VIRTUAL TABLE failure_texts USING fts5(
    failure, content='', detail='none', tokenize='trigram case_sensitive 1'
)
"""
TEXT: Final = "fault_type || ': ' || fault_message"
"""The SQL expression for the indexed text; see `Failure.text`."""
_ENDED: Final = (
    f"SELECT number, {TEXT} FROM invocations WHERE completed_ms > 0 AND fault_message IS NOT NULL"
)
_TERMS_MAX: Final = 12
"""The most trigrams of one query; the text itself is compared too."""


class FailureIndexError(Exception):
    """The store has an index of failures that this SQLite cannot write."""


class FailureIndex:
    """The index of one store; `open` returns it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, db: sqlite3.Connection) -> FailureIndex | None:
        """Returns the index, and creates it where it is missing; None where SQLite has no FTS5.

        Raises FailureIndexError.
        """
        exists = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'failure_texts'").fetchone()
        try:
            if exists:
                columns = [it[1] for it in db.execute("PRAGMA table_info(failure_texts)")]
                if columns == ["failure"]:
                    return cls(db)
            db.execute("BEGIN")
            if exists:
                db.execute("DROP TABLE failure_texts")
            db.execute(CREATE_TABLE)
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if exists:
                raise FailureIndexError(
                    f"the store has an index of failures, which SQLite {sqlite3.sqlite_version} of "
                    f"this Python cannot write ({error}): use a Python whose SQLite has FTS5"
                ) from error
            logger.warning(
                "SQLite %s has no FTS5 with trigrams (%s): queries by the text of a failure read "
                "all failures",
                *(sqlite3.sqlite_version, error),
            )
            return None
        index = cls(db)
        index.add(db.execute(_ENDED))
        db.execute("COMMIT")
        return index

    def add(self, failed: Iterable[tuple[int, str]]) -> None:
        """Adds texts, each with its invocation number."""
        self._db.executemany(
            "INSERT INTO failure_texts (rowid, failure) VALUES (?, ?)",
            ((number, _indexed(text)) for number, text in failed),
        )

    def remove(self, numbers: Sequence[int]) -> None:
        """Removes the texts of these invocations, whose rows must still exist."""
        for number in numbers:
            # The index does not contain the texts, so a deletion must give the text that was added.
            for _, text in self._db.execute(f"{_ENDED} AND number = ?", (number,)).fetchall():
                self._db.execute(
                    "INSERT INTO failure_texts (failure_texts, rowid, failure) "
                    "VALUES ('delete', ?, ?)",
                    (number, _indexed(text)),
                )

    @staticmethod
    def match(text: str) -> str:
        """Returns the FTS5 query for a text; empty when the index cannot find it."""
        if len(text) < 3 or "\0" in text:
            return ""
        starts = list(range(0, len(text) - 2, 3))[: _TERMS_MAX - 1]
        terms = [text[start : start + 3] for start in (*starts, len(text) - 3)]
        return " AND ".join('"' + term.replace('"', '""') + '"' for term in dict.fromkeys(terms))


def _indexed(text: str) -> str:
    """Returns a text for the tokenizer, which would stop at a NUL."""
    return text.replace("\0", " ")
