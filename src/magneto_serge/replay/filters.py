"""What is recorded: conditions on requests and responses, and presets for the usual wishes.

``record_only`` names what is kept, ``record_except`` what is not; the second has the last word.
What is not recorded passes through as if nobody had looked. A filter is asked as early as it can
tell (:meth:`RecordFilter.foresee`), so that the body of a film that nobody wants is not kept first
and thrown away then; the end of the exchange is where it must have an answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers, Interaction, Request
from magneto_serge.replay.conditions import (
    ACCEPTED,
    Known,
    Test,
    all_of,
    any_of,
    conditions,
    criterion,
    essence,
    is_criterion,
    none_of,
    words_of,
)

_MEDIA = (
    "type=image,video,audio,font,application/font-*,application/x-font-*,application/vnd.ms-fontobject",
    "ext=png,jpg,jpeg,gif,webp,avif,svg,ico,bmp,mp3,mp4,m4a,m4s,webm,ogg,wav,mov,avi,mkv,"
    "woff,woff2,ttf,otf,eot",
)
_ANALYTICS = (
    "host=*.google-analytics.com,google-analytics.com,*.analytics.google.com,"
    "*.googletagmanager.com,*.doubleclick.net,*.googlesyndication.com,*.segment.io,"
    "*.segment.com,*.mixpanel.com,*.amplitude.com,*.hotjar.com,*.hotjar.io,*.fullstory.com,"
    "*.heapanalytics.com,*.matomo.cloud,*.plausible.io,plausible.io,*.posthog.com,*.sentry.io,"
    "sentry.io,*.nr-data.net,*.newrelic.com,*.datadoghq.com,*.datadoghq-browser-agent.com,"
    "*.bugsnag.com,*.clarity.ms,bat.bing.com,*.facebook.net,*.branch.io,*.appsflyer.com,"
    "*.adjust.com",
)
_API = frozenset(("json", "xml", "graphql", "msgpack", "x-msgpack", "protobuf", "x-protobuf"))
_API_TYPES = frozenset(
    (
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "application/jsonl",
        "application/grpc",
        "application/grpc-web",
        "text/event-stream",
    )
)


def _speaks_api(headers: Headers) -> bool:
    found = essence(headers)
    main, _, sub = found.partition("/")
    if main in ("image", "text") and found not in ("text/xml", *_API_TYPES):
        return False  # image/svg+xml is a picture
    return found in _API_TYPES or (
        sub != "xhtml+xml" and not _API.isdisjoint((sub, sub.rpartition("+")[2]))
    )


def _api(known: Known) -> bool | None:
    if _speaks_api(known.request.headers):
        return True
    if known.status is None:
        return False if known.complete else None
    return known.status == 101 or _speaks_api(known.headers)  # what speaks a protocol of its own


def _success(known: Known) -> bool | None:
    if known.failed or (known.status is not None and known.status >= 400):
        return False
    return known.status is not None if known.complete else None


def _any_criterion(words: Iterable[str]) -> Test:
    return any_of([criterion(word) for word in words])


PRESETS: dict[str, Test] = {
    "no-media": none_of(_any_criterion(_MEDIA)),
    "no-analytics": none_of(_any_criterion(_ANALYTICS)),
    "api-only": _api,
    "success-only": _success,
}


class RecordFilter:
    """Which exchanges are recorded; from :func:`record_filter`."""

    __slots__ = ("_test",)

    def __init__(self, test: Test) -> None:
        self._test = test

    def foresee(
        self, request: Request, status: int | None = None, headers: Headers | None = None
    ) -> bool:
        """Tell whether the exchange might be kept, from the request, and the response's head."""
        known = Known(request) if headers is None else Known(request, status, headers)
        return self._test(known) is not False

    def keeps(self, interaction: Interaction) -> bool:
        """Tell whether a complete exchange is kept."""
        return self._test(Known.of(interaction)) is True


def record_filter(
    only: Iterable[str], but: Iterable[str] = (), combine: str = "all"
) -> RecordFilter | None:
    """Return the filter of the settings ``record_only``, ``record_except`` and ``record_combine``.

    None where nothing is filtered. Raises ConfigError naming the setting and the condition.
    """
    wanted = [_read("record_only", text) for text in only]
    unwanted = [_read("record_except", text) for text in but]
    tests: list[Test] = []
    if wanted:
        tests.append(all_of(wanted) if combine == "all" else any_of(wanted))
    if unwanted:
        tests.append(none_of(any_of(unwanted)))
    return RecordFilter(all_of(tests)) if tests else None


def _read(setting: str, text: str) -> Test:
    try:
        words = words_of(text)
        presets = [PRESETS[word] for word in words if word in PRESETS]
        criteria = [word for word in words if word not in PRESETS]
        for word in criteria:
            if not is_criterion(word) and "=" not in word:
                raise ConfigError(
                    f"there is no preset {word!r} ({', '.join(PRESETS)}), and it is no criterion:"
                    f" expected {ACCEPTED}"
                )
        if not words:
            raise ConfigError(
                f"it is empty: expected a preset ({', '.join(PRESETS)}), or {ACCEPTED}"
            )
        return all_of([*presets, *([conditions(criteria)] if criteria else [])])
    except ConfigError as error:
        raise ConfigError(f"{setting} {text!r}: {error}") from None
