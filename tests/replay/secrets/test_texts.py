"""Secrets in texts: JSON, forms, XML, HTML, multipart, URLs, each by its own rule."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.secrets.finds import chosen
from magneto_serge.replay.secrets.likely import likely
from magneto_serge.replay.secrets.names import meaning
from magneto_serge.replay.secrets.placeholders import Look
from magneto_serge.replay.secrets.texts import in_text

RANDOM = b"a1B2c3D4e5F6g7H8"


def secrets(text: bytes) -> list[bytes]:
    """Return the values found in a text, in order."""
    return [find.value for find in chosen(in_text(text, meaning))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"user":"bob","password":"hunter2"}', [b"hunter2"]),
        (b'{"password" : "hun\\"ter2\\u00e9"}', ['hun"ter2é'.encode()]),
        (b'{"a":{"b":[{"apiKey":"x"}]}}', [b"x"]),
        (b'{"otp":123456,"password":0,"pin":"1234"}', [b"123456", b"1234"]),
        (b'{"token":"%s"}' % RANDOM, [RANDOM]),
        (b'{"tokens":["%s","%s"]}' % (RANDOM, RANDOM[::-1]), [RANDOM, RANDOM[::-1]]),
        (b'{"authorization":"Bearer abc"}', [b"abc"]),
        (b'{"body":"{\\"password\\":\\"hunter2\\"}"}', [b"hunter2"]),
        (b'data: {"access_token":"abc"}\n\n', [b"abc"]),
        (b'<script>var x = {"csrfToken": "abc"}</script>', [b"abc"]),
        (b"password=hunter2&user=bob", [b"hunter2"]),
        (b"user%5Bpassword%5D=p%40ss+word&x=1", [b"p@ss word"]),
        (b"user[password]=hunter2", [b"hunter2"]),
        (b"/path?access_token=abc#fragment", [b"abc#fragment"]),
        (b'see "https://h/?api_key=abc\\u0026x=1"', [b"abc"]),
        (b"AWS_SECRET_ACCESS_KEY=abc/def\n", [b"abc/def"]),
        (b"<Credentials><SecretAccessKey>abc</SecretAccessKey></Credentials>", [b"abc"]),
        (b'<wsse:Password Type="PasswordText"> hunter2 </wsse:Password>', [b"hunter2"]),
        (b'<input type="hidden" name="authenticity_token" value="x==">', [b"x=="]),
        (b"<meta content='abc' name='csrf-token'/>", [b"abc"]),
        (
            b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhun\nter2\r\n--b--\r\n',
            [b"hun\nter2"],
        ),
        (b"postgres://bob:hunter2@db/x", [b"hunter2"]),
        (b"https://%s@github.com/a" % RANDOM, [RANDOM]),
    ],
)
def test_a_secret_is_found_by_its_name(text: bytes, found: list[bytes]) -> None:
    """Wherever names and values meet; and the quick test has nothing against it."""
    assert secrets(text) == found
    assert likely()(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"token":"page2","key":"a","code":404,"state":"open","next_token":"a1B2c3D4e5F6g7H8"}',
        b'{"password":{"type":"string"},"errors":{"password":["is too short"]}}',
        b'{"password":true,"secret":null,"api_key":""}',
        b'{"total_tokens":31,"max_tokens":4096,"usage":{"prompt_tokens":12345}}',
        b'{"monkey":"a1B2c3D4e5F6g7H8","author":"bob"}',
        b"/search?key=1&token=page2&page_token=a1B2c3D4e5F6g7H8&sort_key=name",
        b"<p>Your password is secret.</p>",
        b"https://example.com/@bob",
        b"mailto:bob@example.com http://example.com/a@b",
        b'<input name="password" value="">',
    ],
)
def test_what_only_looks_like_one_is_none(text: bytes) -> None:
    """Pages, counts, schemas, prose and addresses stay as they are."""
    assert secrets(text) == []


def test_a_private_key_in_json_keeps_its_lines() -> None:
    """Only what is between the lines is the secret, though a name gave it away."""
    text = json.dumps(
        {"private_key": "-----BEGIN PRIVATE KEY-----\nMIIabc\ndef\n-----END PRIVATE KEY-----\n"}
    ).encode()
    (find,) = chosen(in_text(text, meaning))
    assert text[find.start : find.end] == b"MIIabc\\ndef"
    assert find.look is Look.BASE64


def test_a_jwt_and_basic_credentials_are_known_for_what_they_are() -> None:
    """The form of what stands in their place follows."""
    text = b'{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln","authorization":"Basic Yg=="}'
    assert [find.look for find in chosen(in_text(text, meaning))] == [Look.JWT, Look.BASIC]


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything(data: bytes) -> None:
    """Bodies hold anything: unknown charsets, binary, damage."""
    secrets(data)


_PIECES = st.lists(
    st.sampled_from(
        b'" \\ password : = <input name > </ < @ :// [ , \r\n -- value %3D eyJ . -----'.split(b" ")
    ),
    max_size=60,
)


@given(_PIECES)
def test_no_half_of_a_construct_raises_anything(pieces: list[bytes]) -> None:
    """Nor do the beginnings of what the rules look for."""
    secrets(b"".join(pieces))


@pytest.mark.parametrize(
    "unit",
    [
        *b'"a "a":" a= a[ <a <input ://a name="a"\r\n \\"a "a":[ password x@ %3D'.split(b" "),
        b"-----BEGIN PRIVATE KEY-----",
        b'"password":["a",',
    ],
)
def test_no_text_takes_long(unit: bytes) -> None:
    """What repeats the beginning of a construct half a megabyte long is done in linear time."""
    secrets(unit * (500_000 // len(unit)))
