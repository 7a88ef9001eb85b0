"""The store of a partition: the state that the log folds to, on disk, for queries and for recovery."""
