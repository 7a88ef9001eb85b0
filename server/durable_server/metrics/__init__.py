"""The counts that the control plane keeps of its own work; `prometheus` exposes them."""
