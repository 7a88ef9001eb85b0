"""The log of a partition: the source of truth, written by one fenced leader. Start at `interface`."""
