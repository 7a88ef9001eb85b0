"""Requests of clients: what may be asked of invocations, awakeables and states, and how it is done."""
