"""Generated from proto/durable/node/v1 by gen/generate.py. Do not edit."""
