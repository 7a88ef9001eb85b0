"""Webhooks: URLs that resolve one awakeable, and how their senders sign. docs/design/webhooks.md.

`tokens` and `schemes` are pure; `files` reads keys and secrets; `service` is what a control plane has
of it. Nothing here knows gRPC or HTTP: `rpc` makes URLs of it, `http` answers at them.
"""
