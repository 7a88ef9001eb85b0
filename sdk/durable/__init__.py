"""Durable execution: the SDK."""
