"""Bytes to events and back (RFC 9112). Pure: no sockets, no clock, no asyncio.

``events`` is the vocabulary, shared by every HTTP version; ``http1`` turns bytes into events with
llhttp (Node's parser, strict); ``fields`` knows what single field lines mean for a hop;
``targets`` reads request targets; ``serialize`` writes heads and chunks.
"""
