"""The HTTP surface for curl, browsers and webhooks; a gRPC client of the control plane."""
