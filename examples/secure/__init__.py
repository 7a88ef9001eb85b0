"""A control plane with TLS and authentication."""
