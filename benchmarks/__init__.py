"""Benchmarks: real processes on one machine, measured from outside."""
