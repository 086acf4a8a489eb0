"""Templates in cassettes of every format, with real clients; and a hostile cassette."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from uuid import UUID

import httpx
import pytest

pytest.importorskip("jinja2")

from magneto_serge import CassetteError, ConfigError, MagnetoProxy, register_template_helper
from magneto_serge.replay import templates as module
from magneto_serge.storage.store import CassetteStore

from .conftest import MakeProxy
from .origin import Origin
from .routes import response
from .shapes import client_of, edit, interactions

ANSWER = response(b'{"id": 1, "name": "x"}', b"Content-Type: application/json", b"X-Request-Id: 7")


@pytest.fixture
def tape(origin: Origin, make_proxy: MakeProxy) -> Path:
    """A cassette with three interactions, the second of which is to be a template."""
    origin.on("/order", ANSWER)
    proxy = make_proxy()
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        client.get(origin.url("/json"))
        client.post(origin.url("/order?page=2"), json={"item": "é"})
        client.get(origin.url("/json?again"))
    path = proxy.stop_recording()
    assert path is not None
    origin.stop()
    return path


def order(client: httpx.Client, origin: Origin) -> httpx.Response:
    """Ask for what the template answers."""
    return client.post(
        origin.url("/order?page=2"), json={"item": "é"}, headers={"X-Request-Id": "asked"}
    )


BODY = (
    '{"id": "{{ uuid() }}", "item": {{ request.json.item|tojson }},'
    ' "page": {{ request.query.page }}, "who": "{{ env(\'WHO\', \'nobody\') }}",'
    ' "at": "{{ now(\'%Y\') }}"}'
)


def make_template(path: Path, body: str = BODY) -> None:
    """Mark the second interaction, as a person does."""
    fields = [
        ["Content-Type", "application/json"],
        ["X-Request-Id", "{{ request.headers['x-request-id'] }}"],
    ]
    edit(path, 2, template=True, response__body=body, response__headers=fields)


@pytest.mark.parametrize("format", ["json", "msgpack", "json.gz", "msgpack.zst"])
def test_rendered_in_every_format(
    origin: Origin, make_proxy: MakeProxy, tape: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A marked interaction is rendered for each request, the others are as recorded."""
    monkeypatch.setenv("WHO", "serge")
    make_template(tape)
    if format != "json":
        CassetteStore(tape.parent, format=format).save("other", interactions(tape))
    proxy = make_proxy(templates=True, template_env=["WHO"])
    proxy.replay("tape" if format == "json" else "other")
    with client_of(proxy) as client:
        first, second = order(client, origin), order(client, origin)
        assert client.get(origin.url("/json")).json() == {"ok": True}
    assert first.headers["X-Request-Id"] == "asked"
    found = first.json()
    assert UUID(found.pop("id")).version == 4
    assert found == {
        "item": "é",
        "page": 2,
        "who": "serge",
        "at": time.strftime("%Y", time.gmtime()),
    }
    assert first.json()["id"] != second.json()["id"]
    assert proxy.stats.replayed == 3


def test_a_large_template(origin: Origin, make_proxy: MakeProxy, tape: Path) -> None:
    """One that replay would send from where it lies in the cassette is rendered as any other."""
    make_template(tape, "{{ request.method }}" + "x" * 100_000)
    CassetteStore(tape.parent, format="msgpack").save("large", interactions(tape))
    proxy = make_proxy(templates=True)
    proxy.replay("large")
    with client_of(proxy) as client:
        assert order(client, origin).text == "POST" + "x" * 100_000


def test_off_unless_asked_for(origin: Origin, make_proxy: MakeProxy, tape: Path) -> None:
    """A cassette is data: without the setting its templates are text."""
    make_template(tape)
    proxy = make_proxy()
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert "{{ uuid() }}" in order(client, origin).text


def test_the_same_in_every_run_with_a_seed(
    origin: Origin, make_proxy: MakeProxy, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is drawn, helpers included, follows from the seed."""
    monkeypatch.setattr(module, "_helpers", {})
    register_template_helper("fake", lambda *, rng: rng.randrange(10**9))
    make_template(tape, "{{ uuid() }} {{ fake() }} {{ now() }}")

    def run(seed: int) -> list[str]:
        proxy = make_proxy(templates=True, template_seed=seed)
        proxy.replay("tape")
        with client_of(proxy) as client:
            return [order(client, origin).text for _ in range(3)]

    assert run(1) == run(1)
    assert len({*run(1), *run(2)}) == 6


def test_mistakes_when_the_cassette_is_opened(make_proxy: MakeProxy, tape: Path) -> None:
    """The error names file, interaction, part and line; nothing is served."""
    make_template(tape, "one\ntwo {{ broken\n")
    proxy = make_proxy(templates=True)
    where = re.escape(f"{tape}: interaction 2, response.body, line ")
    with pytest.raises(CassetteError, match=where):
        proxy.replay("tape")
    make_proxy().replay("tape")


def test_jinja_is_needed_only_with_templates(
    make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is missing, asking for templates says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "magneto_serge.replay.sandbox", None)
    make_proxy()
    with pytest.raises(ConfigError, match=re.escape("magneto-serge[templates]")):
        make_proxy(templates=True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{{ env('HOME') }}", "template_env does not name it"),
        ("{{ request.json.nothing }}", "nothing"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "it "),
        ("{{ 'x' * 10 ** 9 }}", "it makes too much"),
        ("{{ ''.__class__ }}", "unsafe"),
    ],
)
def test_hostile_cassettes(
    origin: Origin, make_proxy: MakeProxy, tape: Path, body: str, says: str
) -> None:
    """A template reaches nothing, ends soon, and fails loudly; the connection goes on."""
    make_template(tape, body)
    proxy = make_proxy(templates=True)
    proxy.replay("tape")
    with client_of(proxy) as client:
        answer = order(client, origin)
        assert answer.status_code == 502
        problem = json.loads(answer.text)
        assert problem["type"].endswith("/template-error")
        assert says in problem["detail"]
        assert client.get(origin.url("/json")).json() == {"ok": True}


def test_hooks_see_what_was_rendered(origin: Origin, make_proxy: MakeProxy, tape: Path) -> None:
    """Templates come first, then hooks, then rewrite rules."""
    make_template(tape, "{{ request.method }}")
    proxy: MagnetoProxy = make_proxy(templates=True, rewrite=["to-client body s/hooked/rewritten/"])
    seen: list[object] = []

    @proxy.before_replay
    def hook(request: object, response: module.Response) -> module.Response:
        seen.append(response.body)
        response.body = b"hooked"
        return response

    proxy.replay("tape")
    with client_of(proxy) as client:
        assert order(client, origin).text == "rewritten"
    assert seen == [b"POST"]
