"""The client, asynchronous and synchronous, and what it returns."""
