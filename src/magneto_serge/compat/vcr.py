"""VCR.py's interface: ``import vcr`` becomes ``from magneto_serge.compat import vcr``.

What is behind it is ours: a session in one proxy of this process, to which the process is led. So
every client is covered, subprocesses, threads and streams too, and secrets are redacted by default.
What follows from that is different, and documentation says so (``docs/migration.md``):

* Cassettes are ours. ``fixtures/a.yaml`` is read where it is there, once, and is then
  ``fixtures/a.json``; the YAML stays as it was.
* A request that has no recording gets a 502, and the block's end raises
  :class:`CannotOverwriteExistingCassetteException`: the exception cannot come out of the client.
* An option that there is no counterpart for is an error, never passed over.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from magneto_serge.compat.vcr_shapes import (
    Request,
    request_after,
    response_after,
    response_of,
)
from magneto_serge.errors import ConfigError, ReplayMiss
from magneto_serge.messages import Interaction
from magneto_serge.messages import Request as OurRequest
from magneto_serge.replay.matchers import forget_matcher, register_matcher
from magneto_serge.testing.run import OpenSession, shared
from magneto_serge.testing.vcr_marks import mode_named
from magneto_serge.units import count

__all__ = [
    "VCR",
    "CannotOverwriteExistingCassetteException",
    "Cassette",
    "Request",
    "default_vcr",
    "mode",
    "use_cassette",
]


class RecordMode(StrEnum):
    """VCR.py's record modes."""

    ALL = "all"
    ANY = "any"
    NEW_EPISODES = "new_episodes"
    NONE = "none"
    ONCE = "once"


mode = RecordMode
_PATIENCE = 5.0  # seconds to wait for what was recorded last


class CannotOverwriteExistingCassetteException(ReplayMiss):
    """A request had no recording; raised when its block ends, with the explanation."""


_BUILT_IN: dict[str, tuple[str, ...]] = {
    "method": ("method",),
    "uri": ("scheme", "host", "port", "path", "query"),
    "url": ("scheme", "host", "port", "path", "query"),
    "scheme": ("scheme",),
    "host": ("host",),
    "port": ("port",),
    "path": ("path",),
    "query": ("query",),
    "body": ("body",),
    "raw_body": ("raw_body",),
}
_NEEDLESS = frozenset(
    (
        "custom_patches",
        "skip_patchers",
        "decode_compressed_response",
        "filter_nested_post_data_parameters",
    )
)
_DEFAULTS: dict[str, Any] = {
    "path_transformer": None,
    "before_record_request": None,
    "before_record": None,
    "before_record_response": None,
    "filter_query_parameters": (),
    "filter_headers": (),
    "filter_post_data_parameters": (),
    "ignore_hosts": (),
    "ignore_localhost": False,
    "record_mode": RecordMode.ONCE,
    "match_on": ("method", "scheme", "host", "port", "path", "query"),
    "additional_matchers": (),
    "inject_cassette": False,
    "serializer": "yaml",
    "cassette_library_dir": None,
    "func_path_generator": None,
    "record_on_exception": True,
    "drop_unused_requests": False,
    "allow_playback_repeats": False,
}


class VCR:
    """A configuration, as VCR.py has it; each option can be overridden for a cassette.

    Raises ConfigError for an option that has no counterpart here.
    """

    def __init__(self, **options: Any) -> None:
        self.matchers: dict[str, Callable[[Request, Request], Any] | None] = dict.fromkeys(
            _BUILT_IN
        )
        for name, value in (_DEFAULTS | _known(options)).items():
            setattr(self, name, value)

    def use_cassette(self, path: Any = None, **options: Any) -> Any:
        """Return what is both a context manager and a decorator; or decorate at once.

        ``path`` may be left out of a decorator: the cassette is named after the function.
        """
        if path is not None and not isinstance(path, str | os.PathLike):
            return CassetteContext(self, None, {})(path)
        return CassetteContext(self, path, _known(options))

    def register_matcher(self, name: str, matcher: Callable[[Request, Request], Any]) -> None:
        """Make ``matcher(one, other)`` known: it returns False, or raises, where they differ."""
        self.matchers[name] = matcher

    def register_serializer(self, name: str, serializer: object) -> None:
        """Refuse: cassettes are in our formats."""
        raise ConfigError(
            f"serializer {name!r}: cassettes are written in our formats; the setting `format` "
            "chooses one, and hooks (before_record_*) change what is written"
        )

    def register_persister(self, persister: object) -> None:
        """Refuse: cassettes are files, or what fsspec knows."""
        raise ConfigError(
            "persisters have no counterpart: cassette_library_dir may be a URL (docs/remote.md)"
        )

    def test_case(self, predicate: Callable[[str, Any], bool] | None = None) -> type:
        """Return a base class whose subclasses' test methods have cassettes of their own."""
        vcr = self

        class Decorating:
            def __init_subclass__(cls) -> None:
                super().__init_subclass__()
                for name, method in list(vars(cls).items()):
                    if (predicate or _is_test)(name, method):
                        setattr(cls, name, vcr.use_cassette(method))

        return Decorating

    def option(self, name: str, overrides: Mapping[str, Any]) -> Any:
        """Return an option as it holds for a cassette."""
        return overrides.get(name, getattr(self, name))


