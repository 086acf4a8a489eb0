"""libcurl in this process: pycurl and curl_cffi, which read the proxy from the environment.

Their trust they do not: each handle names a file, its own package's unless the user names one. What
is named while a session is open is our bundle, which has the system's authorities and ours. Only
public names are replaced, and only where the package has been imported. A handle that lives longer
than its session keeps the bundle's name.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from magneto_serge.capture.patches import Patches

_BUNDLE = "CURL_CA_BUNDLE"  # the variable that names it; ``environment`` has set it
_installed: list[Patches] = []


def install() -> None:
    """Name our bundle from now on."""
    pycurl = sys.modules.get("pycurl")
    if pycurl is not None:
        _installed.append(Patches((pycurl, "Curl", _trusting_handle(pycurl))))
    curl_cffi = sys.modules.get("curl_cffi")
    if curl_cffi is not None:
        _installed.append(_of_curl_cffi(curl_cffi))
    for patches in _installed:
        patches.install()


def uninstall() -> None:
    """Put the packages back as they were."""
    while _installed:
        _installed.pop().uninstall()


def _trusting_handle(pycurl: Any) -> Any:
    """Return a class of handles that trust our bundle, whatever they are told to trust."""

    class Curl(pycurl.Curl):  # type: ignore[misc]  # of an extension module
        """A handle of libcurl's; see :mod:`pycurl`."""

        def __init__(self) -> None:
            super().__init__()
            super().setopt(pycurl.CAINFO, os.environ.get(_BUNDLE, ""))

        def setopt(self, option: int, value: Any) -> Any:
            if option == pycurl.CAINFO:
                value = os.environ.get(_BUNDLE, value)
            return super().setopt(option, value)

    return Curl


def _of_curl_cffi(curl_cffi: Any) -> Patches:
    option = curl_cffi.CurlOpt.CAINFO
    real = curl_cffi.Curl.setopt

    def setopt(self: Any, name: Any, value: Any) -> Any:
        if name == option:
            value = os.environ.get(_BUNDLE, value)
        return real(self, name, value)

    return Patches((curl_cffi.Curl, "setopt", setopt))
