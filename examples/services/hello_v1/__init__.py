"""Generated from examples/proto/hello/v1 by gen/generate.py. Do not edit."""
