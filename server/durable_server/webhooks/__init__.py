"""Webhooks: URLs that resolve one awakeable each, and how their senders sign. docs/design/webhooks.md.

`tokens` and `signature_schemes` are pure; `files` reads keys and secrets; `service` is what a control
plane uses. Nothing here knows gRPC or HTTP: `rpc` makes the URLs, `http` serves them.
"""
