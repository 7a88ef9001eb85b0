"""The gRPC services: translate between the public messages and the rules. Nothing is decided here."""
