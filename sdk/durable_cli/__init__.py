"""The `durable` command.

Theory. A package of its own beside the SDK, because importing `durable` imports gRPC, and a command
line that takes half a second to say its help is not used. Every module here imports only click and
the standard library at its top; what a command needs, it imports when it runs.

Rooms. `main` knows the commands by name and imports the one that is asked for; the control plane's
(`server`, `dev`) live in `durable_server` and need its extra dependencies. `session` is what the
client commands share: the options, the connection. `output` writes for a terminal, a pipe or a
program; `values`, `times` and `selection` read what people type; `bulk` does one thing to many
invocations. The others are commands.

Rules.
- stdout has the answer and nothing else; notes, prompts and progress go to stderr.
- An error is one line on stderr and an exit code that a script can act on (`errors`).
- `--json` gives one document; `watch` gives one for each change.
- On a terminal times are relative, rows fit the width and states have colours. In a pipe nothing is
  shortened and times are absolute.
"""
