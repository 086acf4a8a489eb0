"""The quick test: "no" is certain, with RE2 and without."""

from __future__ import annotations

import pytest

from magneto_serge.replay.secrets.likely import _by_words, likely
from magneto_serge.replay.secrets.placeholders import Look, placeholder

TESTS = pytest.mark.parametrize("test", [likely(), _by_words(())], ids=["re2", "words"])


@TESTS
@pytest.mark.parametrize("look", [each for each in Look if each is not Look.NUMBER])
def test_a_placeholder_is_likely(test: object, look: Look) -> None:
    """What was redacted is looked at, so that it is matched and numbered on."""
    assert callable(test)
    if look is not Look.JWT:
        assert test(b'{"id":"%s"}' % placeholder(1, look))
    assert test(b'{"x":"a %s b"}' % placeholder(1, look))


@TESTS
def test_ordinary_texts_are_not(test: object) -> None:
    """JSON, prose and forms without anything that says secret."""
    assert callable(test)
    for text in (b'{"id":1,"name":"a","items":["b","2026-11-23T10:00:00Z"]}', b"plain words", b""):
        assert not test(text)


@TESTS
def test_a_text_need_not_be_utf_8(test: object) -> None:
    """Bytes of another charset may stand between what tells."""
    assert callable(test)
    assert test('<input title="café" type="password" value="x">'.encode("latin-1"))


def test_names_of_the_user_are_asked_for() -> None:
    """In any spelling, and with a wildcard."""
    for name, text in (("my_id", b'{"myId":"a"}'), ("x*ref", b"x-some-ref=1")):
        assert likely(frozenset({name}))(text)
        assert _by_words((name,))(text)
        assert not likely()(text)
