"""`python -m magneto_serge` is the command `magneto`."""

from __future__ import annotations

from .cli.main import main

if __name__ == "__main__":
    main()
