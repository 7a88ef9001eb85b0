"""A node: the partitions that one process follows or leads."""
