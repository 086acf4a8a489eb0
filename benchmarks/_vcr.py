"""The same interactions as a VCR.py cassette: YAML, written and read by VCR.py itself.

Reading goes through ``Cassette.load``, as its users' tests do, with libYAML. VCR.py is of the
development dependencies; it is imported when something is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks._programs import BenchmarkError
from magneto_serge import Headers, Interaction


def version() -> str:
    """Return VCR.py's version; raises BenchmarkError where it, or libYAML, is absent."""
    try:
        import vcr
        import yaml
    except ImportError as error:
        raise BenchmarkError(f"no comparison with VCR.py: {error}") from error
    if not yaml.__with_libyaml__:
        raise BenchmarkError("no comparison with VCR.py: PyYAML has no libYAML here")
    return str(vcr.__version__)


def write(path: Path, interactions: Iterable[Interaction]) -> None:
    """Write a YAML cassette; each interaction has a response, and bodies in memory."""
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.request import Request
    from vcr.serializers import yamlserializer

    requests, responses = [], []
    for each in interactions:
        asked, answered = each.request, each.response
        assert answered is not None
        requests.append(Request(asked.method, asked.url, asked.body, _lists(asked.headers)))
        responses.append(
            {
                "status": {"code": answered.status, "message": answered.reason},
                "headers": _lists(answered.headers),
                "body": {"string": answered.body},
            }
        )
    said = {"requests": requests, "responses": responses}
    FilesystemPersister.save_cassette(path, said, yamlserializer)


def read(path: Path) -> int:
    """Read a cassette and return how many interactions it has."""
    from vcr.cassette import Cassette
    from vcr.serializers import yamlserializer

    return len(Cassette.load(path=str(path), serializer=yamlserializer).data)


def _lists(headers: Headers) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name, []).append(value)
    return lists
