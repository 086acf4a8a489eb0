"""What the commands on cassettes share."""

from __future__ import annotations

import pytest

from magneto_serge.cli.cassette_options import out_of_range, print_json
from magneto_serge.errors import ConfigError


@pytest.mark.parametrize(
    ("last", "have"), [(0, "is empty"), (1, "has one"), (2, "has interactions 1 to 2")]
)
def test_a_number_that_is_not_there_is_answered_with_those_that_are(last: int, have: str) -> None:
    """One can correct it without another command."""
    with pytest.raises(ConfigError, match=f"cassette 'x' {have}: there is no number 7"):
        out_of_range("x", 7, last)


def test_json_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    """People look at it too."""
    print_json({"a": [1]})
    assert capsys.readouterr().out == '{\n  "a": [\n    1\n  ]\n}\n'
