"""Requests of clients: the rules of what clients may do with invocations, awakeables and states."""
