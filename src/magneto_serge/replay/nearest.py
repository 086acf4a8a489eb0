"""Which recordings are nearest to a request that has none; quick among a hundred thousand.

Near means: the most parts in common, weighted so that another body beats another query, another
query another method, that another path, and another host comes last and is no help at all. The
exact distance is some microseconds of work, so it is computed for a thousand candidates or so, and
of those only as far as it takes to see that others are nearer. Candidates are found by searching
texts in which hosts and targets stand, line by line: the same target, the same path, the same
folder, the same end; no look at each recording is taken for that. Where even one target has too
many bodies, what differs in one place shares its first half or its second with what was asked.

The texts are made by the first miss, a block of recordings at a time, and only as far as something
is still looked for: to wait for the memory in which a hundred thousand recordings lie is what takes
the time. So each of them is visited once, and nothing is made for each that lasts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice, repeat, tee
from operator import ne
from typing import Literal

from magneto_serge.messages import Body, Request
from magneto_serge.replay.shelf import Recording

FEW = 1_000  # candidates of one kind whose distance is computed: some 2 ms
_FEW_BODIES = 200  # bodies take longer to compare
_BLOCK = 1_000  # recordings whose targets make one text
_LOOKED_THROUGH = 1_000_000  # bytes of bodies that are copied into one text
UNRELATED = 40  # a distance at which a recording is no help any more

_HOST, _PATH, _ORIGIN, _METHOD, _QUERY, _BODY = 40, 20, 15, 15, 5, 1
_MOST = 4  # of what comes on top of these weights for how much differs
_END = 4_096  # bytes at either end of a body that are looked at


Block = tuple[int, str]  # its number from 0, and its text


class Neighbours:
    """Recordings among which the nearest are looked for; their list may grow meanwhile.

    Compared are the requests as `Recording.seen` has them, without their secrets.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings
        self._texts: list[str] = []  # of the first blocks

    def nearest(self, asked: Request, most: int, *, hosts: bool = True) -> list[int]:
        """Return the positions of the nearest recordings, at most ``most``, best first.

        Those that are `UNRELATED` are left out; equally near ones keep their order. ``hosts``:
        whether the host is of any account.
        """
        recordings = self._recordings
        everything = len(recordings) <= FEW
        candidates = range(len(recordings)) if everything else self._candidates(asked, hosts, most)
        best: list[tuple[float, int]] = []
        enough: float = UNRELATED
        for at in sorted(candidates):
            how_far = distance(asked, _compared(recordings[at]), hosts=hosts, enough=enough)
            if how_far < enough:
                insort(best, (how_far, at))
                if len(best) >= most:
                    del best[most:]
                    enough = best[-1][0]
        return [at for _, at in best]

    def _candidates(self, asked: Request, hosts: bool, most: int) -> Sequence[int]:
        start = f"\n{asked.host}\t" if hosts else "\t"
        target = asked.target
        path = target.partition("?")[0]
        # Most of what is looked for begins so: blocks without it are searched once, not four times.
        of_path, again = tee(self._with_any(start + path))
        found = self._some(f"{start}{target}\n", of_path)
        if len(found) >= FEW:
            return self._like_body(asked)
        blocks = list(again)
        if target != path:
            half = (len(path) + len(target)) // 2
            found |= self._some(f"{start}{target[: half + 1]}", blocks)
            found |= self._some(f"{target[half:]}\n")
        found |= self._some(f"{start}{path}?", blocks)
        found |= self._some(f"{start}{path}\n", blocks)
        folder, slash, _ = path.rpartition("/")
        for _ in range(8):
            if len(found) >= most or not slash:
                break
            found |= self._some(f"{start}{folder}/")
            folder, slash, _ = folder.rpartition("/")
        end = path[path.find("/", 1) :]
        if len(found) < FEW and len(end) > 1 and end != path:
            found |= self._some(end)
        return list(found) or range(FEW)

    def _some(self, wanted: str, blocks: Iterable[Block] | None = None) -> dict[int, None]:
        """Return the positions of the first recordings in whose lines ``wanted`` is."""
        found = _with(wanted, self._all_texts() if blocks is None else blocks)
        return dict.fromkeys(islice(found, FEW))

    def _with_any(self, wanted: str) -> Iterator[Block]:
        """Yield the blocks that have it at all."""
        return (block for block in self._all_texts() if wanted in block[1])

    def _all_texts(self) -> Iterator[Block]:
        """Yield each block's text: a line feed, then ``host TAB target LF`` for each recording."""
        yield from enumerate(self._texts)
        for block, recordings in enumerate(self._blocks(len(self._texts)), len(self._texts)):
            lines = [
                f"{request.host}\t{request.target}"
                for each in recordings
                for request in (each.seen.neutral if each.seen else each.interaction.request,)
            ]
            text = "\n".join(("", *lines, ""))
            if text.count("\n") > len(lines) + 1:  # no wire carries such a target, but files can
                text = "\n".join(("", *(each.replace("\n", " ") for each in lines), ""))
            if len(lines) == _BLOCK:  # the last one may grow
                self._texts.append(text)
            yield block, text

    def _blocks(self, first: int = 0) -> Iterator[Sequence[Recording]]:
        for start in range(first * _BLOCK, len(self._recordings), _BLOCK):
            yield self._recordings[start : start + _BLOCK]

    def _like_body(self, asked: Request) -> list[int]:
        recordings, target = self._recordings, asked.target
        near = [at for at in self._halves(asked.body) if _compared(recordings[at]).target == target]
        every = (at for at, each in enumerate(recordings) if _compared(each).target == target)
        return near or list(islice(every, _FEW_BODIES))

    def _halves(self, body: Body) -> set[int]:
        """Return the positions of the first bodies that begin, or end, with half of this one."""
        if type(body) is not bytes or not body:
            return set()
        first, second = body[: len(body) // 2], body[len(body) // 2 :]
        begin: list[int] = []
        end: list[int] = []
        for block, recordings in enumerate(self._blocks()):
            bodies = [
                (each.seen.neutral if each.seen else each.interaction.request).body
                for each in recordings
            ]
            wanted = [part for part, at in ((first, begin), (second, end)) if len(at) < _FEW_BODIES]
            if not wanted:
                break
            if _has_none(bodies, wanted):
                continue
            held = [each if type(each) is bytes else b"" for each in bodies]
            at = range(block * _BLOCK, block * _BLOCK + len(held))
            begin += compress(at, map(bytes.startswith, held, repeat(first)))
            end += compress(at, map(bytes.endswith, held, repeat(second)))
        return {*begin[:_FEW_BODIES], *end[:_FEW_BODIES]}


def _with(wanted: str, blocks: Iterable[Block]) -> Iterator[int]:
    """Yield the positions of the recordings in whose lines ``wanted`` is, its "\n" included."""
    for block, text in blocks:
        line, counted, at = block * _BLOCK - 1, 0, text.find(wanted)
        while at >= 0:
            line += text.count("\n", counted, at + 1)
            yield line
            counted = at + 1
            # The next line begins with the "\n" that this one ends with.
            at = text.find(wanted, text.index("\n", counted))


def _has_none(bodies: list[Body], parts: list[bytes]) -> bool:
    """Tell by one look at all of them that no body holds any of these; False where they are large.

    Most blocks have none, and to ask each body is three times the work.
    """
    try:
        if sum(map(len, bodies)) > _LOOKED_THROUGH:  # type: ignore[arg-type]  # see below
            return False
        text = b"".join(bodies)  # type: ignore[arg-type]  # see below
    except TypeError:  # one is a `FileBody`
        return False
    return not any(part in text for part in parts)


def _compared(recording: Recording) -> Request:
    seen = recording.seen
    return recording.interaction.request if seen is None else seen.neutral


def distance(
    asked: Request, recorded: Request, *, hosts: bool = True, enough: float = float("inf")
) -> float:
    """Return the sum of the weights of what differs; or a part of it that is ``enough`` or more."""
    total = 0.0
    if hosts and asked.host != recorded.host:
        total += _HOST
    if asked.port != recorded.port or asked.scheme != recorded.scheme:
        total += _ORIGIN
    if asked.method != recorded.method:
        total += _METHOD
    if asked.target != recorded.target:
        path, _, query = asked.target.partition("?")
        recorded_path, _, recorded_query = recorded.target.partition("?")
        if path != recorded_path:
            total += _PATH
            if total >= enough:
                return total
            total += 2 * min(5, _segments_apart(path, recorded_path))
        if query != recorded_query:
            if total + _QUERY >= enough:
                return total + _QUERY
            items = set(query.split("&")) ^ set(recorded_query.split("&"))
            total += _QUERY + _MOST * (1 - 1 / (1 + len(items)))
    if asked.body != recorded.body:
        if total + _BODY >= enough:
            return total + _BODY
        total += _BODY + _MOST / 2 * (1 - _alike(asked.body, recorded.body))
    return total


def _segments_apart(one: str, other: str) -> int:
    ones, others = one.split("/"), other.split("/")
    unlike: int = sum(map(ne, ones, others))
    return abs(len(ones) - len(others)) + unlike


def _alike(one: Body, other: Body) -> float:
    """Return how much of two bodies is the same at either end, from 0 to 1."""
    if type(one) is not bytes or type(other) is not bytes or not one or not other:
        return 0.0
    shorter = min(len(one), len(other))
    size = min(shorter, _END)
    start = _common(one[:size], other[:size], "big")
    rest = min(shorter - start, _END)
    end = _common(one[-rest:], other[-rest:], "little") if rest else 0
    return (start + end) / min(max(len(one), len(other)), 2 * _END)


def _common(one: bytes, other: bytes, order: Literal["big", "little"]) -> int:
    """Return how many bytes two texts of one length begin with alike; ``little``: end with.

    Read as numbers, whose highest bytes are the first (or the last), they differ from the highest
    bit on that is not the same.
    """
    unlike = int.from_bytes(one, order) ^ int.from_bytes(other, order)
    return len(one) - (unlike.bit_length() + 7) // 8
