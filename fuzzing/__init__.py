"""Fuzzers: run by hand for as long as there is patience; what they find becomes a corpus file."""
