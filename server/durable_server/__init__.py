"""The control plane of Durable."""

__version__ = "0.1.0"
