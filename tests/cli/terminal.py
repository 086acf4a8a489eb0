"""A text stream that says it is a terminal, for tests of what terminals are shown."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """Keeps what is written; ``isatty`` is true."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True
