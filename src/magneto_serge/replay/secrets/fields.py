"""Secrets in field lines: credentials, cookies, keys (RFC 9110 §11, RFC 6265).

A field is judged by its name first. Some names are credentials for certain and lose their value
whatever it is; others are keys or tokens only by the look of their name and are judged by their
value too; the values of all the rest are texts like any other (a ``Location`` has a query).

What stays is what tells nothing: the scheme of an ``Authorization``, the region and date in an AWS
credential scope, names of parameters, names of cookies and every attribute of a ``Set-Cookie``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache

from .finds import Find, moved
from .names import Meaning, meaning, plain
from .placeholders import Look, look_of
from .texts import named

_CREDENTIAL_NAMES = """
    authorization x_api_key api_key apikey x_apikey x_auth_token x_access_token x_goog_api_key
    x_goog_iam_authorization_token x_amz_security_token x_amz_access_token x_vault_token
    x_gitlab_token gitlab_token private_token job_token deploy_token x_shopify_access_token
    ocp_apim_subscription_key x_functions_key x_rapidapi_key x_mashape_key dd_api_key
    dd_application_key x_figma_token circle_token x_circleci_token x_auth_key x_authentication
    x_parse_rest_api_key x_parse_master_key x_parse_session_token x_session_token x_user_token
    x_jwt_assertion x_ms_client_secret x_consul_token x_nomad_token x_honeycomb_team
    x_algolia_api_key x_typesense_api_key x_meili_api_key x_postmark_server_token
    x_postmark_account_token xi_api_key openai_api_key anthropic_api_key x_redmine_api_key
    x_chef_signature x_auth x_authorization x_forwarded_authorization x_forwarded_access_token
    x_original_authorization x_serverless_authorization x_ms_authorization_auxiliary
    x_tableau_auth x_okta_user_token x_zm_token x_sentry_auth x_cisco_meraki_api_key
    x_plex_token x_emby_token x_transmission_session_id x_aio_key x_ha_access
    x_newrelic_insert_key x_insert_key x_query_key x_license_key fastly_key x_pan_key
    x_acs_token x_token x_key
"""
_CREDENTIALS = frozenset(_CREDENTIAL_NAMES.split())
_UNSPOKEN = """
    x_csrf_token x_csrftoken x_xsrf_token csrf_token xsrf_token x_hub_signature
    x_hub_signature_256 stripe_signature x_slack_signature x_twilio_signature x_signature
    x_shopify_hmac_sha256 x_line_signature x_amz_signature signature dpop
    x_goog_authenticated_user_jwt x_ms_token_aad_id_token x_ms_token_aad_access_token
    x_ms_token_aad_refresh_token x_amzn_oidc_data x_amzn_oidc_accesstoken
    cf_access_jwt_assertion cf_access_client_secret x_goog_iap_jwt_assertion
"""
_SECRETS = frozenset(_UNSPOKEN.split())
_HARMLESS = re.compile(
    r"access_control_.*|sec_.*|.*ratelimit.*|.*rate_limit.*|idempotency_key|.*idempotency_key"
    r"|signature_input|x_cache_key|cache_key|surrogate_key|x_.*_remaining|www_authenticate"
    r"|proxy_authenticate|etag|if_match|if_none_match|public_key_pins.*|vary|allow|via"
    r"|x_stripe_.*|request_id|x_request_id|x_amzn_requestid|x_amz_request_id|x_amz_id_2|traceparent"
)
_SESSION_COOKIE = re.compile(
    r".*(?:sess|sid\b|auth|token|jwt|login|remember|csrf|xsrf|identity|credential|secret).*|sid|.*_sid"
)

_PARAMETER = re.compile(
    rb'([A-Za-z][A-Za-z0-9_-]{0,40})\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^",;\s]++))'
)
_OPEN_NAMES = b"""
    realm algorithm qop uri nc signedheaders headers created expires oauth_version
    oauth_signature_method oauth_timestamp keyid charset userhash version type ts client
    oauth_callback
