"""The text index of failures: which of the invocations that have ended with a failure hold a text.

It is SQLite's FTS5 over trigrams, without the texts themselves (`content=''`) and without positions
(`detail=none`): small, written once for a failure and never for a success. It answers a bit too much,
so whoever asks compares the message itself too. A text of less than three characters it cannot find.

A SQLite without FTS5 goes without it: the answers are the same, found by reading the messages. The
index is filled when it is missing, so an older store gets it when it is opened. A file that has it
cannot be written without FTS5, since it would then miss what is added: that is refused.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

logger = logging.getLogger("durable.store")

_TABLE: Final = """
CREATE VIRTUAL TABLE failure_texts USING fts5(
    message, content='', detail='none', tokenize='trigram case_sensitive 1'
)
"""
_ENDED: Final = (
    "SELECT number, fault_message FROM invocations "
    "WHERE completed_ms > 0 AND fault_message IS NOT NULL"
)
_TERMS_MAX: Final = 12
"""Trigrams of one question; the message itself is compared too."""


class FailureIndexError(Exception):
    """The store has an index of failures, and this SQLite cannot write it."""


class Failures:
    """The index in one store; made by `open`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, db: sqlite3.Connection) -> Failures | None:
        """Returns the index, made and filled where it is missing; None where SQLite has no FTS5.

        Raises FailureIndexError.
        """
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'failure_texts'").fetchone()
        try:
            if there:
                db.execute("SELECT 1 FROM failure_texts LIMIT 0")
                return cls(db)
            db.execute("BEGIN")
            db.execute(_TABLE)
        except sqlite3.OperationalError as error:
            if there:
                raise FailureIndexError(
                    f"the store has an index of failures, which SQLite {sqlite3.sqlite_version} of "
                    f"this Python cannot write ({error}): use a Python whose SQLite has FTS5"
                ) from error
            db.execute("ROLLBACK")
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
        """Adds messages by invocation number."""
        self._db.executemany(
            "INSERT INTO failure_texts (rowid, message) VALUES (?, ?)",
            ((number, _indexed(message)) for number, message in failed),
        )

    def remove(self, numbers: Sequence[int]) -> None:
        """Removes what is there of these invocations, whose rows must still be there."""
        for number in numbers:
            # An index without the texts must be told what it has of one.
            for _, message in self._db.execute(f"{_ENDED} AND number = ?", (number,)).fetchall():
                self._db.execute(
                    "INSERT INTO failure_texts (failure_texts, rowid, message) "
                    "VALUES ('delete', ?, ?)",
                    (number, _indexed(message)),
                )

    @staticmethod
    def match(text: str) -> str:
        """Returns what to MATCH for a text; empty when the index cannot find it."""
        if len(text) < 3 or "\0" in text:
            return ""
        starts = list(range(0, len(text) - 2, 3))[: _TERMS_MAX - 1]
        terms = [text[start : start + 3] for start in (*starts, len(text) - 3)]
        return " AND ".join('"' + term.replace('"', '""') + '"' for term in dict.fromkeys(terms))


def _indexed(message: str) -> str:
    """Returns a message for the tokenizer, to which a NUL would be the end."""
    return message.replace("\0", " ")
