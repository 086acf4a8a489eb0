"""One interaction that cannot be understood is left out; the others are not."""

from __future__ import annotations

from magneto_serge.interop.converting import converted
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.values import UnusableError
from magneto_serge.messages import Interaction, Request


def test_the_rest_goes_on() -> None:
    """The number of what was left out is said."""
    remarks = Remarks()
    remarks.place = "file"

    def convert(item: int) -> Interaction | None:
        if item == 2:
            raise UnusableError("it is two")
        return Interaction(Request("GET", "http", "h", 80, f"/{item}")) if item != 3 else None

    found = [each.request.target for each in converted([1, 2, 3, 4], convert, remarks)]
    assert found == ["/1", "/4"]
    assert remarks.first == {Remark.LEFT_OUT: "file, interaction 2: it is two"}
    assert remarks.place == "file"