"""
_OPEN_PARAMETERS = frozenset(_OPEN_NAMES.split())


class FieldKind(IntEnum):
    """How the value of a field is judged."""

    AUTHORIZATION = 0
    COOKIE = 1
    SET_COOKIE = 2
    SECRET = 3
    LIKELY = 4
    TEXT = 5


@lru_cache(maxsize=1024)
def kind_of_field(lower: bytes) -> FieldKind:
    """Return how to judge the value of a field, by its name in lower case."""
    if lower in (b"cookie", b"cookie2"):
        return FieldKind.COOKIE
    if lower in (b"set-cookie", b"set-cookie2"):
        return FieldKind.SET_COOKIE
    words = plain(lower.decode("latin-1"))
    if words.endswith("authorization"):
        return FieldKind.AUTHORIZATION
    if words in _CREDENTIALS or words in _SECRETS:
        return FieldKind.SECRET
    if _HARMLESS.fullmatch(words):
        return FieldKind.TEXT
    says = meaning(words)
    if says is Meaning.CERTAIN:
        return FieldKind.SECRET
    return FieldKind.LIKELY if says is Meaning.LIKELY else FieldKind.TEXT


@lru_cache(maxsize=1024)
def is_credential(lower: bytes) -> bool:
    """Tell whether a request with this field is let in by it: its presence is compared."""
    return plain(lower.decode("latin-1")) in _CREDENTIALS or lower.endswith(b"authorization")


@lru_cache(maxsize=1024)
def is_session_cookie(name: bytes) -> bool:
    """Tell whether a cookie of this name lets a client in."""
    return _SESSION_COOKIE.fullmatch(plain(name.decode("latin-1"))) is not None


def in_authorization(value: bytes, name: str) -> Iterator[Find]:
    """RFC 9110 §11.4: a scheme, and then a token or parameters."""
    scheme, space, rest = value.partition(b" ")
    start = len(scheme) + len(space)
    start += len(rest) - len(rest.lstrip())
    rest = rest.lstrip()
    if not rest:
        yield Find(0, len(value), value, "credentials", name, look_of(value))
    elif b"=" not in rest.rstrip(b"=") or not _PARAMETER.match(rest):
        look = Look.BASIC if scheme.lower() == b"basic" else look_of(rest)
        yield Find(start, len(value), rest, "credentials", name, look)
    else:
        yield from moved(_parameters(rest, name), start)


def _parameters(rest: bytes, name: str) -> Iterator[Find]:
    for found in _PARAMETER.finditer(rest):
        parameter = found[1].lower()
        group = 2 if found[2] is not None else 3
        value = found[group]
        if parameter in _OPEN_PARAMETERS or not value:
            continue
        start = found.start(group)
        if parameter == b"credential":  # AKIA.../20260101/us-east-1/s3/aws4_request
            value = value.partition(b"/")[0]
        yield Find(start, start + len(value), value, "credentials", name, look_of(value))


_COOKIE_PAIR = re.compile(rb"\s*+([^=;\s]++)\s*+=\s*+\"?([^;\"]*+)\"?")


def in_cookies(value: bytes) -> Iterator[Find]:
    """RFC 6265 §4.2.1: the names stay."""
    for found in _COOKIE_PAIR.finditer(value):
        cookie = found[2].rstrip()
        if cookie:
            label = f"cookie {found[1].decode('latin-1')}"
            start = found.start(2)
            yield Find(start, start + len(cookie), cookie, "cookie", label, look_of(cookie))


def in_set_cookie(value: bytes) -> Iterator[Find]:
    """RFC 6265 §4.1.1: the name and every attribute stay."""
    yield from in_cookies(value.partition(b";")[0])


def in_secret(value: bytes, name: str) -> Iterator[Find]:
    """A field that is a secret altogether."""
    if value:
        yield named(0, value, value, name, "field")
