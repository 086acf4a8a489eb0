"""Tests of bytes and events, and the messages that they are all fed."""
