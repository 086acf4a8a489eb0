"""YAML is data: no object is made, no bomb goes off, what parsers refuse is read all the same."""

from __future__ import annotations

import time

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.yaml_data import DEEPEST, Plain, load, typed


def loaded(text: str | bytes, remarks: Remarks | None = None) -> object:
    """Return the document."""
    return load(
        text if isinstance(text, bytes) else text.encode(),
        Remarks() if remarks is None else remarks,
    )


def test_plain_scalars_stay_the_text_that_they_are() -> None:
    """A header value 0123 is not the number 83, and only nothing is None."""
    assert loaded("[0123, yes, 1e3, 2011-11-01, 'x', ~, null, ]") == [
        "0123", "yes", "1e3", "2011-11-01", "x", None, None,
    ]  # fmt: skip


def test_documents_stored_as_yaml_get_their_types_back() -> None:
    """`typed` gives the numbers and booleans of YAML 1.1, and leaves quoted text alone."""
    assert typed(loaded("{a: 1, b: 1.5, c: true, d: '1', e: [~, text], f: 2011-11-01}")) == {
        "a": 1, "b": 1.5, "c": True, "d": "1", "e": [None, "text"], "f": "2011-11-01",
    }  # fmt: skip


@pytest.mark.parametrize("tag", ["!!binary", "!binary"])
def test_base64_scalars_are_bytes(tag: str) -> None:
    """In the spelling of Python and of Ruby, line breaks and all."""
    assert loaded(f"{tag} |\n  /wD/\n  AA==\n") == b"\xff\x00\xff\x00"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!python/unicode 'x'", "x"),
        ("!!python/str 'x'", "x"),
        ("! 'x'", "x"),
        ("!!str 12", "12"),
        ("!!python/tuple [a, b]", ["a", "b"]),
        ("!!set {a: null, b: null}", ["a", "b"]),
        (
            "!!python/object/new:_io.BytesIO\nstate: !!python/tuple [!!binary AAE=, 0, null]",
            b"\0\1",
        ),
        ("!!python/object/apply:builtins.iter\n- [!!binary YQ==, !!binary Yg==]", b"ab"),
        ("!!python/object/apply:builtins.iter\nargs: [!!binary YWI=]\nstate: 2", b"ab"),
        ('!!python/object/apply:_codecs.encode ["\\xe9", latin1]', b"\xe9"),
        ("!!python/object/apply:multidict._multidict.istr [Accept]", "Accept"),
        ("!!python/object/apply:http.HTTPStatus [200]", "200"),
        (
            "!!python/object/apply:__builtin__.frozenset\n- - !!python/tuple [a, b]\n"
            "  - !!python/tuple [c, d]",
            [["a", "b"], ["c", "d"]],
        ),
        (
            "!!python/object/apply:collections.OrderedDict\n- - - a\n    - b\n  - - c\n    - d",
            {"a": ["b"], "c": ["d"]},
        ),
        (
            "!!python/object/new:requests.structures.CaseInsensitiveDict\nstate:\n  _store:\n"
            "    accept: !!python/tuple [Accept, '*/*']",
            {"Accept": ["*/*"]},
        ),
        (
            "!!python/object/new:yarl.URL\nstate: !!python/tuple\n"
            "- !!python/tuple [https, h, /p, q=1, '']",
            "https://h/p?q=1",
        ),
        (
            "!ruby/hash-with-ivars:Parameters\nelements: {a: b}\nivars: {}",
            {"a": "b"},
        ),
        ("!ruby/array:Hashie::Array\ninternal: [a]\nivars: {}", ["a"]),
        ("!ruby/string:SafeBuffer\nstr: a", "a"),
        ("!ruby/hash:HashWithIndifferentAccess {a: b}", {"a": "b"}),
        ("!!python/object/apply:builtins.bytearray ['a\xff', latin-1]", b"a\xff"),
        ("!!python/object/apply:collections.deque\nlistitems: [!!binary YQ==]", [b"a"]),
        (
            "!!python/object:httpx.Headers\n_list:\n"
            "- !!python/tuple [!!binary QQ==, !!binary YQ==, !!binary MQ==]\n"
            "- !!python/tuple [!!binary QQ==, !!binary YQ==, !!binary Mg==]",
            {"A": [b"1", b"2"]},
        ),
        (
            "!!python/object:urllib3._collections.HTTPHeaderDict\n_container:\n"
            "  a: [A, '1', '2']\n  b: [B, '3']",
            {"A": ["1", "2"], "B": ["3"]},
        ),
        ("!!python/object:http.client.HTTPMessage {_headers: [[A, b]]}", {"A": ["b"]}),
        (
            "!!python/object:vcr.request.Request {_uri: u, _headers: {}, _body: ~, method: GET}",
            {"uri": "u", "headers": {}, "body": None, "method": "GET"},
        ),
        ("!!python/object:httpx.URL {url: 'https://h/'}", "https://h/"),
        (
            "!!python/object/apply:httpx._urlparse.ParseResult [https, '', h, 81, /p, q, ~]",
            "https://h:81/p?q",
        ),
    ],
)
def test_objects_are_the_data_in_them(text: str, value: object) -> None:
    """Of each type that recordings are known to have."""
    remarks = Remarks()
    assert loaded(text, remarks) == value
    assert not remarks


