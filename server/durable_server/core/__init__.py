"""The core: the rules of durable execution, as a pure state machine.

A partition is the state, a record of the log is an event, and `apply.step` turns a batch of records
into replies, effects and changes. Nothing here has a clock, randomness, I/O or logging, and nothing is
imported from outside this package except the standard library's data types. So a replay of the log
gives the same state anywhere. The rest of the control plane carries values to and from these rules.

    model, entry_kinds, states      what there is: invocations, kinds of entries, the lifecycle table
    records, replies, effects       what goes in, and what comes out
    partition, changes, transaction the state, what a batch changes, and both for a rule
    transitions                     what rules share
    lifecycle, journal, ...         the rules; `apply` lists them
"""
