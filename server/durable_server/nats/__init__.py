"""NATS as the control plane uses it: the embedded server, its data directory, and connections."""
