"""Local mode: a control plane in this process."""
