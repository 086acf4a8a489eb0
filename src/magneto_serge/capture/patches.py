"""Functions of the standard library replaced for a while, and put back.

What is replaced is what is there when it happens, so that another tool's replacement (a test that
refuses connections, say) goes on working underneath; what somebody else has put there since is
left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ABSENT = object()


class Patches:
    """``replacements`` are ``(owner, name, function)``; ``real[name]`` is what was there before."""

    def __init__(self, *replacements: tuple[Any, str, Callable[..., Any]]) -> None:
        self._replacements = replacements
        self._own: dict[str, Any] = {}
        self.real: dict[str, Callable[..., Any]] = {
            name: getattr(owner, name) for owner, name, _ in replacements
        }

    def install(self) -> None:
        """Replace."""
        for owner, name, function in self._replacements:
            self._own[name] = vars(owner).get(name, _ABSENT)
            self.real[name] = getattr(owner, name)
            setattr(owner, name, function)

    def uninstall(self) -> None:
        """Put back."""
        for owner, name, function in self._replacements:
            own = self._own.pop(name, _ABSENT)
            if vars(owner).get(name) is not function:
                continue
            if own is _ABSENT:  # it was inherited
                delattr(owner, name)
            else:
                setattr(owner, name, own)
