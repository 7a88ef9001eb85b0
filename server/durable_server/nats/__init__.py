"""NATS for the control plane: the embedded server, its data directory, and connections."""
