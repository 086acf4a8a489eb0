"""Tests of ``testing``: the rooms of the pytest plugin."""
