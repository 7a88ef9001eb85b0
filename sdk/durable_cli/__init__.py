"""The `durable` command.

It is a package of its own beside the SDK, because importing `durable` imports gRPC, and a help text
must not take half a second. So every module here imports only click and the standard library at its
top; what a command needs beyond that, it imports when it runs.

Modules.
- `main` has the commands by name and imports the one that is run. `server` and `dev` are in
  `durable_server` and need its extra dependencies.
- `client_command` is what the commands that call the control plane share: options and connection.
- `output` writes for a terminal, a pipe or a program; `journal_lines` and `wait_reasons` put what
  is known of an invocation into words.
- `values`, `times` and `filters` parse what users type; `bulk` applies one change to many
  invocations.
- `errors` has the exit codes; `streams`, `logging_setup`, `telemetry` prepare the process.
- The other modules are the commands.

Rules.
- stdout has the result and nothing else; notes, prompts and progress go to stderr.
- An error is one line on stderr and an exit code that a script can act on (`errors`).
- `--json` gives one document; `watch` gives one for each change.
- On a terminal times are relative, rows are cut to its width and statuses are coloured. In a pipe
  nothing is cut and times are absolute.
"""
