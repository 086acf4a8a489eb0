"""What a user has said about the exchanges of a session: filters, hooks, templates, rewriting.

One object for all four, so that whoever carries an exchange asks one question: is there any? Where
nothing is set, a session has none. It says what is to be done; the proxy does it, because some of
it has to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most sessions have none of it, and starting should not wait for it
    from magneto_serge.messages import Headers, Request
    from magneto_serge.replay.filters import RecordFilter
    from magneto_serge.replay.hooks import Hooks
    from magneto_serge.replay.rewrite import Outgoing, Rewriter
    from magneto_serge.replay.templates import Templates


class Shaping:
    """What shapes the exchanges of one session; None where it is not set."""

    __slots__ = ("filter", "hooks", "rewriter", "templates")

    def __init__(
        self,
        hooks: Hooks,
        filter: RecordFilter | None = None,
        rewriter: Rewriter | None = None,
        templates: Templates | None = None,
    ) -> None:
        self.hooks = hooks
        self.filter = filter
        self.rewriter = rewriter
        self.templates = templates

    def __bool__(self) -> bool:
        return bool(self.filter or self.rewriter or self.templates or self.hooks)

    @property
    def asks_for_bodies(self) -> bool:
        """Whether what answers a request may want to see the request's body."""
        hooks = self.hooks
        return self.templates is not None or bool(hooks.at_replay or hooks.at_miss)

    def may_keep(
        self, request: Request, status: int | None = None, headers: Headers | None = None
    ) -> bool:
        """Whether an exchange might be recorded, for all that is known of it."""
        return self.filter is None or self.filter.foresee(request, status, headers)

    def outgoing(self, request: Request) -> Outgoing | None:
        """Return a request as it is to be sent to its origin; None: as it came."""
        return None if self.rewriter is None else self.rewriter.outgoing(request)

    def wants_body(self, request: Request) -> bool:
        """Whether a request's body has to be read whole before the request can be forwarded."""
        found = self.outgoing(request)
        return found is not None and bool(found.body)
