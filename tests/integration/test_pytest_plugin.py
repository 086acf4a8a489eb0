"""The pytest plugin, as a user runs it: pytest in a project of its own, with real clients."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .origin import Origin
from .pytest_project import Project
from .tapes import urls_in


@pytest.fixture
def project(tmp_path: Path, data_dir: Path) -> Project:
    """An empty project."""
    return Project(tmp_path, data_dir)


def basics(origin: Origin) -> str:
    """Return a test file with marks of every kind."""
    return f'''
        import asyncio, subprocess, sys, unittest, urllib.request
        import httpx, pytest, requests, urllib3

        URL = "{origin.url("/json")}"
        POOL = urllib3.PoolManager()
        CLIENT = httpx.Client()

        @pytest.mark.magneto
        def test_clients(magneto):
            for ask in (requests.get, httpx.get, CLIENT.get):
                assert ask(URL).status_code == 200
            assert POOL.request("GET", URL).status == 200
            assert magneto.mode in ("auto", "record", "replay")
            assert magneto.cassette_path.name == "test_clients.json"

        @pytest.mark.magneto("shared/name", mode="auto")
        def test_named():
            requests.get(URL + "?named")

        @pytest.mark.magneto
        @pytest.mark.parametrize("query", ["a/b", "c"])
        def test_many(query):
            requests.get(URL, params={{"q": query}})

        def test_by_fixture(magneto):
            requests.get(URL + "?fixture")

        @pytest.mark.vcr
        def test_as_with_vcr():
            requests.get(URL + "?vcr")

        @pytest.mark.magneto
        def test_subprocess():
            code = f"import urllib.request; urllib.request.urlopen('{{URL}}?child').read()"
            subprocess.run([sys.executable, "-c", code], check=True)

        @pytest.mark.magneto
        class TestClass:
            def test_method(self):
                requests.get(URL + "?method")

        @pytest.mark.magneto
        class TestOfUnittest(unittest.TestCase):
            def setUp(self):
                requests.get(URL + "?setup")

            def test_case(self):
                requests.get(URL + "?case")

        def test_without_a_session():
            pass
    '''


NAMES = [
    "cassettes/shared/name.json",
    "cassettes/test_x/TestClass.test_method.json",
    "cassettes/test_x/TestOfUnittest.test_case.json",
    "cassettes/test_x/test_as_with_vcr.json",
    "cassettes/test_x/test_by_fixture.json",
    "cassettes/test_x/test_clients.json",
    "cassettes/test_x/test_many[a-b]-edcf81.json",
    "cassettes/test_x/test_many[c].json",
    "cassettes/test_x/test_subprocess.json",
]


def test_first_run_records_the_next_replays(origin: Origin, project: Project) -> None:
    """Every kind of test is recorded, and replayed with the origin gone, on two workers too."""
    project.write(test_x=basics(origin))
    first = project.run()
    assert first.code == 0, first.text
    assert project.cassettes() == NAMES
    assert "9 sessions: 13 recorded" in first.text
    origin.stop()
    for arguments in ((), ("-n", "2"), ("--record-mode=none", "--block-network")):
        again = project.run(*arguments)
        assert again.code == 0, again.text
        assert "9 sessions: 13 replayed" in again.text
        assert again.report["totals"]["replayed"] == 13
    assert project.cassettes() == NAMES


def test_workers_record_the_same(origin: Origin, project: Project) -> None:
    """On two workers the same cassettes are recorded as on one."""
    project.write(test_x=basics(origin))
    assert project.run("-n", "2").code == 0
    assert project.cassettes() == NAMES


def test_miss_fails_the_test(origin: Origin, project: Project) -> None:
    """A refused request fails the test that swallowed the refusal, and is explained."""
    project.write(
        test_x=f'''
        import os, pytest, requests
        URL = "{origin.url("/echo")}"

        @pytest.mark.magneto
        def test_swallows():
            requests.get(URL + "?page=" + os.environ["PAGE"])

        @pytest.mark.magneto
        def test_has_trouble_of_its_own():
            requests.get(URL + "?page=" + os.environ["PAGE"]).raise_for_status()

        @pytest.mark.magneto(misses="ignore")
        def test_wants_the_miss():
            code = requests.get(URL + "?page=" + os.environ["PAGE"]).status_code
            assert code == (200 if os.environ["PAGE"] == "1" else 502)

        @pytest.mark.xfail(strict=True)
        @pytest.mark.magneto
        def test_expected():
            requests.get(URL + "?page=" + os.environ["PAGE"])
            assert os.environ["PAGE"] != "1"
        '''
    )
    assert project.run("--magneto-save-failed", PAGE="1").code == 0
    again = project.run(PAGE="2")
    assert again.tests == {
        "test_swallows": "FAILED",
        "test_has_trouble_of_its_own": "FAILED",
        "test_wants_the_miss": "PASSED",
        "test_expected": "XFAIL",
    }
    assert "nearest" in again.text
    assert "page" in again.text
    assert "requests refused by magneto" in again.text
    assert len(again.report["sessions"][0]["misses"]) == 1


def test_failed_test_leaves_its_cassette(origin: Origin, project: Project) -> None:
    """A test that fails neither makes nor changes a cassette, unless that is asked for."""
    project.write(
        test_x=f'''
        import os, pytest, requests

        @pytest.mark.magneto
        def test_it():
            requests.get("{origin.url("/echo?")}" + os.environ["N"])
            assert os.environ["N"] != "bad"
        '''
    )
    assert project.run(N="bad").code == 1
    assert project.cassettes() == []
    assert project.run(N="good").code == 0
    path = project.folder / "cassettes/test_x/test_it.json"
    before = path.read_bytes()
    failed = project.run("--magneto-mode=record", N="bad")
    assert "not saved, because the test failed: cassettes/test_x/test_it.json" in failed.text
    assert path.read_bytes() == before
    project.run("--magneto-mode=record", "--magneto-save-failed", N="bad")
    assert b"/echo?bad" in path.read_bytes()


def test_precedence(origin: Origin, project: Project) -> None:
    """Command line before mark before fixture before configuration file."""
    project.write(
        conftest="""
        import pytest

        @pytest.fixture(scope="module")
        def magneto_config():
            return {"format": "msgpack", "mode": "passthrough"}
        """,
        test_x=f'''
        import os, pytest, requests

        @pytest.mark.magneto
        def test_fixture(magneto):
            assert str(magneto.mode) == os.environ.get("MODE", "passthrough")

        @pytest.mark.magneto(mode="record")
        def test_mark(magneto):
            requests.get("{origin.url("/json")}")
            assert str(magneto.mode) == os.environ.get("MODE", "record")
            assert magneto.cassette_path.parts[-3:] == ("tapes", "test_x", "test_mark.msgpack")
        ''',
    )
    (project.folder / "pytest.ini").write_text("[pytest]\nmagneto_cassette_dir = tapes\n")
    assert project.run().code == 0
    assert project.run("--magneto-mode=hybrid", MODE="hybrid").code == 0
    (project.folder / "pytest.ini").write_text(
        "[pytest]\nmagneto_cassette_dir = tapes\nmagneto_mode = hybrid\n"
    )
    assert project.run(MODE="hybrid").code == 0
    assert project.run("--magneto-mode=passthrough", MODE="passthrough").code == 0


def test_fixtures_of_the_user(origin: Origin, project: Project) -> None:
    """A name and a folder may come from fixtures; a session may be opened in any scope."""
    project.write(
        conftest=f'''
        import pytest, requests
        from pathlib import Path

        @pytest.fixture
        def magneto_cassette_name(request):
            return "mine-" + request.node.name

        @pytest.fixture
        def magneto_cassette_dir():
            return Path(__file__).parent / "elsewhere"

        @pytest.fixture(scope="session")
        def token(magneto_cassette):
            with magneto_cassette("login", cassette_dir="elsewhere"):
                return requests.get("{origin.url("/echo?login")}").status_code
        ''',
        test_x=f'''
        import pytest, requests

        @pytest.mark.magneto
        def test_it(token, magneto, magneto_ca):
            assert token == 200
            assert magneto_ca == magneto.ca_path
            requests.get("{origin.url("/json")}")
        ''',
    )
    assert project.run().code == 0
    assert project.cassettes() == ["elsewhere/login.json", "elsewhere/mine-test_it.json"]
    origin.stop()
    again = project.run()
    assert "2 sessions: 2 replayed" in again.text


def test_names_where_pytest_runs_in_a_test(project: Project) -> None:
    """A cassette is called after its own test, also where that test has run pytest itself."""
    project.write(
        conftest="pytest_plugins = ['pytester']",
        test_x="""
        def test_outer(request, pytester):
            pytester.makepyfile(
                test_inner="def test_it(magneto_cassette_name):\\n"
                "    assert magneto_cassette_name == 'test_inner/test_it'\\n"
            )
            pytester.runpytest_inprocess().assert_outcomes(passed=1)
            assert request.getfixturevalue("magneto_cassette_name") == "test_x/test_outer"
        """,
    )
    done = project.run()
    assert done.code == 0, done.text


def test_a_mistake_in_a_fixture_of_the_user(project: Project) -> None:
    """An option that is none, and a cassette that is not there, are told without a traceback."""
    project.write(
        test_x="""
        import pytest

        @pytest.fixture
        def wrong(magneto_cassette):
            with magneto_cassette("login", colour="red"):
                yield

        @pytest.fixture
        def absent(magneto_cassette):
            with magneto_cassette("login", mode="replay"):
                yield

        def test_wrong(wrong):
            pass

        def test_absent(absent):
            pass
        """,
    )
    run = project.run()
    assert run.code == 1
    assert "colour" in run.text
    assert "To record it: pytest --magneto-mode=auto" in run.text
    assert "Traceback" not in run.text
    assert "magneto_serge/" not in run.text


def test_blocked_network(origin: Origin, project: Project) -> None:
    """What does not go to the proxy is refused, with the line that tried; hosts can be allowed."""
    project.write(
        test_x=f'''
        import pytest, urllib.request

        def ask():
            return urllib.request.urlopen("{origin.url("/json")}").status

        def test_outside():
            ask()

        @pytest.mark.magneto
        def test_recorded():
            assert ask() == 200

        @pytest.mark.block_network(allowed_hosts=["127.0.0.1"])
        def test_allowed():
            assert ask() == 200

        @pytest.mark.block_network
        def test_marked():
            ask()
        '''
    )
    found = project.run("--block-network")
    expected = {"test_outside": "FAILED", "test_marked": "FAILED"}
    assert found.tests == expected | {"test_recorded": "PASSED", "test_allowed": "PASSED"}
    assert "test_x.py:5, in ask: a connection to 127.0.0.1" in found.text
    for allowed in ("*", "localhost, 127.0.0.1", "127.0.0.*"):
        assert project.run(f"--allowed-hosts={allowed}", "--block-network").code == 0
    assert project.run("--allowed-hosts=10.0.0.1", "--block-network").tests == found.tests
    assert project.run().tests["test_outside"] == "PASSED"


def test_what_is_unused(origin: Origin, project: Project) -> None:
    """Recordings that nothing plays, and cassettes of no test, are told, and fail if asked."""
    project.write(
        test_x=f'''
        import os, pytest, requests

        @pytest.mark.magneto
        def test_it():
            requests.get("{origin.url("/echo?1")}")
            if "ALL" in os.environ:
                requests.get("{origin.url("/echo?2")}")

        @pytest.mark.magneto
        def test_other():
            requests.get("{origin.url("/echo?3")}")
        '''
    )
    assert project.run(ALL="1").code == 0
    (project.folder / "cassettes/test_x/test_gone.json").write_bytes(
        (project.folder / "cassettes/test_x/test_it.json").read_bytes()
    )
    for arguments in ((), ("-n", "2")):
        warned = project.run(*arguments)
        assert warned.code == 0
        assert "not played: cassettes/test_x/test_it.json: #2" in warned.text
        assert "belongs to no test: cassettes/test_x/test_gone.json" in warned.text
        assert project.run("--magneto-unused=fail", *arguments).code == 1
        assert "belongs" not in project.run("--magneto-unused=ignore", *arguments).text
        selected = project.run("--magneto-unused=fail", "-k", "other", *arguments)
        assert selected.code == 0, selected.text


def test_left_over_thread(origin: Origin, project: Project) -> None:
    """A thread of an earlier test is never served from a later test's cassette."""
    project.write(
        test_x=f'''
        import threading, pytest, requests, urllib3
        URL = "{origin.url("/json")}"
        GO, SAID = threading.Event(), []

        def late():
            GO.wait(20)
            for ask in (lambda: urllib3.PoolManager().request("GET", URL, retries=False),
                        lambda: requests.get(URL)):
                try:
                    SAID.append(ask())
                except Exception as error:
                    SAID.append(error)

        @pytest.mark.magneto
        def test_earlier():
            global THREAD
            requests.get(URL)
            THREAD = threading.Thread(target=late)
            THREAD.start()

        @pytest.mark.magneto
        def test_later(magneto):
            requests.get(URL)
            GO.set()
            THREAD.join()
            assert len(magneto.requests) == 1
            assert all("is over" in str(each) for each in SAID), SAID
        '''
    )
    for _ in range(2):
        found = project.run()
        assert found.code == 0, found.text


