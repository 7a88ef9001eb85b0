"""Tracing: the interface that client and worker report to, and its implementation for OpenTelemetry.

`interface` has the protocols, `spans` the OpenTelemetry implementation, and `guarded` keeps errors of
an implementation away from the work. `find` decides whether there is tracing at all.
"""
