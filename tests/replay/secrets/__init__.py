"""Tests of what is a secret, and of what becomes of it."""
