"""A refusal, explained: what was asked, why nothing matched, what is nearest, and what to do.

Two kinds: nothing that was recorded is equal to the request, so that the nearest recordings are
shown, field by field; or something is, and may not be played: all of it was played already, it was
made with credentials that this request lacks, it belongs to other credentials, or a predicate of
the user's says no. No text here holds a secret: requests are shown as they are compared, without.
"""

from __future__ import annotations

from functools import cache

import msgspec

from magneto_serge.errors import CassetteError, MagnetoError, MatcherError
from magneto_serge.messages import Headers, Request, field_text
from magneto_serge.replay.differences import Difference, differences
from magneto_serge.replay.masking import mask_field, mask_query
from magneto_serge.replay.remedies import in_words, options_for, recording
from magneto_serge.replay.shelf import Recording
from magneto_serge.replay.shelves import Scanner, Shelves
from magneto_serge.units import count

_SHOWN = 3


class Nearest(msgspec.Struct, frozen=True):
    """A recording close to what was asked: its number in the cassette, and the differences.

    ``played`` counts how often it was replayed; ``remedy`` holds the options under which it would
    match, empty where there are no sensible ones.
    """

    number: int
    method: str
    url: str
    differences: tuple[Difference, ...]
    played: int = 0
    remedy: str = ""

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        times = {0: "not played yet", 1: "played once"}.get(
            self.played, f"played {self.played} times"
        )
        lines = [f"nearest: #{self.number} {self.method} {self.url} ({times})"]
        for difference in self.differences:
            what = f"asked {difference.asked}, recorded {difference.recorded}"
            lines.append(f"  {difference.field}: {what}")
            lines += [f"    {line}" for line in difference.diff]
        if self.remedy:
            lines.append(f"  to match it: {self.remedy}")
        return lines


class Miss(msgspec.Struct, frozen=True):
    """A request that replay refused; `request` is without its body, and without its secrets.

    ``reason`` is one sentence; ``nearest`` holds up to three recordings, best first; ``remedy``
    says what to do next.
    """

    method: str
    url: str
    reason: str
    remedy: str
    nearest: tuple[Nearest, ...] = ()
    request: Request | None = None

    def explain(self) -> str:
        """Return the whole story as several lines of text."""
        lines = [self.reason]
        for near in self.nearest:
            lines += near.lines()
        lines.append(self.remedy)
        return "\n".join((f"{self.method} {self.url}", *(f"  {line}" for line in lines)))


def find_miss(
    request: Request, cassette: Shelves | None, name: str | None, *, strict: bool = False
) -> Miss:
    """Explain why nothing in ``cassette`` (called ``name``) is played for ``request``.

    ``strict``: the mode is, in which each recording is played once.
    """
    if cassette is None or name is None:
        return _miss(
            request,
            "No cassette is in use, so there is nothing to replay and nowhere to record.",
            "Name one: `magneto record NAME`, or in Python `proxy.start_recording(name)`.",
        )
    try:
        seen, equal = cassette.equals(request)
        if equal:
            objections = [cassette.objection(each, seen) for each in equal]
            return _unsuitable(seen.neutral, cassette, name, equal, objections, strict)
        near = cassette.near(request, _SHOWN)
    except (CassetteError, MatcherError) as error:
        return unreadable(request, error)
    return _miss(
        seen.neutral,
        f"No recording in cassette {name!r} ({count(len(cassette), 'interaction')}) matches.",
        recording(name),
        tuple(_nearest(seen.neutral, each, cassette) for each in near),
        neutral=cassette.looks_for_secrets,
    )


def _nearest(asked: Request, found: Recording, cassette: Shelves) -> Nearest:
    recorded, comparison = cassette.compared(found), cassette.rules.of(asked)
    mine, theirs = _for_the_log(asked, cassette), _for_the_log(recorded, cassette)
    unlike = differences(mine, theirs, comparison) or (_SECRET,)
    options = options_for(unlike, mine.target.partition("?")[0], comparison)
    return Nearest(
        found.number,
        recorded.method,
        masked_url(theirs),
        unlike,
        found.played,
        in_words(options) if options else "",
    )


def _for_the_log(compared: Request, cassette: Shelves) -> Request:
    """Return the request without its secrets, also where they are compared (`redact = off`)."""
    return compared if cassette.looks_for_secrets else without_secrets(compared)


_SECRET = Difference("a secret", "one", "another")


