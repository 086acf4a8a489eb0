"""Tests of the command line; the real thing is run in tests/integration."""
