"""Tests of the rules: what matches, what is replayed, what is refused."""
