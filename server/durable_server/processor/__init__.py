"""The processor of a partition: applies the core's rules, with one loop and its parts."""
