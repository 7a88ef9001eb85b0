"""Generated from examples/proto/ticket/v1 by gen/generate.py. Do not edit."""
