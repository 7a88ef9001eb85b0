"""Time travel: exported runs, and their replay in this process without effects.

exported_run    an invocation as ExportInvocation returns it, and its file format
redaction       takes the values out of a run, so that it can be shown to others
watched         an attempt that tells what its program does
replay          replays one run, and says where it stands
bounded         runs code of users in a thread, for a limited time and silently
preflight       replays many runs, and groups what it finds by cause
"""
