"""The log of a partition: the truth, written by one fenced leader. Start at `interface`."""
