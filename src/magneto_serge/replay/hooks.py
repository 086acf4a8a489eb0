"""Users' own functions at four places of an exchange.

========================================  ==================================================
``before_record(interaction)``            before it is redacted and written; None: do not record
``before_replay(request, response)``      before a recorded response is sent; returns the response
``on_miss(request)``                      instead of a refusal; None: refuse
``on_message(request, message)``          for each WebSocket message relayed or replayed; None: drop
========================================  ==================================================

The rules:

* Hooks are collected in :class:`Hooks`: one for the whole process (the decorators of the package),
  one for a proxy, one for a session, one for each script. Each hands its own on to those below it,
  at once, and they are called in this order, each with what the one before it has returned.
* **A hook never breaks an exchange.** What it raises, or returns instead of what it should, is
  reported with its name and place, and the exchange goes on with what there was: a hook gets a
  copy, so one that fails half-way has changed nothing.
* The first three may be ``async``. Nothing here awaits by itself: whoever has a loop does.
"""

from __future__ import annotations

import functools
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import msgspec

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Interaction, Request, Response, WebSocketMessage
from magneto_serge.replay.returned import changed_by, unusable

log = logging.getLogger("magneto_serge")

KINDS = ("before_record", "before_replay", "on_miss", "on_message")
MARK = "__magneto_hook__"  # on a decorated function: which kinds it was decorated as
PATIENCE = 30.0  # seconds that a hook may wait for something

_CHANGING = threading.RLock()  # sessions come and go in any thread

F = TypeVar("F", bound=Callable[..., Any])


class Hook(NamedTuple):
    """A user's function; ``waits``: it is a coroutine function."""

    kind: str
    function: Callable[..., Any]
    waits: bool

    @property
    def name(self) -> str:
        """What it is called, and as what: ``before_record hook 'mask'``."""
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"{self.kind} hook {name!r}"


class Hooks:
    """The hooks of one place, after those of the places above it.

    ``at_record``, ``at_replay``, ``at_miss`` and ``at_message`` are what is called, in order; empty
    where there is nothing to call. ``changed`` is called when they have changed.
    """

    def __init__(self, *above: Hooks, changed: Callable[[], None] | None = None) -> None:
        self._above = above
        self._own: tuple[Hook, ...] = ()
        self._below: weakref.WeakSet[Hooks] = weakref.WeakSet()
        self.changed = changed
        self.at_record: tuple[Hook, ...] = ()
        self.at_replay: tuple[Hook, ...] = ()
        self.at_miss: tuple[Hook, ...] = ()
        self.at_message: tuple[Hook, ...] = ()
        with _CHANGING:
            for each in above:
                each._below.add(self)
            self._gather()

    def __bool__(self) -> bool:
        return bool(self.at_record or self.at_replay or self.at_miss or self.at_message)

    # --- registering -----------------------------------------------------------------------

    def before_record(self, function: F) -> F:
        """Have ``function(interaction)`` called before an interaction is written; a decorator."""
        return self.add("before_record", function)

    def before_replay(self, function: F) -> F:
        """Have ``function(request, response)`` called before a replay; a decorator."""
        return self.add("before_replay", function)

    def on_miss(self, function: F) -> F:
        """Have ``function(request)`` called instead of a refusal; a decorator."""
        return self.add("on_miss", function)

    def on_message(self, function: F) -> F:
        """Have ``function(request, message)`` called for WebSocket messages; a decorator."""
        return self.add("on_message", function)

    def add(self, kind: str, function: F) -> F:
        """Register ``function``, and return it. Raises ConfigError where it cannot be one."""
        if not callable(function):
            raise ConfigError(f"{kind}: {function!r} is not a function")
        waits = _is_async(function)
        if waits and kind == "on_message":
            raise ConfigError(
                f"on_message: {getattr(function, '__qualname__', function)!r} is async. Messages"
                " keep their order, so it has to be a plain function"
            )
        marked = getattr(function, MARK, ())
        if kind not in marked:
            try:
                setattr(function, MARK, (*marked, kind))
            except AttributeError:
                pass  # a bound method, a builtin
        with _CHANGING:
            self._own += (Hook(kind, function, waits),)
            self._gather()
        return function

    def remove(self, function: Callable[..., Any]) -> None:
        """Forget ``function``, whatever it was registered as here."""
        with _CHANGING:
            self._own = tuple(each for each in self._own if each.function != function)
            self._gather()

    @property
    def every(self) -> list[Hook]:
        """All hooks of here and above, in the order in which they are called."""
        found: list[Hook] = []
        for hook in (*(hook for each in self._above for hook in each.every), *self._own):
            if hook not in found:  # a function need not be hashable
                found.append(hook)
        return found

    def _gather(self) -> None:
        every = self.every
        self.at_record, self.at_replay, self.at_miss, self.at_message = (
            tuple(each for each in every if each.kind == kind) for kind in KINDS
        )
        if self.changed is not None:
            self.changed()
        for each in list(self._below):
            each._gather()

    # --- calling ---------------------------------------------------------------------------

    def record(self, interaction: Interaction) -> Interaction | None:
        """Return what is to be recorded; the hooks must all be plain functions."""
        kept: Interaction | None = interaction
        for hook in self.at_record:
            kept = _checked(hook, _call(hook, _copy(interaction)), interaction)
            if kept is None:
                return None
            interaction = kept
        return kept

    async def record_async(self, interaction: Interaction) -> Interaction | None:
        """Return what is to be recorded."""
        kept: Interaction | None = interaction
        for hook in self.at_record:
            kept = _checked(hook, await _await(hook, _copy(interaction)), interaction)
            if kept is None:
                return None
            interaction = kept
        return kept

    def replay(self, request: Request, response: Response) -> Response:
        """Return what is to be sent; the hooks must all be plain functions."""
        for hook in self.at_replay:
            copy = msgspec.structs.replace(response)
            response = changed_by(response, _checked(hook, _call(hook, request, copy), response))
        return response

    async def replay_async(self, request: Request, response: Response) -> Response:
        """Return what is to be sent."""
        for hook in self.at_replay:
            copy = msgspec.structs.replace(response)
            found = _checked(hook, await _await(hook, request, copy), response)
            response = changed_by(response, found)
        return response

    def miss(self, request: Request) -> Response | None:
        """Return the first answer to a request without a recording; all plain functions."""
        for hook in self.at_miss:
            found: Response | None = _checked(hook, _call(hook, request), None)
            if found is not None:
                return found
        return None

    async def miss_async(self, request: Request) -> Response | None:
        """Return the first answer to a request without a recording."""
        for hook in self.at_miss:
            found: Response | None = _checked(hook, await _await(hook, request), None)
            if found is not None:
                return found
        return None

    def message(self, request: Request, message: WebSocketMessage) -> WebSocketMessage | None:
        """Return the message to pass on; None: it is dropped."""
        kept: WebSocketMessage | None = message
        for hook in self.at_message:
            kept = _checked(hook, _call(hook, request, message), message)
            if kept is None:
                return None
            message = kept
        return kept


