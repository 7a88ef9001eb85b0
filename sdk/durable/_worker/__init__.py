"""The worker: sessions with a control plane, and the attempts and steps that run for it.

`worker` connects, reconnects and drains. `session` reads and writes the frames of one stream.
`attempt_runner` holds the attempts, which outlive sessions, and is composed of `step_runner` (with
`step_threads`, `thread_wait` and `step_body`), `idle_attempts`, `send_queue` and `resend_buffer`.
`running_attempt` is what they know of each attempt. `log_messages` and `loop_monitor` report mistakes,
`service_channels` has the channels of durable calls, and `hosting` runs workers beside a client.
"""