def _is_test(name: str, method: Any) -> bool:
    return name.startswith("test") and inspect.isfunction(method)


def _known(options: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in options.items():
        if name in _NEEDLESS:
            continue
        if name not in _DEFAULTS:
            raise ConfigError(
                f"VCR.py's option {name} has no counterpart; docs/migration.md says what to do"
            )
        if name == "serializer" and value not in ("yaml", "json"):
            raise ConfigError(f"serializer {value!r}: cassettes are written in our formats")
        if name == "record_mode":
            mode_named(value)
        found[name] = value
    return found


class CassetteContext:
    """``with vcr.use_cassette(path) as cassette``, ``async with``, or a decorator."""

    def __init__(
        self, vcr: VCR, path: str | os.PathLike[str] | None, options: dict[str, Any]
    ) -> None:
        self._vcr = vcr
        self._path = path
        self._options = options
        self._opened: OpenSession | None = None
        self._cassette: Cassette | None = None

    def __call__(self, function: Any) -> Any:
        """Decorate a function, a coroutine function, or a generator function."""

        def fresh() -> CassetteContext:
            path = self._path if self._path is not None else self._generated(function)
            return CassetteContext(self._vcr, path, self._options)

        injected = self._vcr.option("inject_cassette", self._options)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                async with fresh() as cassette:
                    return await function(*((cassette, *args) if injected else args), **kwargs)

            return run_async

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                with fresh() as cassette:
                    return (
                        yield from function(*((cassette, *args) if injected else args), **kwargs)
                    )

            return generate

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with fresh() as cassette:
                return function(*((cassette, *args) if injected else args), **kwargs)

        return run

    def _generated(self, function: Any) -> str:
        generator = self._vcr.option("func_path_generator", self._options)
        if generator is not None:
            return str(generator(function))
        if self._vcr.option("cassette_library_dir", self._options):
            return str(function.__name__)
        return os.path.join(os.path.dirname(inspect.getfile(function)), function.__name__)

    def __enter__(self) -> Cassette:
        if self._path is None:
            raise ConfigError("use_cassette() around a block needs the path of a cassette")
        if self._opened is not None:
            raise ConfigError("this use_cassette() is open already: make another")
        place = Place(self._place())
        place.adopt()
        filters = _Filters(self._vcr, self._options)
        with filters.compared() as match_on:
            settings = self._settings(place, match_on)
            self._opened = opened = shared().open(
                f"vcr {place.given}", place.name, (), settings, in_context=True
            )
        filters.register(opened)
        self._cassette = Cassette(opened, place, self._vcr.option("record_mode", self._options))
        opened.session.before_record(self._cassette.note)
        return self._cassette

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        cassette, self._cassette = self._cassette, None
        if opened is None or cassette is None:
            raise ConfigError("use_cassette() was left without having been entered")
        keeps = error is None or self._vcr.option("record_on_exception", self._options)
        cassette.close(
            opened, save=keeps, drop=self._vcr.option("drop_unused_requests", self._options)
        )
        if error is None and opened.session.misses:
            missed = count(len(opened.session.misses), "request")
            raise CannotOverwriteExistingCassetteException(
                f"{missed} had no recording:\n{opened.explain()}"
            )

    async def __aenter__(self) -> Cassette:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _place(self) -> Path:
        path = os.fspath(self._path or "")
        transform = self._vcr.option("path_transformer", self._options)
        library = self._vcr.option("cassette_library_dir", self._options)
        if library and not path.startswith(os.fspath(library)):
            path = os.path.join(os.fspath(library), path)
        return Path(transform(path) if transform else path)

    def _settings(self, place: Place, match_on: list[str]) -> dict[str, Any]:
        def option(name: str) -> Any:
            return self._vcr.option(name, self._options)

        return {
            "mode": mode_named(option("record_mode")),
            "cassette_dir": place.folder,
            "match_on": match_on,
            "match_credentials": "ignore",
            "repeats": "last" if option("allow_playback_repeats") else "refuse",
            "ignore_hosts": [host for host in option("ignore_hosts") if isinstance(host, str)],
            "ignore_localhost": bool(option("ignore_localhost")),
            "redact_headers": _names(option("filter_headers")),
            "redact_query": _names(option("filter_query_parameters")),
            "redact_fields": _names(option("filter_post_data_parameters")),
        }


def _names(filters: Iterable[Any]) -> list[str]:
    return [each if isinstance(each, str) else each[0] for each in filters]


class Place:
    """Where a cassette is: VCR.py's file, and ours beside it."""

    def __init__(self, given: Path) -> None:
        self.given = given
        self.folder = given.parent.absolute()
        name = given.name
        for ending in (".yaml", ".yml", ".json"):
            name = name.removesuffix(ending)
        self.name = name
        self._theirs = [given] if given.suffix else []
        self._theirs += [given.with_name(given.name + ending) for ending in (".yaml", ".yml")]
        if given.suffix == ".json" and _is_vcr_json(given):
            self.name = f"{name}.vcr"

    def adopt(self) -> None:
        """Read VCR.py's cassette where it is there and ours is not yet."""
        from magneto_serge.config import load_settings
        from magneto_serge.replay.secrets.redactor import Redactor, without_proxy_fields
        from magneto_serge.replay.secrets.rules import SecretRules
        from magneto_serge.storage.store import CassetteStore

        theirs = next((path for path in self._theirs if path.is_file()), None)
        store = CassetteStore(self.folder)
        if theirs is None or theirs == store.path(self.name) or store.exists(self.name):
            return
        from magneto_serge.interop.kinds import read
        from magneto_serge.interop.remarks import Remarks

        settings = load_settings({})
        redact = without_proxy_fields
        if settings.redact:
            redact = Redactor(SecretRules.of(settings)).redact
        store.save(self.name, [redact(each) for each in read(theirs, Remarks(), "vcrpy")])


def _is_vcr_json(path: Path) -> bool:
    """Whether a file is VCR.py's JSON: ours says its version as text."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return False
    return isinstance(document, dict) and not isinstance(document.get("version"), str)


class _Filters:
    """What callables of the user's do to requests and responses, and how requests compare."""

    def __init__(self, vcr: VCR, options: Mapping[str, Any]) -> None:
        self._vcr = vcr
        before = vcr.option("before_record_request", options) or vcr.option(
            "before_record", options
        )
        self._on_request = _callables(before)
        self._on_response = _callables(vcr.option("before_record_response", options))
        # VCR.py 9: a text is a host's name, a compiled pattern matches whole names.
        self._ignored = [
            each for each in vcr.option("ignore_hosts", options) if isinstance(each, re.Pattern)
        ]
        self._match_on = (
            *vcr.option("match_on", options),
            *vcr.option("additional_matchers", options),
        )

    @contextmanager
    def compared(self) -> Iterator[list[str]]:
        """Give the setting ``match_on``; what ours cannot say is a matcher for that long."""
        theirs = [name for name in self._match_on if self._matcher(name) is not None]
        if not theirs and not self._on_request and "headers" not in self._match_on:
            found: list[str] = []
            for name in self._match_on:
                found += [each for each in _BUILT_IN[name] if each not in found]
            yield found
            return
        name = f"vcr-{id(self):x}"
        register_matcher(name, predicate=self._equal)
        try:
            yield [name]
        finally:
            forget_matcher(name)

    def _matcher(self, name: str) -> Callable[[Request, Request], Any] | None:
        if name == "headers":
            return None
        if name not in self._vcr.matchers:
            known = ", ".join(sorted({*self._vcr.matchers, "headers"}))
            raise ConfigError(f"match_on: there is no matcher {name!r}; there are {known}")
        return self._vcr.matchers[name]

    def _equal(self, asked: OurRequest, recorded: OurRequest) -> bool:
        one, other = self.request(asked), Request.of(recorded)
        return one is not None and all(self._holds(name, one, other) for name in self._match_on)

    def _holds(self, name: str, one: Request, other: Request) -> bool:
        matcher = self._matcher(name)
        if matcher is not None:
            try:
                verdict = matcher(one, other)
            except AssertionError:
                return False
            return verdict is None or bool(verdict)
        if name in ("uri", "url"):
            return one.uri == other.uri
        if name == "raw_body":
            name = "body"
        return bool(getattr(one, name) == getattr(other, name))

    def request(self, request: OurRequest) -> Request | None:
        """Return a request as the callables leave it; None: it is not to be recorded."""
        seen: Request | None = Request.of(request)
        for function in self._on_request:
            seen = function(seen)
            if seen is None:
                return None
        return seen

    def register(self, opened: OpenSession) -> None:
        """Have the session filter what it records."""
        if self._on_request or self._ignored:
            opened.session.replay.left_alone = self._leaves_alone
        if self._on_request or self._on_response:
            opened.session.before_record(self._filtered)

    def _leaves_alone(self, request: OurRequest) -> bool:
        """Whether a request is not ours: its host is ignored, or a callable says so."""
        if any(pattern.fullmatch(request.host) for pattern in self._ignored):
            return True
        return bool(self._on_request) and self.request(request) is None

    def _filtered(self, interaction: Interaction) -> Interaction | None:
        seen = self.request(interaction.request)
        if seen is None:
            return None
        request = request_after(interaction.request, seen)
        response = interaction.response
        if response is not None and self._on_response:
            told: dict[str, Any] | None = response_of(response)
            for function in self._on_response:
                told = function(told)
                if told is None:
                    return None
            response = response_after(response, told or {})
        return msgspec.structs.replace(interaction, request=request, response=response)


def _callables(value: Any) -> tuple[Callable[[Any], Any], ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, Iterable) else (value,)


class Cassette:
    """A cassette in use, as VCR.py shows it."""

    def __init__(self, opened: OpenSession, place: Place, record_mode: Any) -> None:
        self._session = opened.session
        self._place = place
        self._recorded: list[Interaction] = []
        self._noted = threading.Condition()
        self.record_mode = record_mode
        self.write_protected = record_mode in (RecordMode.NONE, "none")

    @property
    def path(self) -> str:
        """VCR.py's path, as it was given."""
        return str(self._place.given)

    @property
    def play_counts(self) -> Counter[int]:
        """How often each interaction was played, by its number from 0; those that were."""
        counts = enumerate(self._session.play_counts)
        return Counter({number: count for number, count in counts if count})

    @property
    def play_count(self) -> int:
        """How many answers came from the cassette."""
        return self._session.replayed

    @property
    def all_played(self) -> bool:
        """Whether every interaction was played."""
        return self._session.all_played

    @property
    def dirty(self) -> bool:
        """Whether anything was recorded."""
        return self._session.recorded > 0

    def rewind(self) -> None:
        """Start over: forget what was played."""
        self._session.rewind()

    @property
    def requests(self) -> list[Request]:
        """The requests of the cassette, and those that were recorded since it was opened."""
        return [Request.of(each.request) for each in self._interactions()]

    @property
    def responses(self) -> list[dict[str, Any]]:
        """The responses, likewise."""
        responses = (each.response for each in self._interactions())
        return [response_of(each) for each in responses if each is not None]

    def __len__(self) -> int:
        return len(self._session.play_counts) + self._session.recorded

    def note(self, interaction: Interaction) -> Interaction:
        """Keep what is recorded; a hook, called by the recorder's thread."""
        with self._noted:
            self._recorded.append(interaction)
            self._noted.notify_all()
        return interaction

    def _interactions(self) -> list[Interaction]:
        """Return everything; what was recorded last may still be on its way to the recorder."""
        with self._noted:
            self._noted.wait_for(lambda: len(self._recorded) >= self._session.recorded, _PATIENCE)
            return [*self._session.stored_interactions(), *self._recorded]

    def close(self, opened: OpenSession, *, save: bool, drop: bool) -> None:
        """End the session; ``drop`` what was not played from the cassette."""
        counts = opened.session.play_counts
        recorded = opened.session.recorded
        path = opened.close(outcome="passed" if save else "failed", save=save)
        if drop and save and counts and not all(counts):
            from magneto_serge.storage.store import CassetteStore

            store = CassetteStore(self._place.folder)
            kept = [
                each
                for number, each in enumerate(store.load(self._place.name))
                if number >= len(counts) or counts[number]
            ]
            if kept or recorded or path:
                store.save(self._place.name, kept)


default_vcr = VCR()
use_cassette = default_vcr.use_cassette
