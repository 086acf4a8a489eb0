"""``use_cassette``: one cassette around a block or a function, as users of VCR.py know it.

Each block has a proxy of its own on a thread of its own, and the process is led to it
(``capture``): clients that read the environment, clients that do not, and children. Blocks in
several threads or tasks at once do not see each other: code in a block's thread or task belongs to
it, and so do the threads that it starts. What all share is ``os.environ``, which children read:
there the block that was entered last is named, so a child of another one is given
``env=proxy.env()``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from magneto_serge.app import MagnetoProxy
from magneto_serge.capture.activate import activate
from magneto_serge.config_values import RemoteFolder
from magneto_serge.errors import (
    ConfigError,
    DriftError,
    ProxyError,
    ReplayMiss,
    UnplayedError,
    UnreachableError,
)
from magneto_serge.replay.modes import Mode

F = TypeVar("F", bound=Callable[..., Any])


class use_cassette:  # noqa: N801  # the name that VCR.py's users know
    """Record or replay everything that a block (or a function) sends, in this process and below.

    ``with use_cassette("github") as proxy``, ``async with``, or as a decorator of a function, a
    coroutine function, a generator function (a fixture, say) or a class, whose methods named
    ``test*`` get the cassettes ``NAME/METHOD``; each call is a session of its own. Without a name a
    decorated function's own is taken. ``overrides`` are settings; a ``cassette_dir`` may be a URL.

    Leaving the block raises ReplayMiss where replay refused a request, even when the code
    inside took the refusal for an answer, and UnplayedError where ``unplayed = fail`` or the mode
    ``strict`` wants everything played and something was not; an exception of the block's own goes
    first.
    """

    def __init__(
        self,
        name: str | None = None,
        mode: Mode | str | None = None,
        *,
        cassette_dir: str | Path | RemoteFolder | None = None,
        **overrides: Any,
    ) -> None:
        self._name = name
        self._mode = mode
        self._cassette_dir = cassette_dir
        self._overrides = {"port": 0, **overrides}
        self._proxy: MagnetoProxy | None = None
        self._leave: Callable[[], None] | None = None

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function, a generator function, or a class."""
        if inspect.isclass(function):
            return cast(F, self._decorate_class(function))
        name = self._name or function.__name__

        def fresh() -> use_cassette:
            return self._named(name)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                async with fresh():
                    return await function(*args, **kwargs)

            return cast(F, run_async)

        if inspect.isgeneratorfunction(function):  # a fixture, say: open until it has ended

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                with fresh():
                    return (yield from function(*args, **kwargs))

            return cast(F, generate)

        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def generate_async(*args: Any, **kwargs: Any) -> Any:
                async with fresh():
                    async for item in function(*args, **kwargs):
                        yield item

            return cast(F, generate_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with fresh():
                return function(*args, **kwargs)

        return cast(F, run)

    def _named(self, name: str) -> use_cassette:
        return use_cassette(name, self._mode, cassette_dir=self._cassette_dir, **self._overrides)

    def _decorate_class(self, cls: type) -> type:
        """Give each test method a cassette of its own; ``unittest.mock.patch`` does so too."""
        folder = self._name or cls.__name__
        for name, method in list(vars(cls).items()):
            if name.startswith("test") and inspect.isfunction(method):
                setattr(cls, name, self._named(f"{folder}/{name}")(method))
        return cls

    def __enter__(self) -> MagnetoProxy:
        proxy = self._begin()
        self._take_over(proxy)
        return proxy

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._give_back(), error)

    async def __aenter__(self) -> MagnetoProxy:
        import asyncio

        proxy = await asyncio.to_thread(self._begin)
        self._take_over(proxy)
        return proxy

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio

        await asyncio.to_thread(self._end, self._give_back(), error)

    def _begin(self) -> MagnetoProxy:
        """Start a proxy with the cassette in use, so that the first request finds it."""
        if self._name is None:
            raise ConfigError('use_cassette() around a block needs a name: use_cassette("NAME")')
        proxy = MagnetoProxy(self._cassette_dir, **self._overrides)
        proxy.start()
        try:
            proxy.use(self._name, self._mode)
        except BaseException:
            proxy.stop()
            raise
        return proxy

    def _take_over(self, proxy: MagnetoProxy) -> None:
        try:
            self._leave = activate(proxy.current, in_context=True)
        except BaseException:
            proxy.stop()
            raise
        self._proxy = proxy

    def _give_back(self) -> MagnetoProxy:
        proxy, self._proxy = self._proxy, None
        if proxy is None or self._leave is None:
            raise ProxyError("use_cassette was left without having been entered")
        self._leave()
        return proxy

    def _end(self, proxy: MagnetoProxy, error: BaseException | None) -> None:
        proxy.__exit__(None if error is None else type(error), error, None)
        _raise_failures(proxy, error)


def _raise_failures(proxy: MagnetoProxy, error: BaseException | None) -> None:
    if error is not None:
        return
    if misses := proxy.misses:
        raise ReplayMiss.of(misses)
    if proxy.verifies and proxy.verdicts.drifted:
        raise DriftError(proxy.verdicts.story(proxy.drifts))
    if unplayed := proxy.unplayed:
        raise UnplayedError("\n".join(each.explain() for each in unplayed))
    if proxy.verifies and (silent := proxy.verdicts.unreachable):
        raise UnreachableError(proxy.verdicts.story(silent))
