"""Tests of the webhook rules: tokens, schemes, files."""
