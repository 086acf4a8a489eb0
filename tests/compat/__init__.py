"""Tests of ``compat``: other tools' interfaces."""
