"""The tally of the links of a node: what it has written to them, and how they have begun and ended.

The writer only adds to plain numbers; they are read at a scrape. What is read is not counted, because
another node has counted it when it wrote it.
"""

from __future__ import annotations


class LinkTally:
    """The counts of all links of one node, those that it has dialled and those that it has accepted."""

    def __init__(self) -> None:
        self.frames = 0
        """Frames that were written."""
        self.bytes = 0
        """Their bytes, estimated from the bodies of the messages in them."""
        self.opened = 0
        """Links that this node has dialled and the other one has accepted."""
        self.failed = 0
        """Links that this node has dialled and that were never accepted."""
        self.lost = 0
        """Links that this node has dialled and that broke after they were accepted."""
