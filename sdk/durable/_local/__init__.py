"""Local mode: a control plane in the client's process, and the channel that reaches it."""
