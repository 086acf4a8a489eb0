"""The twin of a client's context: what it trusts, and what it checks."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.capture import scopes, trust
from magneto_serge.capture.scopes import Scope
from magneto_serge.tls.authority import Authority

from .doors import PaperDoor, session


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Our authority."""
    return Authority.load_or_create(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that a client was told to trust."""
    return Authority.load_or_create(tmp_path_factory.mktemp("theirs"))


@pytest.fixture
def open_session(ours: Authority) -> Iterator[Scope]:
    """A session for the whole process, in which contexts have twins."""
    scope = Scope(session(PaperDoor(ca=ours.cert_path)))
    scopes.enter_process(scope)
    trust.PATCHES.install()
    yield scope
    trust.PATCHES.uninstall()
    scopes.leave_process(scope)


def handshake(context: ssl.SSLContext, server_side: bool = False) -> ssl.SSLObject:
    """Begin a handshake and return who makes it."""
    name = None if server_side else "api.test"
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side, name)


def test_twin_trusts_both(ours: Authority, theirs: Authority) -> None:
    """A twin trusts what the original does, and us; the original stays as it was."""
    original = ssl.create_default_context(cafile=str(theirs.cert_path))
    twin = trust.twin_of(original, ours.cert_path)
    both = {ssl.PEM_cert_to_DER_cert(each.certificate_pem.decode()) for each in (ours, theirs)}
    assert set(twin.get_ca_certs(binary_form=True)) == both
    assert len(original.get_ca_certs()) == 1


@pytest.mark.parametrize("check_hostname", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_twin_checks_the_same(
    ours: Authority, check_hostname: bool, version: ssl.TLSVersion
) -> None:
    """A twin is as strict as its original: no stricter, no laxer."""
    original = ssl.create_default_context()
    original.check_hostname = check_hostname
    original.minimum_version = version
    twin = trust.twin_of(original, ours.cert_path)
    assert twin.check_hostname == check_hostname
    assert twin.verify_mode == original.verify_mode
    assert twin.minimum_version == version


def test_handshake_of_a_session_is_the_twin_s(open_session: Scope) -> None:
    """A client's handshake trusts us, with one twin for all handshakes of a context."""
    original = ssl.create_default_context()
    first, second = handshake(original), handshake(original)
    assert first.context is second.context
    assert first.context is not original


def test_context_that_checks_nothing_needs_no_twin(open_session: Scope) -> None:
    """There is nothing to trust."""
    original = ssl._create_unverified_context()
    assert handshake(original).context is original


def test_server_is_no_client(open_session: Scope) -> None:
    """Servers of the process under test are left alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert handshake(context, server_side=True).context is context


def test_twin_goes_with_its_original(open_session: Scope) -> None:
    """Contexts that are made for each request do not add up."""
    before = len(trust._twins)
    for _ in range(3):
        handshake(ssl.create_default_context())
    gc.collect()
    assert len(trust._twins) == before


def test_context_outside_a_session(open_session: Scope, tmp_path: Path) -> None:
    """Code whose session is over trusts what it trusted before."""
    open_session.over = True
    original = ssl.create_default_context()
    assert handshake(original).context is original
    open_session.over = False
