"""The certificates of one proxy, each made or loaded when it is first asked for.

A proxy that only sees plain HTTP never opens the authority's key, and one that replays never
loads the system's trust.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from magneto_serge.config import Settings

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority
    from magneto_serge.tls.leaf import LeafCache


class Trust:
    """What ``settings`` say about certificates; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._authority: Authority | None = None
        self._leaves: LeafCache | None = None
        self._upstream: ssl.SSLContext | None = None
        self._variables: dict[tuple[str | None, ...], dict[str, str]] = {}

    @property
    def data_dir(self) -> Path:
        """Where the authority and the bundle are kept."""
        return self._settings.data_folder

    @property
    def authority(self) -> Authority:
        """Our authority, or the user's own. Raises CertificateError."""
        with self._lock:
            if self._authority is None:
                from magneto_serge.tls.authority import Authority

                self._authority = Authority.load_or_create(
                    self.data_dir, ca_cert=self._settings.ca_cert, ca_key=self._settings.ca_key
                )
            return self._authority

    def client_tls(self, name: str) -> ssl.SSLContext:
        """Return the server-side context for a client that wants ``name``."""
        from magneto_serge.tls.contexts import server_context
        from magneto_serge.tls.leaf import LeafCache

        with self._lock:
            if self._leaves is None:
                self._leaves = LeafCache(self.authority)
            return server_context(self._leaves, name)

    def upstream_tls(self) -> ssl.SSLContext:
        """Return the client-side context towards origins."""
        from magneto_serge.tls.contexts import upstream_context

        with self._lock:
            if self._upstream is None:
                self._upstream = upstream_context(
                    upstream_ca=self._settings.upstream_ca, insecure=self._settings.insecure
                )
            return self._upstream

    def own_client(self) -> ssl.SSLContext:
        """Return a context for a client in this process: the system's trust and ours."""
        from magneto_serge.tls.contexts import client_context

        return client_context(self.authority)

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that makes a child trust us, and write the file it names.

        A file that was written for the same environment is not looked at again: a run of tests
        asks for each test (0.8 ms).
        """
        from magneto_serge.tls.bundle import TRUST_VARIABLES

        named = tuple(environ.get(name) for name in TRUST_VARIABLES)
        with self._lock:
            if named not in self._variables:
                self._variables[named] = self._written(environ)
            return dict(self._variables[named])

    def _written(self, environ: Mapping[str, str]) -> dict[str, str]:
        from magneto_serge.tls.bundle import trust_variables, write_bundle

        bundle = write_bundle(self.authority, self.data_dir, environ)
        return {
            **trust_variables(bundle),
            # Node adds to its own trust, so the one certificate is enough, and quicker to read.
            "NODE_EXTRA_CA_CERTS": str(self.authority.cert_path),
            # An npmrc with a `cafile` (companies write one) makes npm ignore Node's trust.
            "npm_config_cafile": str(bundle),
        }
