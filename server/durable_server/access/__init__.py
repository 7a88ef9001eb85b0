"""Who may do what: scopes, grants, the access of a caller, and the one table of rules. No I/O."""
