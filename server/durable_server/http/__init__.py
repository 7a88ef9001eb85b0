"""The HTTP shim: curl, browsers and web hooks, as a gRPC client of the control plane."""
