"""A sample project for each client: recorded once, then replayed where there is no network at all.

The code under test is what a user would write and knows nothing of us; only its tests carry a mark.
The replay runs in a network namespace that has nothing but a loopback of its own, where that can be
had, and with the origin gone in any case.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin
from .origin import Origin
from .pytest_project import Project


def sealed() -> tuple[str, ...]:
    """Return the words before a command that cut the network off; none where we may not."""
    words = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
    if not (shutil.which("unshare") and shutil.which("ip")):
        return ()
    done = subprocess.run([*words, "true"], capture_output=True, check=False, timeout=20)
    return words if done.returncode == 0 else ()


@pytest.fixture
def project(tmp_path: Path, data_dir: Path, origin_authority: ThrowawayAuthority) -> Project:
    """A project whose recordings trust the origins' authority."""
    (tmp_path / "magneto.toml").write_text(f'upstream_ca = "{origin_authority.pem}"\n')
    return Project(tmp_path, data_dir)


def record_and_replay(project: Project, *origins: Origin, count: int) -> None:
    """Run the project's tests twice; ``count`` interactions are recorded, and replayed."""
    first = project.run()
    assert first.code == 0, first.text
    assert first.report["totals"]["recorded"] == count, first.text
    for origin in origins:
        origin.stop()
    again = project.run("--magneto-mode=replay", "--block-network", before=sealed())
    assert again.code == 0, again.text
    assert again.report["totals"]["replayed"] == count, again.text
    assert again.report["totals"]["missed"] == 0


GET_MJS = """
import http from "node:http";
import https from "node:https";
import tls from "node:tls";

const url = new URL(process.argv[2]), proxy = new URL(process.env.HTTPS_PROXY);
const user = Buffer.from(`${proxy.username}:${proxy.password}`).toString("base64");
http.request({
  host: proxy.hostname, port: proxy.port, method: "CONNECT", path: url.host, agent: false,
  headers: { Host: url.host, "Proxy-Authorization": `Basic ${user}` },
}).once("connect", (_, socket) => {
  const secure = url.protocol === "https:";
  const client = secure ? https : http;
  const agent = new client.Agent();
  agent.createConnection = () =>
    secure ? tls.connect({ socket, servername: url.hostname }) : socket;
  client.get(url, { agent }, (response) => response.pipe(process.stdout));
}).end();
"""

CLIENTS = {
    "requests": """
        import requests
        SESSION = requests.Session()

        def fetch(url):
            return SESSION.get(url, timeout=10).json()
    """,
    "httpx": """
        import asyncio, httpx
        CLIENT = httpx.Client()

        def fetch(url):
            async def later():
                async with httpx.AsyncClient() as client:
                    return (await client.get(url)).json()
            asyncio.run(later())
            return CLIENT.get(url).json()
    """,
    "aiohttp": """
        import asyncio, aiohttp

        def fetch(url):
            async def later():
                async with aiohttp.ClientSession() as session, session.get(url) as response:
                    return await response.json()
            return asyncio.run(later())
    """,
    "urllib3": """
        import json, urllib3
        POOL = urllib3.PoolManager()

        def fetch(url):
            return json.loads(POOL.request("GET", url).data)
    """,
    "curl": """
        import json, subprocess

        def fetch(url):
            return json.loads(subprocess.check_output(["curl", "-sSf", url]))
    """,
    "node": """
        import json, pathlib, subprocess
        CODE = pathlib.Path(__file__).with_name("get.mjs")

        def fetch(url):
            return json.loads(subprocess.check_output(["node", CODE, url], timeout=20))
    """,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_sample(make_origin: MakeOrigin, project: Project, client: str) -> None:
    """Every client is recorded over HTTP and HTTPS, and replayed with the network cut."""
    if client in ("curl", "node") and shutil.which(client) is None:
        pytest.skip(f"needs {client}")
    plain, secure = make_origin(), make_origin(tls=True)
    (project.folder / "get.mjs").write_text(GET_MJS)
    project.write(
        **{f"app_{client}": CLIENTS[client]},
        test_app=f'''
        import pytest
        from app_{client} import fetch

        pytestmark = pytest.mark.magneto

        @pytest.mark.parametrize("url", ["{plain.url("/json")}", "{secure.url("/json")}"])
        def test_fetch(url):
            assert fetch(url) == {{"ok": True}}
        ''',
    )
    record_and_replay(project, plain, secure, count=4 if client == "httpx" else 2)


def test_boto3(project: Project, tmp_path: Path) -> None:
    """boto3 with an S3 of this machine: signed requests replay, whatever the time is by then."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    project.write(
        test_s3=f"""
        import boto3, pytest

        S3 = boto3.client(
            "s3", endpoint_url="http://{host}:{port}", region_name="eu-west-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="secret",
        )

        @pytest.mark.magneto
        def test_s3():
            S3.create_bucket(
                Bucket="tapes", CreateBucketConfiguration={{"LocationConstraint": "eu-west-1"}}
            )
            S3.put_object(Bucket="tapes", Key="a/b.txt", Body=b"hello")
            assert S3.get_object(Bucket="tapes", Key="a/b.txt")["Body"].read() == b"hello"
            found = S3.list_objects_v2(Bucket="tapes")["Contents"]
            assert [each["Key"] for each in found] == ["a/b.txt"]
        """
    )
    try:
        first = project.run()
    finally:
        server.stop()
    assert first.code == 0, first.text
    assert first.report["totals"]["recorded"] == 4
    again = project.run("--magneto-mode=replay", "--block-network", before=sealed())
    assert again.code == 0, again.text
    assert again.report["totals"]["replayed"] == 4


def test_browser(make_origin: MakeOrigin, project: Project) -> None:
    """Chromium, driven by Playwright and launched before the test, is recorded and replayed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    pytest.importorskip("playwright.sync_api")
    plain, secure = make_origin(), make_origin(tls=True)
    project.write(
        test_page=f'''
        import pytest
        from playwright.sync_api import sync_playwright

        @pytest.fixture(scope="session")
        def browser():
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="{chromium}", args=["--no-sandbox"]
                )
                yield browser
                browser.close()

        @pytest.mark.magneto(ignore_hosts=["*.google.com", "*.googleapis.com"], misses="ignore")
        @pytest.mark.parametrize("url", ["{plain.url("/json")}", "{secure.url("/json")}"])
        def test_page(browser, url):
            page = browser.new_page()
            response = page.goto(url)
            assert response.status == 200
            assert page.evaluate("url => fetch(url).then(r => r.json())", url) == {{"ok": True}}
            page.close()
        '''
    )
    first = project.run()
    assert first.code == 0, first.text
    assert first.report["totals"]["recorded"] >= 4
    plain.stop()
    secure.stop()
    again = project.run("--magneto-mode=replay", before=sealed())
    assert again.code == 0, again.text
    assert again.report["totals"]["replayed"] >= 4
