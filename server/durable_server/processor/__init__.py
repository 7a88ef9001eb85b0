"""Carries the rules out: one loop for each partition, the workers' ownership, the timers."""
