"""Tests of the relay without sockets: real protocols on a mock transport and a mock loop."""