def test_asyncio_tests(origin: Origin, project: Project) -> None:
    """Coroutine tests of anyio are in their session."""
    project.write(
        test_x=f'''
        import aiohttp, httpx, pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        @pytest.mark.magneto
        async def test_it(magneto):
            async with httpx.AsyncClient() as client:
                assert (await client.get("{origin.url("/json")}")).status_code == 200
            async with aiohttp.ClientSession() as session:
                async with session.get("{origin.url("/json")}") as response:
                    assert response.status == 200
            assert len(magneto.requests) == 2
        '''
    )
    assert project.run().code == 0
    origin.stop()
    found = project.run()
    assert "1 session: 2 replayed" in found.text, found.text


def test_loop_of_a_module(origin: Origin, project: Project) -> None:
    """Tests of pytest-asyncio that share a loop have sessions of their own all the same."""
    pytest.importorskip("pytest_asyncio")
    project.write(
        test_x=f'''
        import aiohttp, asyncio, pytest

        pytestmark = [pytest.mark.magneto, pytest.mark.asyncio(loop_scope="module")]

        async def ask(number):
            async with aiohttp.ClientSession() as session:
                async with session.get("{origin.url("/echo?")}" + str(number)) as response:
                    return await response.text()

        @pytest.mark.parametrize("number", [1, 2, 3])
        async def test_it(magneto, number):
            await asyncio.gather(ask(number), asyncio.create_task(ask(number)))
            targets = [request.target for request in magneto.requests]
            assert targets == [f"/echo?{{number}}"] * 2
        '''
    )
    options = ("-o", "asyncio_default_fixture_loop_scope=function")
    assert project.run(*options).code == 0
    origin.stop()
    found = project.run(*options)
    assert "3 sessions: 6 replayed" in found.text, found.text


