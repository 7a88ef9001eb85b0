"""The links between the nodes of a cluster: calls and streams, batched over one TCP connection."""
