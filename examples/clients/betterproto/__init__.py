"""A client whose messages are dataclasses of betterproto2."""
