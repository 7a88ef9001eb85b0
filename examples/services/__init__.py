"""Generated stubs of the gRPC services that the examples call."""
