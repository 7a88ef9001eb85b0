"""Traces: the interface that the SDK reports to, and its form for OpenTelemetry."""
