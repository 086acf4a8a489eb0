"""The pytest plugin: a session for each test that asks for one, in one proxy for the whole run.

A test asks with ``@pytest.mark.magneto`` or with the fixture ``magneto``. Its session is opened
before the test's other fixtures of function scope and closed after them; the process is led to it
(``capture``), so that every client is recorded. What is decided here is only when things happen:
what a test asked for is added up in ``testing.options``, sessions live in ``testing.run``, and what
happened is told by ``testing.summary``.

pytest imports this module in every run, of projects that never use it too: nothing else is imported
before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from magneto_serge.sessions import CassetteSession
    from magneto_serge.testing.blocking import Guard
    from magneto_serge.testing.results import Results
    from magneto_serge.testing.run import OpenSession, Run

_RECORDING_PLUGINS = {"recording": "pytest_recording", "vcr": "pytest_vcr"}  # who own `vcr` marks

_OPEN: pytest.StashKey[OpenSession] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_MARKS: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()  # the names that are understood
_GUARD: pytest.StashKey[Guard] = pytest.StashKey()
_SELECTED: pytest.StashKey[bool] = pytest.StashKey()

# The test that is run, the inner one last where pytest runs in a test of pytest. Fixtures ask here:
# their parameter ``request`` has pytest make two objects, and inspect a signature for each, for
# each fixture of each test (0.04 ms).
_running: list[pytest.Item] = []

# option, ini type, default, help
_OPTIONS: tuple[tuple[str, str, Any, str], ...] = (
    ("mode", "string", "", "Mode of every session: auto, record, replay, hybrid, ..."),
    ("block-network", "bool", False, "Refuse connections of tests that do not go to the proxy."),
    ("allowed-hosts", "args", [], "With --block-network: hosts that may be reached, by commas."),
    ("disable-recording", "bool", False, "Open no sessions: tests talk to the network."),
    ("save-failed", "bool", False, "Save what a test recorded even where the test failed."),
    ("unused", "string", "warn", "Recordings that nothing played: ignore, warn or fail."),
    ("report", "string", "", "Write what every session did to FILE: .html, or .json."),
    ("vcr-compat", "bool", False, "Understand pytest.mark.vcr even where another plugin does."),
)
_ALIASES = {
    "mode": "--record-mode",
    "block-network": "--block-network",
    "allowed-hosts": "--allowed-hosts",
    "disable-recording": "--disable-recording",
}


def _rivals(manager: pytest.PytestPluginManager) -> bool:
    """Whether another plugin is there that owns the ``vcr`` marks, and the options' short names."""
    return any(
        not manager.is_blocked(name) and find_spec(module) is not None
        for name, module in _RECORDING_PLUGINS.items()
    )


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, each on the command line and in the configuration file."""
    group = parser.getgroup("magneto", "recorded HTTP and WebSocket traffic (magneto-serge)")
    free = not _rivals(pluginmanager)
    for name, kind, default, text in _OPTIONS:
        names = [f"--magneto-{name}"]
        if free and name in _ALIASES:
            names.append(_ALIASES[name])
        attributes: dict[str, Any] = {"action": "store_true", "default": None}
        if kind != "bool":
            attributes = {"default": None, "metavar": "FILE" if name == "report" else "VALUE"}
        group.addoption(*names, dest=f"magneto_{name.replace('-', '_')}", help=text, **attributes)
        parser.addini(f"magneto_{name.replace('-', '_')}", text, kind, default)  # type: ignore[arg-type]  # one of its words
    parser.addini(
        "magneto_cassette_dir", "Folder of all cassettes, from the root folder.", "string", ""
    )


def _option(config: pytest.Config, name: str) -> Any:
    """Return an option: from the command line, else from the configuration file."""
    given = config.getoption(f"magneto_{name}")
    return config.getini(f"magneto_{name}") if given is None else given


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; stand in the network's way where that is asked for."""
    config.addinivalue_line(
        "markers",
        "magneto(*cassettes, **options): record the test's traffic, or replay it; see "
        "docs/pytest.md for the options",
    )
    config.stash[_MARKS] = ("magneto",)
    if _option(config, "vcr_compat") or not _rivals(config.pluginmanager):
        config.stash[_MARKS] = ("magneto", "vcr", "default_cassette")
        config.addinivalue_line(
            "markers", "vcr(*cassettes, **options): as VCR.py's plugins have it"
        )
        config.addinivalue_line("markers", "default_cassette(name): the cassette's name")
    if not _rivals(config.pluginmanager):
        config.addinivalue_line(
            "markers", "block_network(allowed_hosts=[]): refuse connections but to the proxy"
        )
    unused = _option(config, "unused")
    if unused not in ("ignore", "warn", "fail"):
        raise pytest.UsageError(f"--magneto-unused: {unused!r} is none of ignore, warn, fail")
    mode = _option(config, "mode")
    if mode:
        from magneto_serge.errors import ConfigError
        from magneto_serge.testing.vcr_marks import mode_named

        try:
            mode_named(mode)
        except ConfigError as error:
            raise pytest.UsageError(f"--magneto-mode: {error}") from None


