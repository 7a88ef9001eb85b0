"""Translates between the public protos and the processor. No rule lives here."""
