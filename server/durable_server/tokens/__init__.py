"""API tokens: the stream that keeps them, the table that each process has of them, and the first
one.
"""
