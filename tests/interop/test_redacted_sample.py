"""Real recordings of other tools, redacted: nothing raises, nothing is left, all still matches.

The sample is not part of the project; where it is absent these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.interop.kinds import read
from magneto_serge.interop.remarks import Remarks
from magneto_serge.replay.secrets import SecretRules
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.report import findings
from magneto_serge.replay.shelves import Shelves

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
RULES = SecretRules()

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the sample is not here")


def recordings() -> list[Path]:
    """Return the files of the sample."""
    found = sorted(CORPUS.rglob("*")) if CORPUS.is_dir() else []
    return [each for each in found if each.is_file() and each.suffix not in (".md", ".tsv")]


@pytest.mark.parametrize("path", recordings(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_real_recording_is_redacted_and_still_matches(path: Path) -> None:
    """Twice is once, no secret is left by our own rules, and each request finds its recording."""
    try:
        originals = list(read(path, Remarks()))
    except CassetteError:
        pytest.skip("this one cannot be imported")
    redactor = Redactor(RULES)
    redacted = [redactor.redact(each) for each in originals]
    again = Redactor(RULES)
    assert [again.redact(each) for each in redacted] == redacted
    assert not [found for each in redacted for found in findings(RULES.finder, each)]
    shelves = Shelves(redacted, secrets=RULES)
    for original, kept in zip(originals, redacted, strict=True):
        assert shelves.play(original.request) is not None
        assert shelves.play(kept.request) is not None
        neutral = RULES.scan(kept.request).neutral
        assert RULES.scan(neutral).neutral.target == neutral.target