def _run(config: pytest.Config) -> Run:
    from magneto_serge.testing.run import shared

    return shared()


# --- fixtures --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def magneto_config() -> dict[str, Any]:
    """Options for tests with recordings; override it in any scope."""
    return {}


@pytest.fixture
def magneto_cassette_dir() -> Path:
    """The folder of the test's cassette: ``cassettes`` beside the test's file."""
    from magneto_serge.testing.naming import FOLDER

    item = _running[-1]
    configured = item.config.getini("magneto_cassette_dir")
    if configured:
        return Path(item.config.rootpath, configured)
    return item.path.parent / FOLDER


@pytest.fixture
def magneto_cassette_name() -> str:
    """The name of the test's cassette, where its mark does not give one."""
    return _name_of(_running[-1])


def _name_of(item: pytest.Item) -> str:
    from magneto_serge.testing.naming import cassette_name

    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return cassette_name(item.path.stem, classes, item.name)


@pytest.fixture(scope="session")
def magneto_ca(request: pytest.FixtureRequest) -> Path:
    """The PEM file of the certificate authority that clients must trust."""
    return _run(request.config).proxy.ca_path


@pytest.fixture
def magneto(
    magneto_config: object,
    magneto_cassette_dir: Path,
    magneto_cassette_name: str,
) -> Iterator[CassetteSession]:
    """The test's session: ``url``, ``env()``, ``misses``, ``play_counts``, ``mode``, ..."""
    from magneto_serge.testing.options import resolve

    node = _running[-1]
    with _mistakes_told(node.nodeid):
        asked = resolve(
            {"cassette_dir": magneto_cassette_dir},
            magneto_config,
            _marks(node),
            _from_command_line(node.config),
        )
        opened = _run(node.config).open(
            node.nodeid, asked.name or magneto_cassette_name, asked.more, asked.settings
        )
    opened.tolerant = asked.misses == "ignore"
    node.stash[_OPEN] = opened
    try:
        yield opened.session
    finally:
        failed = node.stash.get(_FAILED, True)
        save = not failed or asked.save_failed or bool(_option(node.config, "save_failed"))
        del node.stash[_OPEN]
        opened.close(outcome="failed" if failed else "passed", save=save)


@pytest.fixture(autouse=True)
def _magneto_for_marks(request: pytest.FixtureRequest) -> None:
    """Open the session of a test that is marked, before its other fixtures of function scope."""
    if _is_marked(request.node) and not _option(request.config, "disable_recording"):
        request.getfixturevalue("magneto")


