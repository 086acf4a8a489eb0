"""What is replaced by what: numbers by first appearance."""

from __future__ import annotations

from base64 import b64encode

from magneto_serge.replay.secrets.finds import Find
from magneto_serge.replay.secrets.placeholders import Look
from magneto_serge.replay.secrets.substitution import KEPT, Numbers, Substitution, put_in


def find(value: bytes, name: str = "", look: Look = Look.PLAIN, kind: str = "member") -> Find:
    """Return a find at the beginning of a text."""
    return Find(0, len(value), value, kind, name, look)


def test_the_same_secret_has_the_same_number() -> None:
    """By first appearance."""
    numbers = Numbers()
    assert [numbers.of(each) for each in (b"a", b"b", b"a", b"c")] == [1, 2, 1, 3]


def test_numbers_go_on_after_the_older_ones() -> None:
    """Asked for once, when the first is needed."""
    asked = []
    numbers = Numbers(lambda: asked.append(1) or 7)  # type: ignore[func-returns-value]  # counts
    assert not asked
    assert [numbers.of(b"a"), numbers.of(b"b")] == [8, 9]
    assert asked == [1]


def test_a_bound_secret_keeps_its_number() -> None:
    """Of whatever form its placeholder is."""
    bound = {"a": "REDACTED-4", "b": "REDACTED"}
    numbers = Numbers(lambda: 9, bound.get)
    assert [numbers.of(b"a"), numbers.of(b"b"), numbers.of(b"c")] == [4, 10, 11]


def test_memory_is_bounded() -> None:
    """The oldest is forgotten, and would get a new number."""
    numbers = Numbers()
    for number in range(KEPT + 1):
        numbers.of(b"%d" % number)
    assert numbers.of(b"0") == KEPT + 2


def test_what_is_new_each_time_is_not_looked_for_elsewhere() -> None:
    """Signatures and nonces."""
    substitution = Substitution(Numbers())
    substitution.learn([find(b"a1B2c3D4e5F6", "authorization signature")])
    substitution.learn([find(b"a1B2c3D4e5F6", "x-amz-signature")])
    assert not substitution.learned.count
    substitution.learn([find(b"a1B2c3D4e5F6", "access_token")])
    assert substitution.learned.count


def test_the_password_in_basic_credentials_is_learned() -> None:
    """Of a lone user, who is a token, the user."""
    substitution = Substitution(Numbers())
    for credentials in (b"bob:s3cret-Pass1", b"sk_live-a1B2c3D4e5:"):
        substitution.learn([find(b64encode(credentials), look=Look.BASIC)])
    assert substitution.learned.occurs(b"the s3cret-Pass1")
    assert substitution.learned.occurs(b"the sk_live-a1B2c3D4e5")
    substitution.learn([find(b"no base64!", look=Look.BASIC)])


def test_a_cookie_has_to_look_random_to_be_learned() -> None:
    """Languages and themes are cookies too."""
    substitution = Substitution(Numbers())
    substitution.learn([find(b"en_US.UTF-8-x9", kind="cookie")])
    assert not substitution.learned.count
    substitution.learn([find(b"a1B2c3D4e5F6g7H8", kind="cookie")])
    assert substitution.learned.count


def test_placeholders_stay() -> None:
    """They are neither replaced nor learned, and not counted."""
    substitution = Substitution(Numbers())
    finds = [find(b"REDACTED-1")]
    substitution.learn(finds)
    assert substitution.replacements(finds) == []
    assert not substitution.counts


def test_the_form_follows_and_a_binary_body_keeps_its_length() -> None:
    """What is put in has the secret's shape, or exactly its size."""
    substitution = Substitution(Numbers())
    uuid = b"550e8400-e29b-41d4-a716-446655440000"
    (one,) = substitution.replacements([find(uuid, look=Look.UUID)])
    assert one[1] == b"5ec2e700-0000-4000-8000-000000000001"
    (two,) = substitution.replacements([find(uuid, look=Look.UUID)], fill=True)
    assert two[1] == b"REDACTED-1" + b"-" * 26
    assert substitution.counts == {"member": 2}


def test_what_was_put_in_is_told() -> None:
    """Where, and how long it is now."""
    made, edits = put_in(b"0123456789", [(Find(2, 4, b"", ""), b"abc"), (Find(6, 7, b"", ""), b"")])
    assert made == b"01abc45789"
    assert edits == [(2, 4, 3), (6, 7, 0)]
