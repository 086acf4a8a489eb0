"""Functions replaced for a while."""

from __future__ import annotations

from magneto_serge.capture.patches import Patches


class Base:
    """Has a method that a subclass inherits."""

    def speak(self) -> str:
        """Say who."""
        return "base"


class Derived(Base):
    """Has one of its own, too."""

    def sing(self) -> str:
        """Say who."""
        return "derived"


def ours(self: object) -> str:
    """Say who."""
    return "ours, over " + str(PATCHES.real["speak"](self))


PATCHES = Patches((Derived, "speak", ours), (Derived, "sing", ours))


def test_replaced_and_put_back() -> None:
    """What was inherited is inherited again, what was its own is its own."""
    sing = vars(Derived)["sing"]
    PATCHES.install()
    assert Derived().speak() == Derived().sing() == "ours, over base"
    PATCHES.uninstall()
    assert vars(Derived)["sing"] is sing
    assert "speak" not in vars(Derived)


def test_another_s_replacement_works_underneath() -> None:
    """What was replaced by somebody else before is what is called, and what is put back."""
    theirs = lambda self: "theirs"  # noqa: E731
    Derived.speak = theirs  # type: ignore[method-assign]
    PATCHES.install()
    assert Derived().speak() == "ours, over theirs"
    PATCHES.uninstall()
    assert Derived.speak is theirs
    del Derived.speak


def test_what_came_since_is_left() -> None:
    """A replacement of somebody else that came after ours is not thrown away."""
    theirs = lambda self: "theirs"  # noqa: E731
    PATCHES.install()
    Derived.speak = theirs  # type: ignore[method-assign]
    PATCHES.uninstall()
    assert Derived.speak is theirs
    del Derived.speak