@pytest.fixture(scope="session")
def magneto_cassette(
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Open a session in a fixture of any scope: ``with magneto_cassette("login"): ...``.

    The arguments are a cassette's name and options of the mark; the cassette is in the folder
    ``cassettes`` of the root folder unless ``cassette_dir`` says otherwise.
    """
    from magneto_serge.testing.naming import FOLDER
    from magneto_serge.testing.options import Mark, resolve

    folder = request.config.getini("magneto_cassette_dir") or FOLDER

    @contextmanager
    def opened(name: str, **options: Any) -> Iterator[CassetteSession]:
        mark = Mark((name,), options, f"magneto_cassette({name!r})")
        with _mistakes_told():
            asked = resolve(
                {"cassette_dir": Path(request.config.rootpath, folder)},
                {},
                [mark],
                _from_command_line(request.config),
            )
            session = _run(request.config).open(f"fixture {name}", name, asked.more, asked.settings)
        good = False
        try:
            yield session.session
            good = True
        finally:
            session.close(outcome="passed" if good else "failed", save=good or asked.save_failed)
        if asked.misses == "fail":
            session.raise_misses()

    return opened


@contextmanager
def _mistakes_told(*tests: str) -> Iterator[None]:
    """Let a user's mistake fail what asks for a session, in words and without a traceback."""
    from magneto_serge.errors import CassetteNotFoundError, MagnetoError

    try:
        yield
    except CassetteNotFoundError as error:
        story = str(error).partition(" To record it:")[0]
        command = " ".join(("pytest --magneto-mode=auto", *tests))
        pytest.fail(f"{story} To record it: {command}", False)
    except MagnetoError as error:
        pytest.fail(str(error), False)


def _from_command_line(config: pytest.Config) -> dict[str, Any]:
    from magneto_serge.testing.vcr_marks import mode_named

    if _option(config, "disable_recording"):  # who takes the fixture has a session, and no cassette
        return {"mode": mode_named("passthrough")}
    mode = _option(config, "mode")
    return {"mode": mode_named(mode)} if mode else {}


# --- marks -----------------------------------------------------------------------------------


def _is_marked(node: pytest.Item) -> bool:
    return any(node.get_closest_marker(name) for name in node.config.stash[_MARKS])


def _marks(node: pytest.Item) -> list[Any]:
    """Return the marks of a test, the nearest first, as options of ours."""
    from magneto_serge.testing.options import Mark
    from magneto_serge.testing.vcr_marks import translated

    found = []
    names = node.config.stash[_MARKS]
    for where, mark in node.iter_markers_with_node():
        if mark.name not in names:
            continue
        place = f"the mark {mark.name} of {where.nodeid}"
        if mark.name == "magneto":
            found.append(Mark(mark.args, mark.kwargs, place))
        else:
            found.append(translated(mark.name, mark.args, mark.kwargs, place))
    return found


def _marks_if_good(node: pytest.Item) -> list[Any]:
    """Return the marks of a test; none where they hold a mistake, which its set-up will tell."""
    from magneto_serge.errors import MagnetoError

    try:
        return _marks(node)
    except MagnetoError:
        return []


# --- a test's way ----------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note which test runs; block the network while it and its fixtures do."""
    _running.append(item)
    try:
        return (yield from _blocking(item))
    finally:
        _running.pop()


def _blocking(item: pytest.Item) -> Generator[None, object, object]:
    mark = item.get_closest_marker("block_network")
    if mark is not None and _rivals(item.config.pluginmanager):
        mark = None  # it is another plugin's
    if mark is None and not _option(item.config, "block_network"):
        return (yield)
    guard = _guard(item.config)
    hosts = _split(_option(item.config, "allowed_hosts"))
    if mark is not None:
        hosts += _split(mark.kwargs.get("allowed_hosts", ()))
    guard.block(hosts, str(item.path))
    try:
        return (yield)
    finally:
        guard.on = False


def _split(hosts: str | Iterable[str]) -> list[str]:
    """Return the hosts of one text, or of several, with commas or spaces between them."""
    texts = [hosts] if isinstance(hosts, str) else hosts
    return [host for text in texts for host in text.replace(",", " ").split()]


def _guard(config: pytest.Config) -> Guard:
    """Return what blocks; it stands below whatever leads sockets, so it is put there first."""
    guard = config.stash.get(_GUARD, None)
    if guard is None:
        from magneto_serge.testing.blocking import Guard

        guard = config.stash[_GUARD] = Guard()
        guard.install()
    return guard


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that had a request refused, even where its code has swallowed the refusal."""
    __tracebackhide__ = True
    result = yield
    opened = item.stash.get(_OPEN, None)
    if opened is not None and not opened.tolerant:
        opened.raise_misses()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test failed; show what was refused where it failed for another reason."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    elif call.when == "setup" and not report.passed:
        item.stash[_FAILED] = True
    opened = item.stash.get(_OPEN, None)
    if opened is not None and report.failed and opened.session.misses:
        text = opened.explain()
        if text not in str(report.longrepr):
            report.sections.append(("requests refused by magneto", text))
    return report


# --- the run ---------------------------------------------------------------------------------


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note that not every test is run: then nothing can be said about what is not used."""
    if items:
        items[0].config.stash[_SELECTED] = True


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which cassettes the collected tests own."""
    if any(item.get_closest_marker("block_network") for item in session.items):
        _guard(session.config)  # before any session can be open
    marked = [item for item in session.items if _is_marked(item)]
    if not marked:
        return
    from magneto_serge.testing import ownership

    results = _run(session.config).results
    ownership.note(
        results,
        marked,
        names=[(_marks_if_good(item), _name_of(item)) for item in marked],
        root=session.config.rootpath,
        configured=session.config.getini("magneto_cassette_dir"),
        selected=session.config.stash.get(_SELECTED, False)
        or any("::" in str(argument) for argument in session.config.args),
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the proxy; hand what happened to the process that reports."""
    import sys

    config = session.config
    guard = config.stash.get(_GUARD, None)
    if guard is not None:
        guard.uninstall()
    if "magneto_serge.testing.run" not in sys.modules:
        return
    run = _run(config)
    run.close()
    output = getattr(config, "workeroutput", None)
    if output is not None:  # a worker of pytest-xdist
        import msgspec

        output["magneto"] = msgspec.json.encode(run.results).decode()
        return
    from magneto_serge.testing import summary

    if exitstatus == 0 and summary.fails(run.results, _option(config, "unused")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    report = _option(config, "report")
    if report:
        summary.write_report(run.results, Path(config.invocation_params.dir, report))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker of pytest-xdist saw."""
    text = getattr(node, "workeroutput", {}).get("magneto")
    if text:
        import msgspec

        from magneto_serge.testing.results import Results

        _run(node.config).results.merge(msgspec.json.decode(text, type=Results))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was recorded, replayed, missed, and left unused."""
    import sys

    if "magneto_serge.testing.run" not in sys.modules:
        return
    results: Results = _run(config).results
    if not results.records:
        return
    from magneto_serge.testing import summary

    terminalreporter.section("magneto", sep="-")
    for line in summary.lines(results, _option(config, "unused"), root=config.rootpath):
        terminalreporter.write_line(line.text, **line.markup)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget the run: pytest may be called again in this process (its own tests do)."""
    import sys

    if "magneto_serge.testing.run" in sys.modules:
        run = _run(config)
        run.close()
        run.forget()
