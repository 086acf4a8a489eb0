"""``use_cassette``: one cassette around a block or a function, as users of VCR.py know it.

It names the proxy in ``os.environ``, which belongs to the whole process: two blocks at once in two
threads would see each other's proxy. Code that needs that takes a :class:`MagnetoProxy` for each
and hands its ``url`` and ``ssl_context()`` to its clients.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from magneto_serge.app import MagnetoProxy
from magneto_serge.config_values import RemoteFolder
from magneto_serge.errors import ProxyError, ReplayMissError
from magneto_serge.replay.modes import Mode

F = TypeVar("F", bound=Callable[..., Any])


class use_cassette:  # noqa: N801  # the name that VCR.py's users know
    """Record or replay everything that a block (or a function) sends, in this process and below.

    A proxy is started on a free port and named in ``os.environ`` for the duration, so clients that
    read their proxy and trust from the environment need no change; child processes inherit it.
    ``with use_cassette("github") as proxy``, ``async with``, or as a decorator of a function or
    coroutine function (each call is a session of its own). ``overrides`` are settings.

    Leaving the block raises ReplayMissError where replay refused a request, even when the code
    inside took the refusal for an answer; an exception of the block's own goes first.
    """

    def __init__(
        self,
        name: str,
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
        self._saved: dict[str, str | None] = {}

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function, or a generator function of either kind."""

        def fresh() -> use_cassette:
            return use_cassette(
                self._name, self._mode, cassette_dir=self._cassette_dir, **self._overrides
            )

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

    def __enter__(self) -> MagnetoProxy:
        proxy = MagnetoProxy(self._cassette_dir, **self._overrides)
        proxy.start()
        try:
            self._take_over(proxy)
        except BaseException:
            proxy.stop()
            raise
        return proxy

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        proxy = self._give_back()
        proxy.__exit__(kind, error, traceback)
        _raise_misses(proxy, error)

    async def __aenter__(self) -> MagnetoProxy:
        proxy = MagnetoProxy(self._cassette_dir, **self._overrides)
        await proxy.__aenter__()
        try:
            self._take_over(proxy)
        except BaseException:
            await proxy.__aexit__(None, None, None)
            raise
        return proxy

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        proxy = self._give_back()
        await proxy.__aexit__(kind, error, traceback)
        _raise_misses(proxy, error)

    def _take_over(self, proxy: MagnetoProxy) -> None:
        proxy.use(self._name, self._mode)
        variables = proxy.env()
        self._proxy = proxy
        self._saved = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def _give_back(self) -> MagnetoProxy:
        proxy, self._proxy = self._proxy, None
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if proxy is None:
            raise ProxyError("use_cassette was left without having been entered")
        return proxy


def _raise_misses(proxy: MagnetoProxy, error: BaseException | None) -> None:
    misses = proxy.misses
    if misses and error is None:
        stories = "\n".join(miss.explain() for miss in misses)
        raise ReplayMissError(f"{len(misses)} request(s) had no recording:\n{stories}")
