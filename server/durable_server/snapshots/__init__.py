"""Snapshots of partitions: copies of their stores that are kept in another place."""