# kind: (type returned, whether None is an answer)
_RETURNS: dict[str, tuple[type, bool]] = {
    "before_record": (Interaction, True),
    "before_replay": (Response, False),
    "on_miss": (Response, True),
    "on_message": (WebSocketMessage, True),
}


class _Failed:
    """What stands for the result of a hook that has failed."""


_FAILED = _Failed()


def any_waits(hooks: tuple[Hook, ...]) -> bool:
    """Tell whether one of them is a coroutine function."""
    return any(each.waits for each in hooks)


def _call(hook: Hook, *arguments: object) -> object:
    try:
        return hook.function(*arguments)
    except Exception as error:  # noqa: BLE001 - reported; the exchange goes on
        _report(hook, error)
        return _FAILED


async def _await(hook: Hook, *arguments: object) -> object:
    if not hook.waits:
        return _call(hook, *arguments)
    try:
        return await hook.function(*arguments)
    except Exception as error:  # noqa: BLE001 - reported; the exchange goes on
        _report(hook, error)
        return _FAILED


def _checked(hook: Hook, result: Any, original: Any) -> Any:
    """Return the result, or the original where it is not what the hook should return."""
    wanted, optional = _RETURNS[hook.kind]
    if result is None and optional:
        return result
    if isinstance(result, wanted):
        why = unusable(result)
        if why is None:
            return result
        place = _definition(hook.function)
        log.error("The %s at %s returned %s. The original is used", hook.name, place, why)
    elif result is not _FAILED:
        if hasattr(result, "close"):
            result.close()  # a coroutine from a plain function, which nobody will await
        log.error(
            "The %s at %s returned %s, not a %s%s. The original is used",
            hook.name,
            _definition(hook.function),
            type(result).__name__,
            wanted.__name__,
            " or None" if optional else "",
        )
    return original


def _report(hook: Hook, error: Exception) -> None:
    log.error(
        "The %s failed at %s: %s. The original is used",
        hook.name,
        place_of(error, _file(hook.function)),
        described(error),
    )


def described(error: BaseException) -> str:
    """Return an exception as the last line of a traceback has it."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place_of(error: BaseException, file: str) -> str:
    """Return ``file:line`` where ``error`` came from: the innermost line of ``file`` itself."""
    place = file
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == file or not file:
            place = f"{code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _code(function: Callable[..., Any]) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    return code or getattr(_call_of(type(function)), "__code__", None)


def _call_of(found: object) -> object:
    """Return what makes an object callable, to look at."""
    return getattr(found, "__call__", None)  # noqa: B004 - it is not asked whether it is


def _file(function: Callable[..., Any]) -> str:
    code = _code(function)
    return "" if code is None else str(code.co_filename)


def _definition(function: Callable[..., Any]) -> str:
    code = _code(function)
    return repr(function) if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _is_async(function: Callable[..., Any]) -> bool:
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function) or iscoroutinefunction(_call_of(function))


def _copy(interaction: Interaction) -> Interaction:
    response = interaction.response
    return msgspec.structs.replace(
        interaction,
        request=msgspec.structs.replace(interaction.request),
        response=None if response is None else msgspec.structs.replace(response),
    )


# --- for the whole process ----------------------------------------------------------------------

EVERYWHERE = Hooks()
_registering: ContextVar[Hooks] = ContextVar("registering", default=EVERYWHERE)


@contextmanager
def registering(hooks: Hooks) -> Iterator[None]:
    """Have the decorators of the package register here, while a script is loaded."""
    token = _registering.set(hooks)
    try:
        yield
    finally:
        _registering.reset(token)


def before_record(function: F) -> F:
    """Have ``function(interaction) -> interaction | None`` called before anything is recorded.

    None: it is not recorded. In every proxy of this process, or, in a script, in those that load
    it. May be async; runs in the thread that writes. Redaction comes after it.
    """
    return _registering.get().before_record(function)


def before_replay(function: F) -> F:
    """Have ``function(request, response) -> response`` called before a recording is replayed.

    May be async.
    """
    return _registering.get().before_replay(function)


def on_miss(function: F) -> F:
    """Have ``function(request) -> response | None`` called for what would be refused.

    None: it is refused. May be async.
    """
    return _registering.get().on_miss(function)


def on_message(function: F) -> F:
    """Have ``function(request, message) -> message | None`` called for each WebSocket message.

    None: it is dropped. A plain function.
    """
    return _registering.get().on_message(function)
