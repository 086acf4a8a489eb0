"""What a recorder prepares, and leaves out, before it redacts and writes."""

from __future__ import annotations

import msgspec

from magneto_serge.messages import Interaction
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange


def test_what_is_prepared_is_what_is_written(store: CassetteStore) -> None:
    """Each interaction is prepared, then redacted; one that is left out is not counted."""

    def prepare(interaction: Interaction) -> Interaction | None:
        if interaction.request.target == "/out":
            return None
        return msgspec.structs.replace(interaction, peer="prepared")

    def redact(interaction: Interaction) -> Interaction:
        return msgspec.structs.replace(interaction, peer=f"{interaction.peer}, redacted")

    recorder = store.recorder("tape", redact=redact, prepare=prepare)
    for path in ("/a", "/out", "/b"):
        recorder.record(exchange(path))
    assert recorder.finish(replace=True) is not None
    assert (recorder.count, recorder.left_out) == (2, 1)
    loaded = store.load("tape")
    assert [each.request.target for each in loaded] == ["/a", "/b"]
    assert {each.peer for each in loaded} == {"prepared, redacted"}


def test_nothing_is_left_of_what_was_left_out(store: CassetteStore) -> None:
    """Where every interaction was left out, nothing was recorded."""
    recorder = store.recorder("tape", prepare=lambda interaction: None)
    recorder.record(exchange("/out"))
    assert recorder.finish(replace=True) is None
    assert not store.exists("tape")
