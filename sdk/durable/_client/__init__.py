"""The clients, and what their methods return.

A method builds an RPC flow, and the client's connection runs it:

    AsyncClient  ──►  RPC flow  ──►  AsyncConnection     `async_client`, `async_connection`
    Client       ──►  RPC flow  ──►  Connection          `generated/client`, `connection`

- `rpc_flow`: what an RPC flow is: the RPCs of one method, without I/O.
- `invoke_requests`, `control_requests`, `query_requests`: the flows, by purpose. `watch`: the one
  method that is a stream.
- `options`: what a client sends with each request, and the views that change it.
- `result`, `invocation_views`, `journal_views`, `server_views`: what the methods return, as
  read-only views of the protocol's messages. `status` and `json_form` are what the views share.
"""
