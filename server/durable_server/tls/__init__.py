"""TLS: the certificate of this process, its authorities, and their change while it serves."""
