"""``--workers N``: one proxy that is several processes on one port."""
