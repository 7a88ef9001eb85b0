"""The lowest layer of the SDK: errors, spans of time, values, and the channel to a gRPC server."""
