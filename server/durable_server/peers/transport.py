"""The gRPC options of both sides of a link.

- Message sizes: a frame has a soft limit of about 1 MiB, which one part may exceed.
- Keepalive: heartbeats tell whether the other node lives. The server's keepalive only closes the
  connection of a node that is gone without a word.
- Subchannels: a link that is dialled anew makes a connection of its own at once, instead of waiting for
  the backoff of one that failed.
- `grpc.so_reuseport`: on by default, it lets a second server take connections from the first.
"""

from __future__ import annotations

_FRAME_BYTES = 8 * 1024 * 1024
"""The largest frame, in both directions."""

_SIZES = (
    ("grpc.max_receive_message_length", _FRAME_BYTES),
    ("grpc.max_send_message_length", _FRAME_BYTES),
)
CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    *_SIZES,
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    *_SIZES,
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
