"""The replay engine: one attempt of a workflow as a function of its journal. It does no I/O."""
