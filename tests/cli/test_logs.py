"""The proxy's log as the command prints it."""

from __future__ import annotations

import io
import json
import logging
import re

from magneto_serge.cli.logs import logging_to
from magneto_serge.cli.screen import Screen

LOG = logging.getLogger("magneto_serge.anything")


def logged(*, level: str = "warning", log_format: str = "text") -> str:
    """Return what is printed when three things are logged."""
    stream = io.StringIO()
    with logging_to(Screen(stream=stream), level=level, log_format=log_format):
        LOG.info("details of %s", "this")
        LOG.warning("careful with %s", "that")
        try:
            raise ValueError("odd")
        except ValueError:
            LOG.exception("broken")
    return stream.getvalue()


def test_text_lines_have_time_level_and_message() -> None:
    """A person reads them."""
    first = logged().splitlines()[0]
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING careful with that", first)


def test_only_what_reaches_the_level_is_printed() -> None:
    """--log-level info shows more than warning does."""
    assert "details of this" not in logged()
    assert "details of this" in logged(level="info")


def test_json_lines_are_one_object_each() -> None:
    """A traceback is a field, not more lines."""
    records = [json.loads(line) for line in logged(log_format="json").splitlines()]
    assert [record["level"] for record in records] == ["warning", "error"]
    assert records[0]["logger"] == "magneto_serge.anything"
    assert records[1]["exception"].endswith("ValueError: odd")


def test_what_the_command_says_itself_is_not_logged_as_well() -> None:
    """A miss is explained once."""
    stream = io.StringIO()
    with logging_to(Screen(stream=stream), level="warning", log_format="text"):
        LOG.warning("Refused: %s", "GET http://a.example/")
    assert stream.getvalue() == ""


def test_a_record_that_cannot_be_formatted_breaks_nothing() -> None:
    """A mistake in a log call must not end an exchange."""
    stream = io.StringIO()
    raising, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        with logging_to(Screen(stream=stream), level="warning", log_format="text"):
            LOG.warning("%d", "not a number")
            LOG.warning("but this")
    finally:
        logging.raiseExceptions = raising
    assert stream.getvalue().endswith("but this\n")


def test_the_logger_is_left_as_it_was() -> None:
    """A library's user configures logging; the command takes its handler away again."""
    logger = logging.getLogger("magneto_serge")
    before = (list(logger.handlers), logger.level, logger.propagate)
    logged(level="debug")
    assert (list(logger.handlers), logger.level, logger.propagate) == before
