"""What the control plane counts of its own work, and how Prometheus reads it."""
