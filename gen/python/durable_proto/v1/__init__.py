"""Generated from proto/durable/v1 by gen/generate.py. Do not edit."""
