"""The system as a whole: what all its partitions and control planes share, kept in NATS."""
