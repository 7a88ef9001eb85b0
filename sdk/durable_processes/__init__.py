"""Processes of one command: a supervisor that runs its own command line N times, and the link to it.

`durable worker --processes` and `durable server --processes` share it. It imports neither the SDK nor
the control plane, so that both commands can use it without each other.
"""
