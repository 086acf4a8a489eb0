"""The rules of a session: known ones, users' own, and what the user allows."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from magneto_serge.replay.secrets.finder import Allowed, Finder, Names, includes


def values(finder: Finder, text: bytes) -> list[bytes]:
    """Return what is found in a body."""
    return [find.value for find in finder.in_body(text)]


def test_names_of_the_user_count_in_every_spelling() -> None:
    """For fields of bodies, items of queries and field lines, each where it was named."""
    finder = Finder(Names(frozenset({"x_house"}), frozenset({"door"}), frozenset({"my_id"})))
    assert values(finder, b'{"myId":"a","my-id":"b","door":"c"}') == [b"a", b"b", b"c"]
    assert [each.value for each in finder.in_target(b"/?door=1&my_id=2")] == [b"1"]
    assert [each.value for each in finder.in_field(b"X-House", b"v")] == [b"v"]
    assert not Finder().in_field(b"X-House", b"v")


def test_a_star_in_a_name_is_any_text() -> None:
    """As in a shell."""
    assert includes(frozenset({"x_acme_*"}), "X-Acme-Anything")
    finder = Finder(Names(fields=frozenset({"*_ref"})))
    assert values(finder, b'{"customer_ref":"42"}') == [b"42"]


def test_what_is_allowed_stays() -> None:
    """By name, by value, or by a pattern of values."""
    text = b'{"password":"test","api_key":"demo-1","secret":"x"}'
    allowed = Allowed(
        frozenset({"secret"}),
        frozenset({b"test"}),
        (lambda value: [(0, 1)] if value.startswith(b"demo") else [],),
    )
    assert values(Finder(allowed=allowed), text) == []
    assert (
        Finder(allowed=Allowed(frozenset({"lang"}))).in_field(b"cookie", b"lang=en; sid=1")[0].name
        == "cookie sid"
    )


def test_patterns_and_functions_of_the_user_find_what_nothing_else_does() -> None:
    """In bodies, targets and fields alike, every occurrence."""
    finder = Finder(
        patterns=(lambda text: [(0, 2)] if text.startswith(b"XY") else [],),
        functions=(lambda text: ["blue"] if "blue" in text else [],),
    )
    assert values(finder, b"XY likes blue and blue") == [b"XY", b"blue", b"blue"]
    assert [each.value for each in finder.in_field(b"x-note", b"XY")] == [b"XY"]
    assert [each.value for each in finder.in_target(b"/blue")] == [b"blue"]


def test_functions_are_given_text_whatever_the_bytes_are() -> None:
    """Latin-1 where they are not UTF-8; an empty secret is none."""
    seen: list[str] = []

    def look(text: str) -> list[str]:
        seen.append(text)
        return ["", text[-1]]

    assert values(Finder(functions=(look,)), b"\xffa\xe9") == [b"\xe9"]
    assert seen == ["ÿaé"]


def test_in_binary_only_shapes_count() -> None:
    """Names may stand there by chance."""
    token = b"ghp_" + b"a1B2" * 9
    data = b'\x00"password":"x"\x01' + token + b"\x02"
    assert [find.value for find in Finder().in_binary(data)] == [token]
    assert Finder().in_binary(b"\x00\x01") == ()


@pytest.mark.parametrize("text", [b"", b"nothing of interest", b'{"id":1}'])
def test_nothing_is_found_where_there_is_nothing(text: bytes) -> None:
    """And nothing is made for it."""
    assert Finder().in_body(text) == ()


@pytest.mark.parametrize("at", [0, 16_000, 16_380, 16_384, 40_000, 99_900])
def test_a_long_text_is_searched_where_a_secret_is_likely(at: int) -> None:
    """Wherever in it that is, and however long the secret; the places are those of the text."""
    long = b"a1B2c3D4" * 2000
    for secret in (b"hunter2", long):
        text = bytearray(b'{"id":1,"name":"x"},' * 10_000)
        member = b'{"password":"%s"}' % secret
        text[at : at + len(member)] = member
        finds = Finder().in_body(bytes(text))
        assert [find.value for find in finds] == [secret]
        assert bytes(text[finds[0].start : finds[0].end]) == secret


def test_long_binary_bodies_and_base64_are_soon_done() -> None:
    """What nobody would search by hand is ruled out by the quick test."""
    rng = random.Random(7)
    assert Finder().in_body(b64encode(rng.randbytes(2_000_000))) == ()
    assert not Finder().in_binary(rng.randbytes(2_000_000))


def test_field_lines_that_are_texts_like_any_other() -> None:
    """The name tells, and where it leaves a doubt the value; users' own names count too."""
    finder = Finder(Names(headers=frozenset({"x_house"})))
    assert finder.is_text(b"ETag", b"a8Kx92LmQ0pZ7tYvBn41")
    assert finder.is_text(b"X-Acme-Key", b"blue")
    assert not finder.is_text(b"X-Acme-Key", b"a8Kx92LmQ0pZ7tYvBn41")
    assert not finder.is_text(b"Cookie", b"a=1")
    assert not finder.is_text(b"X-House", b"v")
    assert Finder().is_text(b"X-House", b"v")


def test_names_of_fields_are_remembered_within_bounds() -> None:
    """Who invents names does not make the memory grow, and is answered the same."""
    finder = Finder()
    assert all(finder.is_text(b"x-%d" % number, b"v") for number in range(3000))
    assert not finder.is_text(b"Cookie", b"a=1")