def test_servers_of_the_test_itself(origin: Origin, project: Project) -> None:
    """localhost is recorded, unless it is to be left alone: all of it, or one port."""
    project.write(
        test_x=f'''
        import pytest, requests, urllib3
        URL = "{origin.url("/json")}"

        @pytest.mark.magneto
        def test_recorded(magneto):
            requests.get(URL)
            assert len(magneto.requests) == 1

        @pytest.mark.magneto(ignore_localhost=True)
        def test_left_alone(magneto):
            assert requests.get(URL).status_code == 200
            assert urllib3.PoolManager().request("GET", URL).status == 200
            assert magneto.recorded == 0

        @pytest.mark.magneto(ignore_hosts=["127.0.0.1:{origin.port}"])
        def test_port(magneto):
            assert requests.get(URL).status_code == 200
            assert magneto.recorded == 0
        '''
    )
    assert project.run().code == 0
    assert project.cassettes() == ["cassettes/test_x/test_recorded.json"]


def test_stale_cassettes_are_told(origin: Origin, project: Project) -> None:
    """A cassette that is older than it may be is named at the end, or fails its test."""
    project.write(
        test_x=f'''
        import pytest, requests

        @pytest.mark.magneto
        def test_it():
            requests.get("{origin.url("/json")}")
        '''
    )
    project.run()
    path = project.folder / "cassettes/test_x/test_it.json"
    path.write_text(re.sub(r'"20\d\d-', '"2019-', path.read_text()))
    (project.folder / "magneto.toml").write_text('max_age = "30d"\n')
    found = project.run()
    assert found.code == 0, found.text
    assert "1 stale" in found.text
    assert "stale: cassettes/test_x/test_it.json: " in found.text
    (project.folder / "magneto.toml").write_text('max_age = "30d"\nstale = "fail"\n')
    assert project.run().tests == {"test_it": "ERROR"}


