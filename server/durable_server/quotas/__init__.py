"""Quotas: limits of handlers that hold over all nodes of a cluster."""
