"""Sockets, real programs and whole proxies: the only tests that open connections."""
