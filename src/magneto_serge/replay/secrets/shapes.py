"""What secrets look like: the tokens of well-known services, wherever they stand in a text.

A catalogue, from the services' own documentation and from gitleaks' rules. Most begin with a
prefix of their own, which stays in the placeholder, because clients and people tell by it what a
token is. The others have a regular expression each. Expressions are linear: every repetition is
bounded, possessive, or ends at what it cannot contain.

``LIKELY`` is the same in RE2's syntax, without what that lacks: whatever is a token matches it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Shape(NamedTuple):
    """Tokens that begin with one of ``prefixes`` and go on as ``rest`` (a regular expression)."""

    kind: str
    prefixes: tuple[str, ...]
    rest: str


_WORD = "[A-Za-z0-9]"
_URL_SAFE = "[A-Za-z0-9_-]"

SHAPES = (
    Shape("AWS access key", ("AKIA", "ASIA", "ABIA", "ACCA"), "[A-Z0-9]{16}"),
    Shape("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _WORD + "{20,255}"),
    Shape("GitHub token", ("github_pat_",), "[A-Za-z0-9_]{22,255}"),
    Shape(
        "GitLab token",
        ("glpat-", "glptt-", "glrt-", "gldt-", "glcbt-", "gloas-", "glft-", "glimt-", "glsoat-"),
        "[A-Za-z0-9_.-]{16,300}",
    ),
    Shape(
        "Slack token",
        ("xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-", "xoxo-"),
        _URL_SAFE + "{10,255}",
    ),
    Shape(
        "Slack token",
        ("xoxe.xoxb-", "xoxe.xoxp-", "xoxe-", "xoxc-", "xoxd-", "xapp-"),
        "[A-Za-z0-9%_-]{10,512}",
    ),
    Shape(
        "Stripe key",
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"),
        _WORD + "{10,255}",
    ),
    Shape("Stripe webhook secret", ("whsec_",), "[A-Za-z0-9+/=]{16,255}"),
    Shape("Anthropic key", ("sk-ant-",), _URL_SAFE + "{16,255}"),
    Shape("OpenAI key", ("sk-proj-", "sk-svcacct-", "sk-admin-"), _URL_SAFE + "{16,255}"),
    Shape("OpenRouter key", ("sk-or-v1-",), "[0-9a-f]{32,128}"),
    Shape("LangSmith key", ("lsv2_pt_", "lsv2_sk_"), "[A-Za-z0-9_]{30,128}"),
    Shape("OpenAI key", ("sk-",), _WORD + "{20,255}"),
    Shape("Google API key", ("AIza",), _URL_SAFE + "{35}"),
    Shape("Google OAuth token", ("ya29.",), "[A-Za-z0-9._-]{20,2048}"),
    Shape("Google OAuth refresh token", ("1//0",), _URL_SAFE + "{20,512}"),
    Shape("Google OAuth client secret", ("GOCSPX-",), _URL_SAFE + "{20,64}"),
    Shape("npm token", ("npm_",), _WORD + "{36}"),
    Shape("PyPI token", ("pypi-",), _URL_SAFE + "{16,1024}"),
    Shape("RubyGems key", ("rubygems_",), "[0-9a-f]{48}"),
    Shape("SendGrid key", ("SG.",), _URL_SAFE + r"{16,32}\." + _URL_SAFE + "{16,64}"),
    Shape("Twilio key", ("SK",), "[0-9a-f]{32}"),
    Shape("Mailgun key", ("key-",), "[0-9a-f]{32}"),
    Shape("DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), "[0-9a-f]{64}"),
    Shape("Hugging Face token", ("hf_",), _WORD + "{30,64}"),
    Shape("Groq key", ("gsk_",), _WORD + "{20,128}"),
    Shape("Perplexity key", ("pplx-",), _WORD + "{32,128}"),
    Shape("Replicate token", ("r8_",), _WORD + "{30,64}"),
    Shape("xAI key", ("xai-",), _WORD + "{40,128}"),
    Shape("Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), "[0-9a-fA-F]{32}"),
    Shape("Square token", ("sq0atp-", "sq0csp-"), _URL_SAFE + "{22,64}"),
    Shape("Linear key", ("lin_api_", "lin_oauth_"), _WORD + "{32,128}"),
    Shape("Notion token", ("ntn_", "secret_"), _WORD + "{40,64}"),
    Shape("Vault token", ("hvs.", "hvb.", "hvr."), _URL_SAFE + "{20,512}"),
    Shape("Databricks token", ("dapi",), "[0-9a-f]{32}"),
    Shape("Grafana token", ("glsa_", "glc_"), "[A-Za-z0-9+/=_]{32,512}"),
    Shape("New Relic key", ("NRAK-",), "[A-Z0-9]{27}"),
    Shape("Postman key", ("PMAK-",), "[0-9a-f]{24}-[0-9a-f]{34}"),
    Shape("Atlassian token", ("ATATT3", "ATCTT3", "ATBB"), "[A-Za-z0-9_=-]{20,300}"),
    Shape("Docker token", ("dckr_pat_", "dckr_oat_"), _URL_SAFE + "{20,64}"),
    Shape("Figma token", ("figd_",), _URL_SAFE + "{30,64}"),
    Shape("Sentry token", ("sntrys_", "sntryu_"), "[A-Za-z0-9+/=_]{32,512}"),
    Shape("Supabase token", ("sbp_",), "[0-9a-f]{40}"),
    Shape(
        "PlanetScale token", ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"), "[A-Za-z0-9_.-]{32,64}"
    ),
    Shape("Doppler token", ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa."), _WORD + "{40,64}"),
    Shape("age secret key", ("AGE-SECRET-KEY-1",), "[A-Z0-9]{58}"),
    Shape("Facebook token", ("EAACEdEose0cBA",), _WORD + "{20,255}"),
)

PREFIXES = tuple(sorted({each for shape in SHAPES for each in shape.prefixes}, key=len))[::-1]

_ALTERNATIVES = "|".join(
    f"(?:{'|'.join(map(re.escape, shape.prefixes))}){shape.rest}" for shape in SHAPES
)
_BEFORE, _AFTER = "(?<![A-Za-z0-9_])", "(?![A-Za-z0-9])"
PREFIXED = re.compile(f"{_BEFORE}(?:{_ALTERNATIVES}){_AFTER}".encode())

_PREFIX = re.compile(f"{'|'.join(map(re.escape, PREFIXES))}".encode())
_KINDS = {prefix.encode(): shape.kind for shape in reversed(SHAPES) for prefix in shape.prefixes}


def prefix_of(token: bytes) -> bytes:
    """Return the service's prefix that a token begins with; empty where it has none."""
    if PREFIXED.fullmatch(token) is None:
        return b""
    found = _PREFIX.match(token)
    return b"" if found is None else found[0]


