"""Rewrite rules as they are written: texts, tables, and what is said of mistakes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers, Interaction, Response
from magneto_serge.replay.rewrite_rules import rewriter

from .telling import asks


def test_no_rules() -> None:
    """Nothing set is nothing to ask."""
    assert rewriter([]) is None


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("to-server set A: b c", {"on": "to-server", "set": {"A": "b c"}}),
        ("to-server add A: b", {"on": "to-server", "add": {"A": "b"}}),
        ("to-server remove A,X-*", {"on": "to-server", "remove": ["A", "X-*"]}),
        ("to-server remove A", {"on": "to-server", "remove": "A"}),
        (
            "to-server host=a.example method=GET map https://b.example",
            {"on": "to-server", "when": "host=a.example method=GET", "map": "https://b.example"},
        ),
        (
            "to-server map b.example keep-host",
            {"on": "to-server", "map": "b.example", "keep-host": True},
        ),
        (
            "to-server path /a /b",
            {"on": "to-server", "path": {"find": "/a", "replace": "/b"}},
        ),
        (
            "to-server path s/a/b/",
            {"on": "to-server", "path": {"find": "a", "replace": "b", "regex": True}},
        ),
        ("to-client status 503", {"on": "to-client", "status": 503}),
        ("to-client type=json body a 'b c'", {"on": "to-client", "when": ["type=json"],
         "body": [{"find": "a", "replace": "b c"}]}),
        ("to-client body s/a/b/", {"on": "to-client", "body": "s/a/b/"}),
        ("to-cassette request set A: b",
         {"on": "to-cassette", "part": "request", "set": {"A": "b"}}),
        ("to-cassette size<9 set A: b", {"on": "to-cassette", "when": "size<9", "set": {"A": "b"}}),
    ],
)  # fmt: skip
def test_text_and_table_are_the_same(text: str, table: dict[str, Any]) -> None:
    """Each action can be written both ways, and means the same."""
    request = asks("/a?x", b"a", url="http://a.example:80", fields=(("A", "1"), ("X-B", "2")))
    response = Response(200, "OK", Headers.of(("Content-Type", "application/json")), b"a")
    said = Interaction(request, response)

    def effect(rule: Any) -> list[Any]:
        found = rewriter([rule])
        assert found is not None
        out = found.outgoing(request)
        return [
            out and (out.request, out.host, [each.apply(b"a") for each in out.body]),
            found.response(request, response),
            found.interaction(said),
        ]

    assert effect(text) == effect(table)
    assert effect(text) != [None, response, said]


def test_several_actions_in_a_table() -> None:
    """A table may set, remove and map at once."""
    found = rewriter(
        [{"on": "to-server", "set": {"A": "1", "B": "2"}, "remove": "C", "map": "b.example"}]
    )
    assert found is not None
    out = found.outgoing(asks(fields=(("C", "3"),)))
    assert out is not None
    assert out.request.headers == Headers.of(("A", "1"), ("B", "2"))
    assert out.request.host == "b.example"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "it begins with ''; expected to-server, to-client, to-cassette"),
        ("to-srver set A: b", "it begins with 'to-srver'"),
        ("to-server", "'' is no criterion and no action; expected set, add"),
        ("to-server hots=a set A: b", "'hots=a' is no criterion and no action"),
        ("to-server host=a,, set A: b", "empty value"),
        ("to-server set A", "expected NAME: VALUE"),
        ("to-server set Content-Length: 3", "cannot be rewritten"),
        ("to-server remove 'a b'", "no name of a header field"),
        ("to-server status 200", "a request has no status"),
        ("to-client status 204", "has no body"),
        ("to-client status 99", "from 200 to 599"),
        ("to-client status many", "from 200 to 599"),
        ("to-client status", "expected status CODE"),
        ("to-client map b.example", "a response has no host"),
        ("to-client path a b", "a response has no host and no path"),
        ("to-cassette map b.example", "say `part = request`"),
        ("to-client request set A: b", "there is only a response on this way"),
        ("to-server map", "expected map PLACE"),
        ("to-server map http://", "expected HOST[:PORT]"),
        ("to-server map ftp://a", "expected HOST[:PORT]"),
        ("to-server map a:99999", "expected HOST[:PORT]"),
        ("to-server map a:b", "expected HOST[:PORT]"),
        ("to-server map http://a/path", "expected HOST[:PORT]"),
        ("to-client body a", "expected body FIND REPLACEMENT, or body s/REGEX/REPLACEMENT/"),
        ("to-client body '' a", "nothing to look for"),
        ("to-client body s/(/x/", "is no regular expression"),
        ("to-client size>3 set A: b", "the size is not known"),
        ("to-server status=200 set A: b", "there is no response yet"),
        ("to-client 'set A: b", "No closing quotation"),
        ({"on": "to-server", "ste": {}}, "there is no key 'ste'; did you mean set?"),
        ({"set": {"A": "b"}}, "on = None: expected to-server"),
        ({"on": "to-server"}, "it does nothing"),
        ({"on": "to-server", "set": ["A"]}, "expected a table of texts"),
        ({"on": "to-server", "set": {"A": 3}}, "expected a table of texts"),
        ({"on": "to-server", "remove": 3}, "expected a list of names"),
        ({"on": "to-client", "status": "200"}, "from 200 to 599"),
        ({"on": "to-client", "body": {"fnid": "a"}}, "expected { find"),
        ({"on": "to-client", "body": {"find": 3}}, "expected { find"),
        ({"on": "to-client", "body": "a"}, "expected s/REGEX/REPLACEMENT/"),
        ({"on": "to-client", "body": 3}, "expected { find"),
        ({"on": "to-server", "map": 3}, "expected HOST[:PORT]"),
        ({"on": "to-cassette", "part": "both", "set": {"A": "b"}}, "expected request or response"),
    ],
)
def test_mistakes(rule: Any, says: str) -> None:
    """A bad rule names the setting and the value, and says what is accepted."""
    with pytest.raises(ConfigError, match=re.escape(f"rewrite {rule!r}: ")) as caught:
        rewriter([rule])
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["a.example", "=b.example", "a.example=", "a.example=http://x/y"])
def test_mistakes_in_map_hosts(text: str) -> None:
    """`HOST=PLACE`, and nothing else."""
    with pytest.raises(ConfigError, match=re.escape(f"map_hosts {text!r}: ")):
        rewriter([], map_hosts=[text])


@pytest.mark.parametrize("text", ["X-A", "to-server: X-A", "to-server: : b", "Connection: close"])
def test_mistakes_in_set_headers(text: str) -> None:
    """`[WAY:] NAME: VALUE`, and nothing else."""
    with pytest.raises(ConfigError, match=re.escape(f"set_headers {text!r}: ")):
        rewriter([], set_headers=[text])
