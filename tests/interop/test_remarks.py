"""Remarks: counted by kind, the first with its place."""

from __future__ import annotations

from magneto_serge.interop.remarks import Remark, Remarks


def test_the_first_of_a_kind_is_kept() -> None:
    """With where it was; the others are counted."""
    remarks = Remarks()
    assert not remarks
    remarks.place = "a.har"
    remarks.add(Remark.PORT, "h:0")
    remarks.add(Remark.PORT, "h:1")
    remarks.add(Remark.EMPTY)
    assert remarks.counts == {Remark.PORT: 2, Remark.EMPTY: 1}
    assert remarks.first == {Remark.PORT: "a.har: h:0", Remark.EMPTY: "a.har"}


def test_remarks_add_up() -> None:
    """What came first stays first."""
    one, two = Remarks(), Remarks()
    one.add(Remark.PORT, "1")
    two.add(Remark.PORT, "2")
    two.add(Remark.EMPTY)
    one.merge(two)
    assert one.counts == {Remark.PORT: 2, Remark.EMPTY: 1}
    assert one.first[Remark.PORT] == "1"


def test_each_kind_says_something_else() -> None:
    """A table of them can be read."""
    assert len({each.value for each in Remark}) == len(Remark)
