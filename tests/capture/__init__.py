"""Tests of ``capture``: the process under test, led to the proxy."""