def test_report_for_prune(origin: Origin, project: Project) -> None:
    """`magneto prune --unused` removes what no test of the report has played."""
    project.write(
        test_x=f'''
        import os, pytest, requests

        @pytest.mark.magneto
        def test_it():
            for number in range(int(os.environ["N"])):
                requests.get("{origin.url("/echo?")}" + str(number))
        '''
    )
    project.run(N="3")
    project.run(N="1")
    magneto = str(Path(sys.executable).with_name("magneto"))
    pruned = subprocess.run(
        [magneto, "prune", "--unused", "report.json", "--yes", "-d", "cassettes"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert pruned.returncode == 0, pruned.stderr
    assert urls_in(project.folder / "cassettes/test_x/test_it.json") == [origin.url("/echo?0")]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("magneto(mod='auto')", "there is no option mod; did you mean mode?"),
        ("magneto(mode='sometimes')", "There is no mode 'sometimes'"),
        ("magneto(mode='replay')", "To record it: pytest --magneto-mode=auto test_x.py::test_it"),
        ("magneto('../x')", "would leave the cassette folder"),
        ("vcr(before_record_request=print)", "VCR.py's option before_record_request"),
    ],
)
def test_mistakes_in_a_mark(project: Project, mark: str, said: str) -> None:
    """A mistake is an error of that test, in one sentence and without our traceback."""
    project.write(
        test_x=f"""
        import pytest

        @pytest.mark.{mark}
        def test_it():
            pass
        """
    )
    found = project.run()
    assert found.tests == {"test_it": "ERROR"}
    assert said in found.text
    assert "magneto_serge/" not in found.text.replace(".venv", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--magneto-mode=sometimes"], "there is no mode 'sometimes'"),
        (["--magneto-unused=maybe"], "'maybe' is none of ignore, warn, fail"),
    ],
)
def test_mistakes_on_the_command_line(project: Project, arguments: list[str], said: str) -> None:
    """A wrong option is a usage error before any test runs."""
    found = project.run(*arguments)
    assert found.code == 4
    assert said in found.text


def test_recording_may_be_disabled(origin: Origin, project: Project) -> None:
    """With recording disabled tests talk to the network, and no cassette is touched."""
    project.write(
        test_x=f'''
        import pytest, requests

        @pytest.mark.magneto
        def test_it():
            assert requests.get("{origin.url("/json")}").status_code == 200

        def test_with_the_fixture(magneto):
            assert requests.get("{origin.url("/json")}").status_code == 200
            assert magneto.recorded == 0
        '''
    )
    assert project.run("--disable-recording").code == 0
    assert project.cassettes() == []
