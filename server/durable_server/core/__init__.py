"""The rules, and nothing else: what an invocation is, how it moves, what follows from each record.

Everything here is a pure function of its arguments: no clock, no chance, no input or output, no
logging, and no import from outside this package but the standard library's data types. The rest of
the control plane carries values to and from these rules.
"""