def test_objects_may_be_keys() -> None:
    """multidict's names are; VCR.py itself refuses such a file."""
    text = "? !!python/object/apply:multidict._multidict.istr\n- Accept\n: ['*/*']\n"
    assert loaded(text) == {"Accept": ["*/*"]}


@pytest.mark.parametrize(
    "call",
    [
        "!!python/object/apply:os.system ['touch {path}']",
        "!!python/object/new:subprocess.Popen [['touch', '{path}']]",
        "!!python/name:os.system x",
        "!!python/module:antigravity x",
        "!ruby/object:Gem::Installer\ni: x",
    ],
)
def test_nothing_is_ever_constructed(call: str, tmp_path: object) -> None:
    """A tag is looked up in a table, never imported or called."""
    path = f"{tmp_path}/touched"
    assert loaded(call.format(path=path)) is not None
    assert not __import__("os").path.exists(path)


def test_an_unknown_type_is_remarked() -> None:
    """The data in it is read."""
    remarks = Remarks()
    assert loaded("!!python/object:some.Thing {a: b}", remarks) == {"a": "b"}
    assert remarks.counts[Remark.TAG] == 1


def test_aliases_stand_for_what_they_name() -> None:
    """PyYAML writes them where the same list occurs twice; merges work too."""
    assert loaded("a: &x [1]\nb: *x\n") == {"a": ["1"], "b": ["1"]}
    assert loaded("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n") == {
        "a": {"k": "1", "l": "2"},
        "b": {"k": "1", "l": "3"},
    }


def test_a_billion_laughs_are_not_laughed() -> None:
    """What aliases expand to is counted before anybody walks through it."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    begun = time.process_time()
    with pytest.raises(CassetteError, match="expand"):
        loaded("\n".join(lines))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("&a [*a]", "contains itself"),
        ("[*nowhere]", "does not exist|undefined alias"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "levels deep"),
        ("[" * 100_000, "levels deep"),
        ("{a: [}", "not YAML"),
        ("a: b: c", "not YAML"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    """In a CassetteError, soon, whatever the depth."""
    with pytest.raises(CassetteError, match=why):
        loaded(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"a: 'x\x7fy\x01'", {"a": "x\x7fy\x01"}),
        (b'a: "\\ud83d\\ude00"', {"a": "\U0001f600"}),
        (b"a: 'caf\xe9'", {"a": "café"}),
        ("\ufeffa: b".encode(), {"a": "b"}),
        ("a: b".encode("utf-16"), {"a": "b"}),
    ],
)
def test_what_parsers_refuse_is_read_all_the_same(text: bytes, value: object) -> None:
    """Control characters, escaped surrogates, bytes that are not UTF-8, byte order marks."""
    assert loaded(text) == value


def test_the_first_document_counts() -> None:
    """That there are others is remarked."""
    remarks = Remarks()
    assert loaded("---\na: 1\n---\nb: 2\n", remarks) == {"a": "1"}
    assert remarks.counts[Remark.DOCUMENTS] == 1


def test_plain_text_is_text() -> None:
    """It can be used wherever text can."""
    value = Plain("1")
    assert isinstance(value, str)
    assert value == "1"