def kind_of(prefix: bytes) -> str:
    """Return what a token with this prefix is."""
    return _KINDS[prefix]


# RFC 7519 §3.1; a JWE (RFC 7516 §3.1) has two parts more.
_JWT_SOURCE = (
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)?"
)
JWT = re.compile(
    rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]*+"
    rb"(?:\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++)?"
)

# RFC 7468 §10 and its relatives. What is between the lines is the secret; a torn one ends nowhere.
PEM = re.compile(
    rb"(-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----)"
    rb"((?:[^-]|-(?!----)){0,32768}+)(?:-----END [A-Z0-9 ]{3,40}-----)?"
)

UUID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")

# A bot's number, a colon, and its secret; the colon is looked for first, because it is quick.
TELEGRAM = re.compile(rb":[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")
BOT = re.compile(rb"(?:(?<=/bot)|(?<![0-9A-Za-z]))([0-9]{8,10})\Z")

# What has no prefix of its own: what must be in the text, and an expression whose group 1 it is.
OTHERS: tuple[tuple[str, bytes, re.Pattern[bytes]], ...] = (
    (
        "Slack webhook",
        b"/",
        re.compile(
            rb"/(?:services|workflows|triggers)/[TE][A-Z0-9]{6,14}/[AB]?[A-Z0-9]{6,22}"
            rb"/([A-Za-z0-9]{18,64})"
        ),
    ),
    (
        "Discord webhook",
        b"/webhooks/",
        re.compile(rb"/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,80})"),
    ),
    (
        "Discord token",
        b".",
        re.compile(
            rb"(?<![\w-])([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})(?![\w-])"
        ),
    ),
    (
        "Mailchimp key",
        b"-us",
        re.compile(rb"(?<![0-9a-zA-Z])([0-9a-f]{32}-us[0-9]{1,2})(?![0-9a-z])"),
    ),
    (
        "Terraform token",
        b".atlasv1.",
        re.compile(rb"(?<![0-9a-zA-Z])([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,80})"),
    ),
    (
        "Airtable token",
        b"pat",
        re.compile(rb"(?<![0-9a-zA-Z])(pat[A-Za-z0-9]{14}\.[0-9a-f]{64})(?![0-9a-z])"),
    ),
    (
        "Azure storage key",
        b"Key=",
        re.compile(rb"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,100}={0,2})"),
    ),
)

LIKELY = "|".join(
    (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
        r"eyJ[A-Za-z0-9_-]{8}[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{4}",
        *(
            f"(?:{'|'.join(map(re.escape, shape.prefixes))})"
            + re.sub(r"\{(\d+),\d+\}", r"{\1}", shape.rest)
            for shape in SHAPES
        ),
        # Of the rest only what is rare in any text: each letter at which a token could begin would
        # be one more thing for RE2 to keep in mind, and base64 has nothing else.
        r"[0-9]:[A-Za-z0-9_-]{35}",
        r"/(?:services|workflows|triggers)/[TE]",
        r"/webhooks/[0-9]",
        r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
        r"-us[0-9]",
        r"\.atlasv1\.",
        r"pat[A-Za-z0-9]{14}\.",
        r"(?:AccountKey|SharedAccessKey)=",
    )
)
