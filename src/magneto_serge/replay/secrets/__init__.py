"""Secrets that stay secret: what is one, what is written in its place, and how it still matches.

``names`` and ``shapes`` say what a secret is called and looks like; ``finder`` finds them in a
message; ``placeholders`` is what stands in their place. ``rules`` holds what a session's settings
make of that, ``redactor`` replaces them in what is written, and ``bindings`` keeps the recordings
of two users apart when it is replayed. Whatever finds secrets is loaded when it is first needed.
"""

from .bindings import Bindings, Seen, Value
from .registry import register_redactor, unregister_redactor
from .rules import SecretRules

__all__ = [
    "Bindings",
    "SecretRules",
    "Seen",
    "Value",
    "register_redactor",
    "unregister_redactor",
]
