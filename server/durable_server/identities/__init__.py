"""How callers show who they are, besides API tokens: JWTs, certificates, sessions of the page.

`auth_file` reads what an operator trusts, `jwt` and `certificates` turn a credential into an
access, `key_sets` has the issuers' keys, `trusted` joins them and follows the file. `sessions` and
`sign_in` are the page's. Nothing here knows gRPC or serves HTTP.
"""
