"""A cassette folder in a real S3 server: recorded on one machine, replayed on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
import pytest
from click.testing import CliRunner

from magneto_serge import MagnetoProxy, Mode
from magneto_serge.cli.main import cli
from magneto_serge.errors import CassetteError

from .origin import Origin
from .tapes import fetch

LARGE = f"/echo?{2000 * 'x'}"  # what is echoed is as long
URL = "s3://cassettes/team/api"
Keys = Callable[[], list[str]]
OnMachine = Callable[[str], None]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """An empty bucket, found and entered by what every AWS library looks at; lists its keys."""
    from s3fs import S3FileSystem

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    store = S3FileSystem()
    store.mkdir("cassettes")

    def keys() -> list[str]:
        store.invalidate_cache()
        return [key.removeprefix("cassettes/") for key in store.find("cassettes")]

    yield keys
    store.invalidate_cache()
    store.rm("cassettes", recursive=True)
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def on_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnMachine:
    """Go to another machine: one with a cache of its own."""

    def go(name: str) -> None:
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / name)

    go("first")
    return go


def proxy_of(data_dir: Path, **settings: object) -> MagnetoProxy:
    """Return a proxy with its cassettes in the bucket."""
    return MagnetoProxy(URL, port=0, data_dir=data_dir, memory_limit=1000, **settings)


def magneto(*arguments: str) -> str:
    """Run the command line on the bucket; return what it printed."""
    result = CliRunner().invoke(cli, [*arguments, "-d", URL])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("format", ["json", "msgpack.zst"])
def test_recorded_here_replayed_there(
    format: str, bucket: Keys, on_machine: OnMachine, origin: Origin, data_dir: Path
) -> None:
    """A cassette with a large body goes through the bucket, and is the same elsewhere."""
    with proxy_of(data_dir, mode=Mode.RECORD, format=format) as proxy:
        proxy.start_recording("tape")
        recorded = fetch(origin.url(LARGE), proxy.url)
        proxy.stop_recording()
    cassette, *bodies = sorted(bucket(), key=len)
    assert cassette == f"team/api/tape.{format}"
    assert len(bodies) == 1
    on_machine("second")
    with proxy_of(data_dir) as proxy:
        proxy.replay("tape")
        assert fetch(origin.url(LARGE), proxy.url) == recorded
        assert (proxy.stats.replayed, proxy.stats.forwarded) == (1, 0)
    with proxy_of(data_dir, mode=Mode.RECORD) as proxy:
        proxy.start_recording("tape")
        fetch(origin.url("/json"), proxy.url)
    assert bucket() == ["team/api/tape.json"]
    on_machine("first")
    assert "/json" in magneto("show", "tape")


def test_the_commands(bucket: Keys, on_machine: OnMachine, origin: Origin, data_dir: Path) -> None:
    """What the commands read and write is in the bucket."""
    with proxy_of(data_dir, mode=Mode.RECORD) as proxy:
        proxy.start_recording("a/tape")
        fetch(origin.url(LARGE), proxy.url)
    on_machine("second")
    assert "a/tape" in magneto("list")
    magneto("validate", "--all")
    magneto("stats", "a/tape")
    magneto("merge", "a/tape", "a/tape", "-o", "b")
    magneto("convert", "a/tape", "--to", "msgpack.gz")
    assert {key for key in bucket() if ".bodies/" not in key} == {
        "team/api/a/tape.msgpack.gz",
        "team/api/b.json",
    }
    on_machine("third")
    magneto("validate", "--all")
    magneto("prune", "--older-than", "0d", "--yes")
    assert bucket() == []


def test_a_bucket_that_does_not_exist(
    bucket: Keys, on_machine: OnMachine, origin: Origin, data_dir: Path
) -> None:
    """What cannot be uploaded is kept, and the error says how to go on; so it goes."""
    proxy = MagnetoProxy("s3://nowhere/api", port=0, data_dir=data_dir, mode=Mode.RECORD).start()
    proxy.start_recording("tape")
    fetch(origin.url("/json"), proxy.url)
    with pytest.raises(CassetteError, match=r"s3://nowhere/api/tape could not be") as raised:
        proxy.stop_recording()
    proxy.stop()
    _, _, command = str(raised.value).partition("To send it: magneto ")
    magneto(*command.split()[:-2])
    assert bucket() == ["team/api/tape.json"]
