"""JSON rendered while a recording goes on, so that its end has little left to do.

To render an interaction takes ten times what it takes to write it to the journal. So a thread does
it in the lulls of the traffic, reading back what the journal holds: nothing waits in memory, the
journal is never late because of it, and stays the truth. What is rendered lies in a file without a
name, which no crash can leave behind. Where anything is wrong with it, it is dropped, and the end
renders all interactions as if there had never been any; the cassette is the same to the byte.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

from .body_rules import BodyRules
from .frames import FrameReader
from .json_write import FIRST, JsonWriter
from .side_files import SideFiles

log = logging.getLogger("magneto_serge")


class Ahead:
    """The interactions of a journal as JSON, as far as there was time for them.

    ``count`` interactions are rendered; they are the journal's first ``whole`` bytes. ``files`` has
    the side files that they refer to. Both are to be looked at after :meth:`stop`.
    """

    def __init__(self, journal: Path, files: SideFiles, rules: BodyRules) -> None:
        self.files = files
        self.count = 0
        self.whole = 0
        self._journal = journal
        self._rules = rules
        self._reader: FrameReader | None = None
        self._dropped = False
        self._thread: threading.Thread | None = None
        self._more = threading.Event()  # there is something to render, and time for it
        self._paused = False
        self._ended = False

    # --- the writer's say -----------------------------------------------------------------------

    def go_on(self) -> None:
        """Render what the journal holds, in a thread of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="renderer", daemon=True)
            self._thread.start()
        self._paused = False
        self._more.set()

    def pause(self) -> None:
        """Render nothing after what is being rendered, until :meth:`go_on`."""
        self._paused = True

    def stop(self) -> None:
        """Return when nothing is being rendered, for good. It may be called again."""
        self._ended = True
        self._more.set()
        if self._thread is not None:
            self._thread.join()

    def drop(self) -> bool:
        """Stop, and forget what is rendered; tell whether that has freed room on the disk."""
        self.stop()
        return self._forget()

    # --- rendering ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            self._more.wait()
            self._more.clear()  # before looking: what comes meanwhile sets it again
            while not (self._paused or self._ended) and self.advance():
                pass

    def advance(self) -> bool:
        """Render one interaction more; tell whether there was one."""
        if self._dropped:
            return False
        try:
            return self._advance()
        except Exception as error:  # noqa: BLE001 - the end meets it again, and reports it
            log.debug("JSON is not rendered ahead: %r", error)
            self._forget()
            return False

    def _advance(self) -> bool:
        reader = self._reader or self._begin()
        reader.look_again()
        interaction = next(reader.interactions(), None)
        if interaction is None:
            return False
        self._writer.add(interaction)
        self._out.flush()  # gives the interpreter lock back to the traffic, too
        self.count += 1
        self.whole = reader.whole
        return True

    def _begin(self) -> FrameReader:
        path = self._journal.with_name(self._journal.name + "-rendered")
        self._file = self._journal.open("rb")
        self._out = path.open("w+b")
        path.unlink()
        self._reader = reader = FrameReader(self._file, self._journal)
        # Its beginning is never read: what is copied is what stands behind it.
        self._writer = JsonWriter(
            self._out, name="", recorded_at=0.0, rules=self._rules, files=self.files
        )
        self._start = self._out.tell() + len(FIRST)
        return reader

    def move(self, reader: FrameReader, writer: JsonWriter) -> int:
        """Write what is rendered, go behind it in the journal, and return how many that were.

        Raises OSError.
        """
        if self.count:
            self._out.seek(self._start)
            writer.add_rendered(self._out)
            reader.go_on_from(self.whole)
        return self.count

    def _forget(self) -> bool:
        self._dropped = True
        self.count = 0
        if self._reader is None:
            return False
        self._reader = None
        self._file.close()
        with suppress(OSError):  # a full disk refuses what waits in the buffer once more
            self._out.close()
        return True
