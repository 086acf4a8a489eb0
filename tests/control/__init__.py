"""Tests of ``control``: a proxy that is told what to do over HTTP."""
