"""Record interactions while traffic flows: a queue, a writer thread, a journal.

The thread that carries the traffic pays for an append to a list and two additions. The writer
thread sleeps until something is queued and hands it to the
:class:`~magneto_serge.storage.scribe.Scribe`, which redacts, encodes and writes it; then it lets a
batch gather for ``GATHER`` seconds (less under pressure) before it looks again. So a lone
interaction is on the disk at once, and a crowd costs few wake-ups. After silence it looks again
sooner, so that a recording that is over soon has little left to do at its end. Nothing is kept for
an interaction once it is written. What time is left goes into
:class:`~magneto_serge.storage.ahead.Ahead`, which renders JSON for the end.

Disk trouble never reaches the traffic. The first error is logged at once and raised by
:meth:`Recorder.finish`; what could not be written is dropped, what was written stays in the
journal.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from magneto_serge.errors import CassetteError
from magneto_serge.messages import FieldLine, FileBody, Interaction

from .body_rules import BodyRules
from .body_writer import BodySink, BodyWriter, Step
from .frames import FrameBuffer
from .journal import Frames, Journal, advice
from .names import CassettePaths
from .scribe import Glance, IsClean, Prepare, Redact, Scribe

if TYPE_CHECKING:
    from .ahead import Ahead
    from .conversations import Conversations, ConversationWriter
    from .redacted_body import BodyRedactor

log = logging.getLogger("magneto_serge")

LULL = 64  # interactions of a batch up to which the traffic leaves time for other things
LULL_BYTES = 64 * 1024  # and their bytes: a read of a busy WebSocket is a single item
GATHER = 0.05  # seconds between batches; a quarter of what the journal may lag behind
EAGER = 25  # batches after silence that do not gather so long: most recordings are over by then
GATHER_EAGERLY = 0.002  # seconds
PRESSURE = 128 * 1024  # bytes queued that wake the writer at once: it works on what caches hold
CONGESTED = 8 * 1024 * 1024  # bytes waiting for the disk above which traffic should pause
DRAINED = 2 * 1024 * 1024  # bytes waiting below which it may go on
INTERACTION = 1024  # bytes assumed for an interaction without its bodies


class Recorder:
    """One recording of one cassette; from ``CassetteStore.recorder``.

    ``changing`` is entered while the cassette takes the older one's place. ``prepare`` is applied
    to each interaction before ``redact``; None: it is not recorded. ``bodies`` redacts those that
    go to files of their own, on their way there; ``clean`` tells of a text that ``redact`` leaves
    it as it is, and ``glance`` redacts several interactions at once where it can.

    ``answered`` tells whether any that was accepted has a response, ``congested`` whether more than
    ``CONGESTED`` bytes wait for the disk: then stop reading traffic. All methods may be called from
    any thread.
    """

    def __init__(
        self,
        paths: CassettePaths,
        name: str,
        rules: BodyRules,
        redact: Redact | None,
        *,
        prepare: Prepare | None = None,
        bodies: BodyRedactor | None = None,
        clean: IsClean | None = None,
        glance: Glance | None = None,
        fsync: str = "finish",
        message_limit: int = 2**31,
        changing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.answered = False
        self.congested = False
        self._accepted = 0
        self._changing = changing
        self._paths = paths
        self._rules = rules
        self._durable = fsync != "never"
        self._journal = Journal.open(
            paths.journal, name, self._frames_for, flushed=fsync == "always"
        )
        self._scribe = Scribe(self._journal, redact, prepare, glance)
        self._bodies = bodies
        self._clean = clean
        self._ahead: Ahead | None = None
        self._message_limit = message_limit
        self._conversations: Conversations | None = None
        self._queue: list[Interaction | Step] = []
        self._queued = 0  # bytes in the queue
        self._wake_above = -1  # bytes in the queue above which the writer is to be told
        self._writing = 0  # bytes taken from it and not yet on the disk
        self._lock = threading.Lock()
        self._work = threading.Event()  # something is queued, or the end has come
        self._hurry = threading.Event()  # do not wait for more
        self._ended = False
        self._waiting: list[Callable[[], None]] = []
        self._body_numbers = count(1)
        self._unfinished: set[BodySink] = set()
        self._finishing = threading.Lock()
        self._done = False
        self._outcome: Path | CassetteError | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=f"recorder {name}", daemon=True)
        self._thread.start()

    def _frames_for(self, bodies: Path) -> Frames:
        """Return what encodes for the journal, whose own side files are in ``bodies``."""
        if not self._paths.format.binary:
            return FrameBuffer(bodies)
        from .container_write import ContainerFrames
        from .side_files import SideFiles

        self._side_files = SideFiles(self._paths.bodies, bodies)
        return ContainerFrames(self._paths.format.coding, self._side_files)

    @property
    def prepare(self) -> Prepare | None:
        """What is applied to each interaction first; setting it holds for what is not written."""
        return self._scribe.prepare

    @prepare.setter
    def prepare(self, prepare: Prepare | None) -> None:
        self._scribe.prepare = prepare

    @property
    def left_out(self) -> int:
        """The number of interactions accepted that are not recorded, because a user said so."""
        return self._scribe.left_out

    @property
    def count(self) -> int:
        """The number of interactions accepted and not left out."""
        return self._accepted - self._scribe.left_out

    def record(self, interaction: Interaction) -> None:
        """Take one interaction; never blocks, never raises. Nothing is taken after the end."""
        size = INTERACTION
        body = interaction.request.body
        if type(body) is bytes:
            size += len(body)
        response = interaction.response
        if response is not None:
            self.answered = True
            body = response.body
            if type(body) is bytes:
                size += len(body)
        with self._lock:
            if self._ended:
                return
            self._accepted += 1
            self._queue.append(interaction)
            self._queued += size
            if self._queued > self._wake_above:
                self._wake()

    def open_body(self, fields: tuple[FieldLine, ...] = ()) -> BodyWriter:
        """Begin a body that is too large for memory; its file is ``path`` of what close returns.

        ``fields`` stand above it.
        """
        return BodyWriter(self._new_sink(fields), self._enqueue)

    def _new_sink(self, fields: tuple[FieldLine, ...] = ()) -> BodySink:
        body = FileBody(self._journal.bodies / str(next(self._body_numbers)), 0, "")
        if self._bodies is None:
            return BodySink(body, self._unfinished)
        from .redacted_body import RedactedSink

        return RedactedSink(body, self._unfinished, self._bodies, fields)

    def open_conversation(self, interaction: Interaction) -> ConversationWriter:
        """Begin a conversation: ``interaction`` is its handshake. It counts as accepted."""
        from .conversations import Conversations, ConversationWriter, Limits

        self.answered = True
        with self._lock:
            if not self._ended:
                self._accepted += 1
            if self._conversations is None:
                limits = Limits(self._rules.memory_limit, self._message_limit)
                self._conversations = Conversations(
                    self._journal.bodies, self._scribe, self._new_sink, limits, self._clean
                )
        return ConversationWriter(self._conversations, interaction, self._enqueue)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, in the writer thread, when few bytes wait for the disk.

        After the end of the recording it is called at once, in the caller's thread.
        """
        with self._lock:
            over = self._is_over
            if not over:
                self._waiting.append(callback)
                self._work.set()
                self._hurry.set()
        if over:
            callback()

    def finish(self, *, replace: bool) -> Path | None:
        """End the recording and return the cassette's path; None if nothing was recorded.

        With ``replace`` the cassette holds what was recorded; otherwise the older cassette's
        interactions, unchanged, and then what was recorded. The older cassette is untouched until
        the new one is complete on the disk. Raises CassetteError, again at each call, where
        something could not be written; the journal then stays, and the message says where.
        """
        with self._finishing:
            self._stop()
            if not self._done:
                self._done = True
                self._outcome = CassetteError(f"interrupted. {advice(self._journal.path)}")
                try:
                    with self._changing():
                        self._outcome = self._finish(replace)
                except CassetteError as error:
                    self._outcome = error
        if isinstance(self._outcome, CassetteError):
            raise self._outcome
        return self._outcome

    def abort(self) -> None:
        """End the recording and forget everything that it recorded."""
        with self._finishing:
            self._stop()
            if not self._done:
                self._done = True
                self._close(remove=True)

    def _stop(self) -> None:
        """Take nothing more, write what is queued, end the thread."""
        with self._lock:
            self._ended = True
            self._work.set()
            self._hurry.set()
        self._thread.join()

    def _finish(self, replace: bool) -> Path | None:
        keep = True
        try:
            if self._scribe.error is not None:
                raise self._failure(self._scribe.error)
            if self.count:
                self._assemble(replace)
            keep = False
        finally:
            self._close(remove=not keep)
        return self._paths.cassette if self.count else None

    def _close(self, *, remove: bool) -> None:
        if self._ahead is not None:
            self._ahead.drop()
        self._journal.close(remove=remove)

    def _failure(self, error: Exception) -> CassetteError:
        reason = error.strerror if isinstance(error, OSError) else repr(error)
        return CassetteError(
            f"{self._scribe.lost or 'Some'} of {self.count} interactions could not be recorded to"
            f" {self._journal.path}: {reason}. {self._paths.cassette} is as it was before."
            f" {advice(self._journal.path)}"
        )

    def _assemble(self, replace: bool) -> None:
        from .assemble import assemble, seal

        try:
            if self._paths.format.binary and (replace or not self._paths.existing()):
                seal(self._journal, self._paths, self._side_files, durable=self._durable)
                return
            assemble(
                self._journal.path,
                self._paths,
                name=self._journal.head.name,
                rules=self._rules,
                keep_older=not replace,
                expected=self.count,
                durable=self._durable,
                ahead=self._ahead,
            )
        except OSError as error:
            raise CassetteError(
                f"cannot write {self._paths.cassette}: {error.strerror}; it is as it was before."
                f" {advice(self._journal.path)}"
            ) from error
        except CassetteError as error:
            raise CassetteError(f"{error} {advice(self._journal.path)}") from error

    # --- the queue ----------------------------------------------------------------------------

    def _enqueue(self, step: Step, size: int) -> None:
        with self._lock:
            if not self._ended:
                self._queue.append(step)
                self._queued += size
                if self._queued > self._wake_above:
                    self._wake()

    def _wake(self) -> None:
        """Tell the writer that there is work, and once more when the work has become much."""
        self._work.set()
        if self._queued <= PRESSURE:
            self._wake_above = PRESSURE
            return
        self._hurry.set()
        much = CONGESTED - self._writing
        self.congested = self._queued > much
        self._wake_above = sys.maxsize if self.congested else much

    # --- the writer thread --------------------------------------------------------------------

    def _run(self) -> None:
        """Write until the end; ``_hurry`` is set whenever the next batch should not wait."""
        self._work.wait()
        if not self._ended:
            self._prepare()
        ended, eager = False, EAGER
        while not ended:
            self._work.wait()
            lull, ended = self._write_queue()
            self._settle(ended)
            if not ended:
                self._render(lull)
                eager = eager - 1 if lull and eager else 0
                self._hurry.wait(GATHER_EAGERLY if eager else GATHER)
                if not self._work.is_set():  # silence
                    eager = EAGER
                    if self._conversations is not None:
                        self._scribe.perform(self._conversations.flush)
                    self._render(True)
        if self._ahead is not None:
            self._ahead.stop()
        for sink in tuple(self._unfinished):
            sink.close()

    def _prepare(self) -> None:
        """Load what is not needed before the end; not earlier, so that the beginning is quick."""
        from . import assemble  # noqa: F401 - loaded for `_assemble`

        if not self._paths.format.binary:
            from .ahead import Ahead
            from .side_files import SideFiles

            files = SideFiles(self._paths.bodies, self._journal.bodies)
            self._ahead = Ahead(self._journal.path, files, self._rules)
            self._journal.make_room = self._ahead.drop  # what is recorded goes first

    def _render(self, lull: bool) -> None:
        """Let JSON be rendered while the traffic leaves time for it."""
        if self._ahead is not None:
            if lull:
                self._ahead.go_on()
            else:
                self._ahead.pause()

    def _write_queue(self) -> tuple[bool, bool]:
        """Write what is queued now; return whether that was little, and whether it was the end."""
        with self._lock:
            batch, self._queue = self._queue, []
            self._writing, self._queued, self._wake_above = self._queued, 0, -1
            self._work.clear()
            self._hurry.clear()
            ended = self._ended
        lull = len(batch) <= LULL and self._writing <= LULL_BYTES
        self._scribe.write(batch)
        conversations = self._conversations
        if conversations is not None:
            flush = conversations.flush if lull else conversations.flush_some
            self._scribe.perform(conversations.finish if ended else flush)
        return lull, ended

    def _settle(self, ended: bool) -> None:
        callbacks: list[Callable[[], None]] = []
        with self._lock:
            self._writing = 0
            self.congested = self._queued > CONGESTED
            self._is_over = ended
            if ended or self._queued < DRAINED:
                callbacks, self._waiting = self._waiting, []
            elif self._waiting:
                self._hurry.set()
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            log.exception("a callback of the recorder failed")
