"""Cassettes <-> disk: names, formats, the journal while recording, atomic writes.

``store`` is the door; everything else in here is a room behind it (see each module's essay).
"""
