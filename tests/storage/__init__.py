"""Tests of the cassettes on disk; ``interactions`` has what they record."""
