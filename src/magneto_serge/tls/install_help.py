"""What a person does to make programs trust our certificate: exact steps, made out to this machine.

Only data and two substitutions. Each section is one program or system; :func:`install_help` puts
the section of the system it runs on first. Every step that changes a machine comes with its undo.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from magneto_serge.tls import pem

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority


class _Section(NamedTuple):
    title: str
    steps: str


_UPDATE_CA_CERTIFICATES = """\
    sudo cp {cert} /usr/local/share/ca-certificates/magneto-serge.crt
    sudo update-ca-certificates
Undo:
    sudo rm /usr/local/share/ca-certificates/magneto-serge.crt
    sudo update-ca-certificates --fresh"""

_SYSTEMS = {
    "debian": _Section("This system (Debian, Ubuntu)", _UPDATE_CA_CERTIFICATES),
    "alpine": _Section("This system (Alpine)", _UPDATE_CA_CERTIFICATES),
    "fedora": _Section(
        "This system (Fedora, RHEL)",
        """\
    sudo cp {cert} /etc/pki/ca-trust/source/anchors/magneto-serge.pem
    sudo update-ca-trust
Undo:
    sudo rm /etc/pki/ca-trust/source/anchors/magneto-serge.pem
    sudo update-ca-trust""",
    ),
    "suse": _Section(
        "This system (SUSE)",
        """\
    sudo cp {cert} /etc/pki/trust/anchors/magneto-serge.pem
    sudo update-ca-certificates
Undo:
    sudo rm /etc/pki/trust/anchors/magneto-serge.pem
    sudo update-ca-certificates""",
    ),
    "arch": _Section(
        "This system (Arch)",
        """\
    sudo trust anchor --store {cert}
Undo:
    sudo trust anchor --remove {cert}""",
    ),
    "macos": _Section(
        "This system (macOS; for you alone, no sudo)",
        """\
    security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {cert}
Undo:
    security delete-certificate -t -Z {sha1} \\
        ~/Library/Keychains/login.keychain-db""",
    ),
    "windows": _Section(
        "This system (Windows; for you alone, no administrator)",
        """\
    certutil -user -addstore Root {cert}
Undo:
    certutil -user -delstore Root {sha1}""",
    ),
    "linux": _Section(
        "This system (another Linux or BSD)",
        """\
Where p11-kit is installed:
    sudo trust anchor --store {cert}
Otherwise see how your system adds a certificate authority; the file is the one above.""",
    ),
}

_PROGRAMS = (
    _Section(
        "Firefox",
        """\
Settings > Privacy & Security > Certificates > View Certificates > Authorities > Import...:
choose the file above and tick "Trust this CA to identify websites".
Undo: the same list, "Magneto-Serge", Delete or Distrust...""",
    ),
    _Section(
        "Chrome, Chromium, Edge",
        """\
macOS and Windows: they use the system's trust, see above. Linux (certutil is in libnss3-tools
or nss-tools; without it: chrome://certificate-manager > Custom > Installed by you > Import):
    mkdir -p ~/.pki/nssdb
    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n magneto-serge -i {cert}
Undo:
    certutil -d sql:$HOME/.pki/nssdb -D -n magneto-serge""",
    ),
    _Section(
        "Java",
        """\
In a copy of the JDK's trust, so that the JDK stays as it is:
    cp "$JAVA_HOME/lib/security/cacerts" magneto-cacerts
    keytool -importcert -noprompt -keystore magneto-cacerts -storepass changeit \\
        -alias magneto-serge -file {cert}
    export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$PWD/magneto-cacerts"
Java does not read HTTPS_PROXY; it wants -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8888
(and http.proxyHost, http.proxyPort) in the same variable.""",
    ),
    _Section(
        "Node, Bun, Deno",
        """\
    export NODE_EXTRA_CA_CERTS={cert}
    export DENO_CERT={cert}
Both add to what is trusted. Node 22.15 and later can use the system's: node --use-system-ca""",
    ),
    _Section(
        "Python (ssl, httpx, requests, pip), curl, git, AWS",
        """\
These replace their trust by the file they are given, so give them the bundle:
    export SSL_CERT_FILE="$(magneto ca bundle)"
    export REQUESTS_CA_BUNDLE="$SSL_CERT_FILE" CURL_CA_BUNDLE="$SSL_CERT_FILE"
    export PIP_CERT="$SSL_CERT_FILE" GIT_SSL_CAINFO="$SSL_CERT_FILE"
    export AWS_CA_BUNDLE="$SSL_CERT_FILE\"""",
    ),
    _Section(
        "Docker",
        """\
At run time, without changing the image (what does not read SSL_CERT_FILE has its own variable):
    docker run -v "$(magneto ca bundle):/magneto-ca.pem:ro" -e SSL_CERT_FILE=/magneto-ca.pem ...
In a Debian or Ubuntu image (first: cp {cert} magneto-serge.crt):
    COPY magneto-serge.crt /usr/local/share/ca-certificates/
    RUN update-ca-certificates""",
    ),
    _Section(
        "iOS, Android",
        """\
iOS: send the file to the device and open it; Settings > General > VPN & Device Management >
install; then Settings > General > About > Certificate Trust Settings > switch it on.
Android: Settings > Security > Encryption & credentials > Install a certificate > CA certificate.
Apps trust it only where their network_security_config allows user certificates.""",
    ),
)

_DISTRIBUTIONS = {  # ID and ID_LIKE in os-release(5)
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "arch": "arch",
    "alpine": "alpine",
    "suse": "suse",
    "opensuse": "suse",
}


def install_help(authority: Authority, system: str) -> str:
    """Return the steps for ``authority`` on ``system`` (from :func:`this_system`), as text."""
    path = _quoted(str(authority.cert_path), system)
    sha1 = pem.sha1(authority.certificate_pem)
    sections = (
        f"{title}\n{'-' * len(title)}\n{steps.replace('{cert}', path).replace('{sha1}', sha1)}"
        for title, steps in (_SYSTEMS[system], *_PROGRAMS)
    )
    head = f"The certificate to trust is {authority.cert_path}\n{_FOREWORD}"
    return "\n\n".join((head, *sections)) + "\n"


_FOREWORD = """\
Programs run by `magneto record NAME -- COMMAND` are told about it by their environment, and most
need nothing more. The steps below are for those that do not look there. Trust it only on machines
that are yours: who has the key beside it can pose as any site to them."""


def this_system(platform: str, os_release: str = "") -> str:
    """Name the system: ``platform`` is ``sys.platform``, ``os_release`` what os-release(5) says."""
    if platform in ("darwin", "win32"):
        return "macos" if platform == "darwin" else "windows"
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return next((_DISTRIBUTIONS[name] for name in names if name in _DISTRIBUTIONS), "linux")


def _quoted(path: str, system: str) -> str:
    return subprocess.list2cmdline([path]) if system == "windows" else shlex.quote(path)
