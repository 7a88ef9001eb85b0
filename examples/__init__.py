"""Runnable examples of Durable, one folder each."""
