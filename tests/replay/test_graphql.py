"""GraphQL requests: which are the same operation."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Headers
from magneto_serge.replay.graphql import graphql_key, normalised

JSON = Headers.of(("Content-Type", "application/json"))


def posted(**asked: object) -> object:
    """Return the key of a POSTed operation."""
    return graphql_key(JSON, "/graphql", json.dumps(asked).encode())


QUERY = 'query A($n: Int) { a(b: "x, # y") { c } }'


@pytest.mark.parametrize(
    "query",
    [
        'query A($n:Int){a(b:"x, # y"){c}}',
        'query A ( $n : Int , ) # comment, "quoted\n{ a ( b : "x, # y" ) { c , } }',
        '\ufeffquery\tA($n: Int) {\r\n a(b: "x, # y") { c } }\n',
    ],
)
def test_what_stands_between_tokens_means_nothing(query: str) -> None:
    """White space, commas and comments."""
    assert normalised(query) == normalised(QUERY)


@pytest.mark.parametrize(
    "query",
    [
        QUERY.replace("x, # y", "x,# y"),
        QUERY.replace("c", "cc"),
        QUERY.replace("Int", "Int!"),
        QUERY.replace('"x, # y"', '"""x, # y"""'),
    ],
)
def test_other_documents_differ(query: str) -> None:
    """Strings are left as they are."""
    assert normalised(query) != normalised(QUERY)


def test_name_query_and_variables_are_compared() -> None:
    """Each of them, and variables by value."""
    key = posted(operationName="A", query=QUERY, variables={"n": 1, "m": 2})
    assert key == posted(variables={"m": 2, "n": 1}, query=f" {QUERY} ", operationName="A")
    assert key != posted(operationName="B", query=QUERY, variables={"n": 1, "m": 2})
    assert key != posted(operationName="A", query=QUERY, variables={"n": 2, "m": 2})
    assert posted(query=QUERY) == posted(query=QUERY, variables={}, operationName=None)


def test_an_operation_in_a_query_is_the_same() -> None:
    """A GET asks for what a POST asks for."""
    variables = quote('{ "n": 1 }')
    target = f"/graphql?query={quote(QUERY)}&variables={variables}"
    assert graphql_key(Headers(), target, b"") == posted(query=QUERY, variables={"n": 1})


def test_a_document_as_a_body() -> None:
    """`application/graphql` is the document itself."""
    headers = Headers.of(("Content-Type", "application/graphql; charset=utf-8"))
    assert graphql_key(headers, "/", QUERY.encode()) == posted(query=QUERY)


def test_batches_and_persisted_queries() -> None:
    """A list of operations, in its order; a hash in the place of the document."""
    batch = json.dumps([{"query": "{a}"}, {"query": "{b}"}]).encode()
    spaced = json.dumps([{"query": "{ a }"}, {"query": "{ b }"}]).encode()
    assert graphql_key(JSON, "/", batch) == graphql_key(JSON, "/", spaced)
    hashes = [{"persistedQuery": {"sha256Hash": each}} for each in ("1", "2")]
    assert posted(extensions=hashes[0]) == posted(extensions=hashes[0])
    assert posted(extensions=hashes[0]) != posted(extensions=hashes[1])


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"[1]", b"{}", b'{"query":1}', b'"query"'])
def test_what_is_no_operation(body: bytes) -> None:
    """It is compared otherwise."""
    assert graphql_key(JSON, "/", body) is None


@given(st.text('"\\#\n ,{}a.', max_size=60))
def test_no_text_is_too_odd(document: str) -> None:
    """Documents that are none have a normal form as well, and it is stable."""
    once = normalised(document)
    assert normalised(f" {document}\n") == once
