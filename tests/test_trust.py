"""The certificates of one proxy: made when they are asked for, once, and where they belong."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import CertificateError
from magneto_serge.tls.authority import Authority
from magneto_serge.trust import Trust


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """Return the trust of a proxy with a data folder of its own."""
    return Trust(Settings(data_dir=tmp_path / "data"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Return a list that gets the data folder of each authority that is loaded or made."""
    made: list[Path] = []
    real = Authority.load_or_create

    def load_or_create(data_dir: Path, **how: Path | None) -> Authority:
        made.append(data_dir)
        return real(data_dir, **how)

    monkeypatch.setattr(Authority, "load_or_create", load_or_create)
    return made


def test_nothing_is_made_until_it_is_asked_for(trust: Trust, tmp_path: Path) -> None:
    """A proxy that sees no TLS leaves no file."""
    assert trust.data_dir == tmp_path / "data"
    assert list(tmp_path.iterdir()) == []


def test_authority_is_loaded_once(trust: Trust, counted: list[Path]) -> None:
    """However many ask for it, at the same time too."""
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        trust.client_tls("origin.test")
        trust.own_client()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [trust.data_dir]
    assert trust.authority is trust.authority


def test_clients_of_one_name_share_a_context(trust: Trust) -> None:
    """Leaves are minted once; another name has another context."""
    assert trust.client_tls("a.test") is trust.client_tls("a.test")
    assert trust.client_tls("a.test") is not trust.client_tls("b.test")


@pytest.mark.parametrize("name", ["", "a b", "x" * 300])
def test_name_that_no_certificate_can_have(name: str, trust: Trust) -> None:
    """It is an error of ours that says so, never one of the library underneath."""
    with pytest.raises(CertificateError):
        trust.client_tls(name)


@pytest.mark.parametrize("name", ["a..b", "*", "_dmarc.test", "192.0.2.1", "::1", "fe80::1%25eth0"])
def test_name_that_a_client_may_connect_to(name: str, trust: Trust) -> None:
    """Whatever CONNECT lets by has a context, or an error of ours."""
    with contextlib.suppress(CertificateError):
        assert isinstance(trust.client_tls(name), ssl.SSLContext)


def test_origins_are_verified(trust: Trust) -> None:
    """The context towards origins is made once, verifies, and checks names."""
    context = trust.upstream_tls()
    assert context is trust.upstream_tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_origins_are_not_verified_when_asked(tmp_path: Path) -> None:
    """``insecure`` says what it is."""
    trust = Trust(Settings(data_dir=tmp_path, insecure=True))
    assert trust.upstream_tls().verify_mode is ssl.CERT_NONE


def test_upstream_authority_that_is_not_there(tmp_path: Path) -> None:
    """The setting is named; asking again fails again."""
    trust = Trust(Settings(data_dir=tmp_path, upstream_ca=tmp_path / "none.pem"))
    for _ in range(2):
        with pytest.raises(CertificateError, match="upstream_ca"):
            trust.upstream_tls()


def test_authority_of_the_user_s_own(trust: Trust, tmp_path: Path) -> None:
    """With ``ca_cert`` and ``ca_key`` nothing is made in the data folder but the bundle."""
    own = trust.authority
    folder = own.cert_path.parent
    (key,) = (path for path in folder.iterdir() if "key" in path.name)
    settings = Settings(data_dir=tmp_path / "other", ca_cert=own.cert_path, ca_key=key)
    other = Trust(settings)
    assert other.authority.certificate_pem == own.certificate_pem
    assert not (tmp_path / "other").exists()


def test_own_clients_trust_us(trust: Trust) -> None:
    """A client in this process verifies, and knows our authority."""
    context = trust.own_client()
    assert context.verify_mode is ssl.CERT_REQUIRED
    der = ssl.PEM_cert_to_DER_cert(trust.authority.certificate_pem.decode())
    assert der in context.get_ca_certs(binary_form=True)


def test_variables_name_files_that_are_there(trust: Trust) -> None:
    """Each is a file that holds our authority; Node's holds nothing else."""
    variables = trust.variables({})
    ours = trust.authority.certificate_pem.decode().strip()
    for path in set(variables.values()):
        assert ours in Path(path).read_text()
    node = Path(variables["NODE_EXTRA_CA_CERTS"]).read_text()
    assert node.count("BEGIN CERTIFICATE") == 1
    assert variables["SSL_CERT_FILE"] != variables["NODE_EXTRA_CA_CERTS"]
    assert variables["npm_config_cafile"] == variables["SSL_CERT_FILE"]


def test_variables_keep_what_the_user_trusts(trust: Trust, tmp_path: Path) -> None:
    """What a child trusted before it trusts still."""
    other = Trust(Settings(data_dir=tmp_path / "other")).authority
    variables = trust.variables({"REQUESTS_CA_BUNDLE": str(other.cert_path)})
    bundle = Path(variables["REQUESTS_CA_BUNDLE"]).read_text()
    assert other.certificate_pem.decode().strip() in bundle