def _unsuitable(
    asked: Request,
    cassette: Shelves,
    name: str,
    equal: list[Recording],
    objections: list[str],
    strict: bool,
) -> Miss:
    """Explain why none of the recordings with an equal key may be played."""
    again = recording(name)
    if "" in objections:
        suitable = [each for each, why in zip(equal, objections, strict=True) if not why]
        times = "it was" if len(suitable) == 1 else f"all {len(suitable)} were"
        why = "strict mode plays each once" if strict else 'repeats = "refuse"'
        how = "replay mode" if strict else 'repeats = "last" (--repeats last)'
        reason = f"It is recorded, but {times} played already: {why}."
        remedy = f"To play it again: {how}. {again}"
        chosen = suitable[-1:]
    elif "credentials" in objections:
        reason = "It was recorded with credentials, and this request has none."
        remedy = (
            'Send some (any will do), or do not compare: match_credentials = "ignore" '
            f"(--match-credentials ignore). {again}"
        )
        chosen = equal[:1]
    elif "another" in objections:
        reason = (
            "It was recorded with other credentials: those of this request stand for other ones"
            " in the cassette since an earlier request."
        )
        remedy, chosen = again, equal[:1]
    else:
        reason = f"It is recorded, but the matcher {objections[0]!r} says that it does not match."
        remedy, chosen = again, equal[:1]
    near = tuple(
        Nearest(
            each.number,
            asked.method,
            masked_url(_for_the_log(cassette.compared(each), cassette)),
            (),
            each.played,
        )
        for each in chosen
    )
    return _miss(asked, reason, remedy, near, neutral=cassette.looks_for_secrets)


def unreadable(request: Request, error: MagnetoError) -> Miss:
    """Explain that what was recorded for ``request`` is damaged, or cannot be compared."""
    if isinstance(error, MatcherError):
        return _miss(request, str(error), "Until then such a request cannot be replayed.")
    return _miss(
        request,
        f"The cassette is damaged. {error}",
        "Until then nothing that the cassette holds for this request can be replayed.",
    )


def _miss(
    request: Request,
    reason: str,
    remedy: str,
    nearest: tuple[Nearest, ...] = (),
    *,
    neutral: bool = False,
) -> Miss:
    """Return a miss; ``neutral``: there is no secret in the request, but in its fields."""
    # Misses are kept by the thousand: their bodies are not.
    bare = msgspec.structs.replace(request, body=b"")
    shown = bare if neutral else without_secrets(bare)
    fields = Headers(
        (name, mask_field(name.decode("latin-1"), field_text(value)).encode())
        for name, value in request.headers.raw
    )
    shown = msgspec.structs.replace(shown, headers=fields)
    return Miss(request.method, masked_url(shown), reason, remedy, nearest, shown)


@cache
def _scanner() -> Scanner:
    from magneto_serge.replay.secrets.rules import SecretRules

    return SecretRules()


def without_secrets(request: Request) -> Request:
    """Return the request with a marker for everything that looks like a secret."""
    return _scanner().scan(request).neutral


def masked_url(request: Request) -> str:
    """Return the request's URL with the secrets in its query masked."""
    return mask_query(request.url)


class Unplayed(msgspec.Struct, frozen=True):
    """What a session did not play: how many of the recordings, and the first of them.

    ``recordings`` holds a line of text for each of the first ten.
    """

    cassette: str
    count: int
    total: int
    recordings: tuple[str, ...]

    def explain(self) -> str:
        """Return the whole story as several lines of text."""
        lines = [
            f"{self.count} of {self.total} recordings of {self.cassette!r} were not played:",
            *(f"  {line}" for line in self.recordings),
        ]
        if (rest := self.count - len(self.recordings)) > 0:
            lines.append(f"  … and {rest} more")
        return "\n".join(lines)


_LISTED = 10


def find_unplayed(cassette: Shelves, name: str, among: int | None = None) -> Unplayed | None:
    """Return what of ``cassette``, or of its first ``among`` recordings, was not played, if any."""
    counts = cassette.play_counts[:among]
    numbers = [number for number, played in enumerate(counts, 1) if not played]
    if not numbers:
        return None
    lines = []
    for number in numbers[:_LISTED]:
        try:
            request = _for_the_log(cassette.compared(cassette.at(number)), cassette)
            lines.append(f"#{number} {request.method} {masked_url(request)}")
        except CassetteError as error:
            lines.append(f"#{number} cannot be read: {error}")
    return Unplayed(name, len(numbers), len(counts), tuple(lines))
