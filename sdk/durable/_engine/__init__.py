"""The replay engine: one attempt of a workflow as a function of its journal. It does no I/O.

The worker works with `attempt`, workflows work with `context`. From the top down:

    attempt             inputs, delivery of completions, what the worker reads
    ending              how an attempt ends
    unawaited           the report of what the program has not awaited
    saga                compensations, on top of the context
    context             the first argument of a workflow; replay_logger is its logger
    program             holds the parts below for the context
    server_operations   timers, awakeables, signals, other invocations
    service_calls       gRPC calls as steps
    steps, state, patches
                        operations of the worker; values by name; branches of changed code
    operations          indexes, the check against the journal, what is open
    journal, outbox, compensations, own_code, random
                        the recorded entries; what is sent; bookkeeping; guards
    futures, loop, asyncio_patches, locks
                        asyncio made deterministic
    entry_kinds, failures, limits, places
                        facts and texts that all of them use
"""
