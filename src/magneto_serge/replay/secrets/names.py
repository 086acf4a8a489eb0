"""What a name says: whether the value beside it is a secret.

A name counts in any of its spellings (``api-key``, ``api_key``, ``apiKey``, ``API Key``). There are
three answers, because a wrong one costs something either way:

* **certain** (``password``, ``access_token``, ``client_secret``): the value is one, whatever it is;
* **likely** (``token``, ``key``, ``session``, ``sig``): only if it looks random, so that ``key=1``,
  ``token=page2`` and ``"code": 404`` stay what they are;
* **digits** (``pin``, ``otp``, ``cvv``): only if it is a short number.

``next_token``, ``page_token`` and their kin page through results and are no secrets.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from enum import IntEnum
from functools import lru_cache


class Meaning(IntEnum):
    """What a name says of its value."""

    NOTHING = 0
    DIGITS = 1
    LIKELY = 2
    CERTAIN = 3


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_APART = re.compile(r"[^a-z0-9]+")

_NEVER = re.compile(
    r"(?:.*_)?(?:next|prev|previous|page|paging|pagination|continuation|continue|sync|cursor|scroll"
    r"|resume|delta|marker|skip|start|end|nextpage|nextsync|completion|prompt|cancellation"
    r"|idempotency|cache|surrogate|partition|sort|primary|foreign|object|public|publishable|routing"
    r"|row|hash|range|public_api|site)_?(?:page_?)?(?:token|key|code)"
    r"|access_control_.*|sec_.*|x_cache_.*|(?:.*_)?public_?key.*"
)
_CERTAIN = re.compile(
    r"(?:.*_)?(?:pass_?word|passwd|pass_?phrase|passcode|pwd|api_?secret|secret|client_?secret"
    r"|secret_?(?:access_?)?key|secret_?token|api_?key|app_?key|application_key|access_?key"
    r"|private_?key|subscription_?key|account_?key|master_?key|encryption_?key|signing_?key"
    r"|auth_?key|authkey|session_?key|functions_key|license_?key|consumer_?key"
    r"|(?:access|refresh|id|auth|authentication|authorization|bearer|session|security|csrf|xsrf"
    r"|authenticity|api|app|user|server|service|bot|personal_access|oauth|oauth2|jwt|login|private"
    r"|verification_request|middleware|gitlab|vault|consul|device|account|deploy|registration"
    r"|webhook|reset|invite|remember|csrfmiddleware|identity)_?token|accesstoken"
    r"|csrfmiddlewaretoken|access_?jwt|refresh_?jwt|jwt|jwt_assertion|oauth_verifier"
    r"|oauth_signature|code_verifier|client_assertion|saml_?response|(?:password|secret|token)_hash|id_token_hint"
    r"|phpsessid|jsessionid|asp_?net_session_?id|x_amz_signature|x_amz_credential|x_goog_signature"
    r"|x_goog_credential|connection_?string|authorization|aws_access_key_id|recovery_code"
    r"|backup_code|mfa_code|otp_code|verification_code|totp_secret|webhook_url_secret)"
)
_LIKELY = re.compile(
    r"(?:.*_)?(?:token|key|auth|sig|signature|hmac|code|state|nonce|c?nonce|ticket|assertion|session"
    r"|sessid|session_?id|sess|sid|csrf|xsrf|credentials?|creds?|cookie|verifier|remember|bearer|access_key_id|key_secret|pass|samlrequest|relaystate|secrets|tokens"
    r"|api_keys|passwords)"
)
_DIGITS = re.compile(r"(?:.*_)?(?:pin|otp|totp|cvv2?|cvc2?|pin_?code|one_?time_?code|sms_?code)")

STEMS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "sess",
    "sid",
    "jwt",
    "sig",
    "hmac",
    "code",
    "state",
    "nonce",
    "ticket",
    "assertion",
    "csrf",
    "xsrf",
    "cred",
    "cookie",
    "verifier",
    "remember",
    "bearer",
    "saml",
    "relaystate",
    "connection",
)
"""One of these is in every name that says something, and is not one of :data:`SHORT`."""
SHORT = ("pin", "otp", "cvv", "cvc")


def plain(name: str) -> str:
    """Return a name in one spelling: lower case, its words with ``_`` between them."""
    return _APART.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


@lru_cache(maxsize=4096)
def meaning(name: str) -> Meaning:
    """Return what a name says of its value."""
    if len(name) > 100:
        return Meaning.NOTHING
    words = plain(name)
    if _NEVER.fullmatch(words):
        return Meaning.NOTHING
    if _CERTAIN.fullmatch(words):
        return Meaning.CERTAIN
    if _DIGITS.fullmatch(words):
        return Meaning.DIGITS
    return Meaning.LIKELY if _LIKELY.fullmatch(words) else Meaning.NOTHING


def is_meant(name_says: Meaning, value: bytes) -> bool:
    """Tell whether a value beside a name with that meaning is a secret."""
    if not value or name_says is Meaning.NOTHING:
        return False
    if name_says is Meaning.CERTAIN:
        return not _NO_VALUE.fullmatch(value)
    if name_says is Meaning.DIGITS:
        return _SHORT_NUMBER.fullmatch(value) is not None
    return looks_random(value)


_NO_VALUE = re.compile(rb"(?i:true|false|null|none|undefined|\*+)")
_SHORT_NUMBER = re.compile(rb"[0-9]{3,10}")
_RANDOM = re.compile(rb"[A-Za-z0-9+/_=.~:%-]{16,}")
_UUID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_MEANT = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T_ -].*)?"  # a date
    rb"|[0-9.,:+-]+"  # a number, a version, an address, a time
    rb"|(?:https?|wss?|file)(?::|%3[Aa]).*"
    rb"|(?:/[A-Za-z0-9._~%-]*)+"  # a path
)
_PARTS = re.compile(rb"[A-Za-z0-9]+")
_BITS = 3.0  # a character; English words in a row have less than 3.5, but have no digits


def looks_random(value: bytes) -> bool:
    """Tell whether a value has what chosen words have not: 16 characters, letters and digits mixed,
    of some entropy. Dates, versions, paths and addresses of pages do not count."""
    if not _RANDOM.fullmatch(value) or _MEANT.fullmatch(value):
        return False
    if _UUID.fullmatch(value):
        return True
    longest = max(_PARTS.findall(value), key=len, default=b"")
    if len(longest) < 8 or longest.isdigit():
        return False
    if _is_word(longest) and not any(_is_mixed(part) for part in _PARTS.findall(value)):
        return False
    return entropy(value) >= _BITS


def is_chosen_word(value: bytes) -> bool:
    """Tell whether a value may occur by chance elsewhere: a word, a date, a number, a path."""
    if _MEANT.fullmatch(value):
        return True
    plain = value.isalpha() and (value.islower() or value.istitle() or value.isupper())
    return plain and len(value) < _LONG_WORD


_LONG_WORD = 20  # letters; in the languages of the Web no word in a text is as long as that


def _is_word(part: bytes) -> bool:
    return part.isalpha() and (part.islower() or part.isupper() or part.istitle())


def _is_mixed(part: bytes) -> bool:
    return len(part) >= 6 and not part.isalpha() and not part.isdigit()


def entropy(value: bytes) -> float:
    """Return the Shannon entropy of a value, in bits for each character."""
    value = value[:256]
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())
