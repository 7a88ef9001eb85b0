"""The audit: keeps the calls that change something, in a file and in NATS, and reads them back."""
