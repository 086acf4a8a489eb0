"""Tests of ``workers``: several processes on one port."""
