"""A mixin for :class:`unittest.TestCase`: each test has a cassette of its own.

::

    class TestUsers(CassetteTestCase, unittest.TestCase):
        magneto_options = {"match_on": "lenient"}

        def test_list(self):  # cassettes/TestUsers/test_list.json, beside this file
            ...

``setUp`` is in the session, so what it requests is recorded; so are coroutine tests of
``IsolatedAsyncioTestCase``. A refused request fails the test even where the code under test has
swallowed the refusal. A test that fails leaves its cassette as it was.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from magneto_serge.testing.naming import FOLDER, cassette_name
from magneto_serge.testing.run import shared

if TYPE_CHECKING:
    import unittest

    from magneto_serge.sessions import CassetteSession

    _Base = unittest.TestCase
else:
    _Base = object


class CassetteTestCase(_Base):
    """Mixin; write it before ``unittest.TestCase``.

    ``magneto_options`` are settings (``mode``, ``match_on``, ...), for all tests of the class;
    ``magneto`` is the session while a test runs.
    """

    magneto_options: ClassVar[dict[str, Any]] = {}
    magneto: CassetteSession

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test in a session of its own."""
        if result is None:
            result = self.defaultTestResult()
        opened = shared().open(self.id(), self._cassette(), (), self._settings())
        self.magneto = opened.session
        self.addCleanup(opened.raise_misses)
        before = len(result.failures) + len(result.errors)
        failed = True
        try:
            super().run(result)
            failed = len(result.failures) + len(result.errors) > before
        finally:
            opened.close(outcome="failed" if failed else "passed", save=not failed)
        return result

    def _cassette(self) -> str:
        name = type(self).__qualname__.rpartition(".")[2]
        return cassette_name(name, [], self._testMethodName)

    def _settings(self) -> dict[str, Any]:
        folder = Path(inspect.getfile(type(self))).parent / FOLDER
        return {"cassette_dir": folder, **self.magneto_options}
