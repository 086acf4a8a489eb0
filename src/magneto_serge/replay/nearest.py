"""Which recordings are nearest to a request that has none; quick among a hundred thousand.

Near means: the most parts in common, weighted so that another body beats another query, another
query another method, that another path, and another host comes last and is no help at all. The
exact distance is some microseconds of work, so it is computed for a thousand candidates or so.
Those are found by searching one text in which all hosts and targets stand, line by line: the same
target, the same path, the same folder, the same end; no look at each recording is taken for that.
Where even one target has too many bodies, what differs in one place shares its first half or its
second with what was asked. What has to look at each recording does so in C, by ``map``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from itertools import accumulate, islice, repeat
from operator import add, attrgetter

from magneto_serge.messages import Body, Request

FEW = 1_000  # candidates of one kind whose distance is computed: some 3 ms
_FEW_BODIES = 200  # bodies take longer to compare
UNRELATED = 40  # a distance at which a recording is no help any more

_HOST, _PATH, _ORIGIN, _METHOD, _QUERY, _BODY = 40, 20, 15, 15, 5, 1
_MOST = 4  # of what comes on top of these weights for how much differs
_END = 4_096  # bytes at either end of a body that are looked at


class Neighbours:
    """Requests among which the nearest are looked for; makes its text when first asked.

    ``hosts``: whether the host is of any account.
    """

    def __init__(self, requests: Sequence[Request], *, hosts: bool = True) -> None:
        self.requests = requests
        self._hosts = hosts
        self._lines: list[str] = []
        self._text = ""
        self._ends: list[int] = []

    def nearest(self, asked: Request, most: int) -> list[int]:
        """Return the positions of the nearest requests, at most ``most``, best first.

        Those that are `UNRELATED` are left out; equally near ones keep their order.
        """
        requests = self.requests
        everything = len(requests) <= FEW
        candidates = range(len(requests)) if everything else self._candidates(asked, most)
        scored = ((distance(asked, requests[at], hosts=self._hosts), at) for at in candidates)
        return [at for how_far, at in nsmallest(most, scored) if how_far < UNRELATED]

    def _candidates(self, asked: Request, most: int) -> Sequence[int]:
        target = asked.host + asked.target if self._hosts else asked.target
        path = target.partition("?")[0]
        if self._all_lines().count(target) >= FEW:
            return self._like_body(asked)
        if not self._ends:
            self._text = "\n".join(("", *self._lines, ""))
            self._ends = list(accumulate(map((1).__add__, map(len, self._lines))))
        found = self._some(f"\n{target}\n")
        if target != path:
            half = (len(path) + len(target)) // 2
            found |= self._some(f"\n{target[: half + 1]}")
            found |= self._some(f"{target[half:]}\n")
        found |= self._some(f"\n{path}?")
        found |= self._some(f"\n{path}\n")
        folder, slash, _ = path.rpartition("/")
        for _ in range(8):
            if len(found) >= most or not slash:
                break
            found |= self._some(f"\n{folder}/")
            folder, slash, _ = folder.rpartition("/")
        own = asked.target.partition("?")[0]
        end = own[own.find("/", 1) :]
        if len(found) < FEW and len(end) > 1 and end != own:
            found |= self._some(end)
        return list(found) or range(FEW)

    def _all_lines(self) -> list[str]:
        if not self._lines:
            targets = map(_target, self.requests)
            self._lines = list(
                map(add, map(_host, self.requests), targets) if self._hosts else targets
            )
        return self._lines

    def _some(self, text: str) -> dict[int, None]:
        return dict.fromkeys(islice(self._with(text), FEW))

    def _with(self, text: str) -> Iterator[int]:
        """Yield the positions of the targets in whose lines ``text`` is, its "\n" included."""
        at = self._text.find(text)
        while at >= 0:
            line = bisect_right(self._ends, at if text[0] == "\n" else at - 1)
            yield line
            # The next line begins with the "\n" that this one ends with.
            at = self._text.find(text, self._ends[line] if line < len(self._ends) else at + 1)

    def _like_body(self, asked: Request) -> list[int]:
        body, target, requests = asked.body, asked.target, self.requests
        found: dict[int, None] = {}
        if type(body) is bytes and body:
            first, second = body[: len(body) // 2], body[len(body) // 2 :]
            bodies = [each if type(each) is bytes else b"" for each in map(_body, requests)]
            for answers in (
                list(map(bytes.startswith, bodies, repeat(first))),
                list(map(bytes.endswith, bodies, repeat(second))),
            ):
                found |= dict.fromkeys(islice(_true(answers), _FEW_BODIES))
        near = [at for at in found if requests[at].target == target]
        every = (at for at, each in enumerate(requests) if each.target == target)
        return near or list(islice(every, _FEW_BODIES))


_body, _host, _target = map(attrgetter, ("body", "host", "target"))


def _true(answers: list[bool]) -> Iterator[int]:
    """Yield where in a list the answer is yes, ascending."""
    at = -1
    try:
        while True:
            at = answers.index(True, at + 1)
            yield at
    except ValueError:
        return


def distance(asked: Request, recorded: Request, *, hosts: bool = True) -> float:
    """Return the sum of the weights of what differs."""
    path, _, query = asked.target.partition("?")
    recorded_path, _, recorded_query = recorded.target.partition("?")
    total = 0.0
    if hosts and asked.host != recorded.host:
        total += _HOST
    if asked.port != recorded.port or asked.scheme != recorded.scheme:
        total += _ORIGIN
    if path != recorded_path:
        total += _PATH + 2 * min(5, _segments_apart(path, recorded_path))
    if asked.method != recorded.method:
        total += _METHOD
    if query != recorded_query:
        items = set(query.split("&")) ^ set(recorded_query.split("&"))
        total += _QUERY + _MOST * (1 - 1 / (1 + len(items)))
    if asked.body != recorded.body:
        total += _BODY + _MOST / 2 * (1 - _alike(asked.body, recorded.body))
    return total


def _segments_apart(one: str, other: str) -> int:
    ones, others = one.split("/"), other.split("/")
    return abs(len(ones) - len(others)) + sum(a != b for a, b in zip(ones, others, strict=False))


def _alike(one: Body, other: Body) -> float:
    """Return how much of two bodies is the same at either end, from 0 to 1."""
    if type(one) is not bytes or type(other) is not bytes or not one or not other:
        return 0.0
    shorter = min(len(one), len(other))
    start = _common(one[:_END], other[:_END])
    rest = min(shorter - start, _END)
    end = _common(one[-rest:][::-1], other[-rest:][::-1]) if rest else 0
    return (start + end) / min(max(len(one), len(other)), 2 * _END)


def _common(one: bytes, other: bytes) -> int:
    """Return the length of what two texts begin with alike, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
