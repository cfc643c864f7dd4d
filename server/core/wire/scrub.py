"""Takes secrets out of a text that will be kept: an error message often repeats what it failed on.

Three maintained lists are followed. The patterns are our own, since none of the lists is a library that could run here
(of libraries, `detect-secrets` reads files, and `scrubadub` and `presidio` bring language models):

- names whose values are secret: `DEFAULT_DENYLIST` of sentry-sdk's `scrubber.py`; a test compares;
- e-mail addresses, cards, social security numbers, PEM keys, URLs with a password, bearer tokens: Relay's
  `relay-pii/src/regexes.rs`;
- tokens with a telling prefix: the default rules of gitleaks, which also gave the idea of looking for a cheap hint
  before trying a pattern.

Each pattern is linear: no repeat is nested in another over the same characters, and a run of characters is entered only
at its start. Texts are bounded as well, and the latest answers are cached, since an application in trouble says the
same thing in every request: 100 µs for a line the first time, 0.05 after that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

FILTERED = "[Filtered]"
"""What replaces a secret: the word that SDKs and Relay use."""
MAX_SCRUBBED = 1000
"""Characters of a text that are read; the rest is dropped. More than is kept of anything."""
MAX_ROUNDS = 8
"""How often all rules are applied, at most: secrets in a row without a space between them take a round each."""
CUT_FROM = 150
"""From this length on a text may have been cut, so its last word may be the first half of a secret."""

# Names of secrets, anywhere in a longer name (`DB_PASSWORD_OLD`). "Unexpected token" is
# what JavaScript's parsers say, and what follows is the best hint that a reader has.
_ANYWHERE = (
    r"passw(?:or)?d|passphrase|passcode|secret|(?:api|access|account|private|encryption|signing)[-_ ]?key|credentials?"
    r"|(?<!nexpected )token|authorization|cookie|[cx]srf|sess(?:ion)?[-_]?id|signature|symfony"
    r"|forwarded[-_]for|real[-_]ip|ip[-_]address|remote[-_]addr"
)
# Too short to be looked for inside of words: they would take passenger, author, spin and tokens of prose.
_WHOLE_WORD = r"pwd|pw|pass|auth|jwt|otp|pin|cvv|cvc|ssn|sid|sig|session|bearer"
_NAME = rf"(?:{_ANYWHERE}|(?<![a-z0-9])(?:{_WHOLE_WORD}))(?:[-_]?(?:key|hash|value|base64|b64|id|\d{{1,3}}))?"
# What parts a name from its value: `:` and `=`, `=>` in Ruby and PHP, `:=` in Go, %3D in a query, and the
# `string(8) ` of PHP's var_dump; with the quote that closes a name in JSON, escaped or not.
_ENDS = r"\\?[\"'`]?\]?[ \t]{0,3}(?:=>|:=|[:=]{1,3}|%3[ad])\s{0,4}(?:string\(\d+\) )?"
_QUOTED = r"(?P<quote>\\?[\"'`]))(?:(?!(?P=quote))(?:\\.|[^\n]))++"
# `password=None` holds no secret, and says what went wrong.
_A_VALUE = r"(?!\[Filtered\]|(?:none|null|nil|undefined|true|false|yes|no)(?![\w-])|[\"'`\\])"

# Shorter than gitleaks asks for: a message may hold a token that was cut, and half of one helps to guess the rest.
_PREFIXES = (
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{8,}|LTAI\w{12,}"  # AWS, Alibaba
    r"|gh[pousr]_\w{10,}|github_pat_\w{10,}|gl[a-z]{2,5}-[\w.-]{16,}"  # GitHub, GitLab
    r"|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|hooks\.slack\.com/services/[\w/]+|api/webhooks/\d+/[\w-]+"  # Slack, Discord
    r"|[spr]k_(?:live|test|prod)_\w{8,}|whsec_[\w+/=]{8,}|sq0[a-z]{3}-[\w-]{8,}|shp[a-z]{2}_\w{16,}"  # payments, shops
    r"|AIza[\w-]{16,}|ya29\.[\w-]{8,}|GOCSPX-[\w-]{8,}|sk-[\w-]{20,}|hf_\w{16,}"  # Google, OpenAI and others
    r"|npm_\w{16,}|pypi-[\w-]{16,}|rubygems_\w{16,}|SG\.[\w-]{8,}[\w.-]*|key-[0-9a-f]{32}|SK[0-9a-f]{32}"
    r"|sntry[su]_[\w+/=]{8,}|do[opr]_v1_\w{16,}|hv[sb]\.[\w-]{16,}|dp\.[a-z]{2,5}\.\w{16,}|dapi[0-9a-f]{32}"
    r"|lin_api_\w{16,}|ntn_\w{16,}|ATATT3[\w=-]{16,}|PMAK-[\w-]{16,}|gl(?:sa|c)_[\w=+/]{16,}|AGE-SECRET-KEY-1\w+"
    r"|\d{8,10}:AA[\w-]{20,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"  # Telegram, JWT
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One kind of secret.

    Args:
        hints: in lower case. Every match contains one of them, so a text with none is not searched.
        put: what replaces a match.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    put: str | Callable[[re.Match[str]], str] = FILTERED


def _rule(hints: str, pattern: str, put: str | Callable[[re.Match[str]], str] = FILTERED) -> _Rule:
    return _Rule(tuple(hints.split()), re.compile(pattern), put)


def _card(match: re.Match[str]) -> str:
    """Not every long number is a card: the last digit is a check digit (ISO/IEC 7812-1, annex B: Luhn)."""
    digits = [int(c) for c in match[0] if c.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return match[0] if (sum(digits[-1::-2]) + sum(doubled)) % 10 else FILTERED


def _random(match: re.Match[str]) -> str:
    """An AWS secret key is 40 characters of base64. A path or a commit of that length seldom mixes all three kinds."""
    text = match[0]
    is_mixed = any(c.isdigit() for c in text) and any(c.islower() for c in text) and any(c.isupper() for c in text)
    return FILTERED if is_mixed else text


_NAME_HINTS = (
    "pass secret key credential token auth cookie csrf xsrf sess sign symfony forwarded real ip_ ip- remote pwd jwt otp"
    " pin cvv cvc ssn sid sig bearer pw"
)
_KEPT_HEAD = rf"\g<head>{FILTERED}"

# The order matters: a URL's password goes before e-mail addresses do, for in `postgres://app:hunter2@db.example.com`
# the latter rule would see an address and also take the host, which says what could not be reached.
_EVERYWHERE = (
    _rule("private key", r"(?s)(?<=PRIVATE KEY)-{2,5}.*?(?:-----END[A-Z ]*PRIVATE KEY-----|\Z)", f" {FILTERED}"),
    # `…abcd@` is a key that was masked by this server: masking it again would lose what tells two keys apart.
    _rule("://", r"(?<=://)(?!…\w{4}@)[^\s/?#'\"<>`]*@", f"{FILTERED}@"),
    _rule(_NAME_HINTS, rf"(?i)(?P<head>{_NAME}{_ENDS}[bfru$@]{{0,2}}{_QUOTED}", _KEPT_HEAD),
    _rule("pass secret", rf"(?i)(?P<head>(?:passw(?:or)?d|passphrase|secret)[ \t]+(?:is |was )?{_QUOTED}", _KEPT_HEAD),
    # "Bearer token is missing" is prose: the words that follow such a scheme in sentences are left alone.
    _rule(
        "bearer negotiate",
        r"(?i)\b(?P<head>(?:bearer|negotiate)[ \t]+)(?!(?:auth|token|realm|scheme|credential|challenge|header)\w*\b)"
        r"[\w+/=.~:-]{6,}",
        _KEPT_HEAD,
    ),
    _rule("basic", r"\b(?P<head>[Bb]asic[ \t]+)(?=[a-z]*[A-Z0-9+/=])[\w+/=-]{8,}", _KEPT_HEAD),
    _rule(
        "akia asia abia acca a3t ltai gh github_pat_ gl xox xapp- hooks.slack webhooks _live_ _test_ _prod_ whsec_ sq0"
        " shp aiza ya29 gocspx sk- hf_ npm_ pypi- rubygems_ sg. key- sk sntry _v1_ hvs. hvb. dp. dapi lin_api_ ntn_"
        " atatt3 pmak- age-secret :aa eyj",
        rf"(?<![A-Za-z0-9])(?:{_PREFIXES})",
    ),
    _rule(_NAME_HINTS, rf"(?i)(?P<head><[\w:.-]{{0,30}}{_NAME}>)(?![\s:])[^<\n]++", _KEPT_HEAD),
    _rule("token", r"(?i)(?P<head>\btoken[ \t]+)[0-9a-f]{20,}", _KEPT_HEAD),
    _rule("%40", r"(?<![\w.+-])[\w.+-]++%40(?:[\w-]++\.)+[A-Za-z]{2,}\b"),
    # `(?!\dx\.)`: image@2x.png is a file, not an address.
    _rule("@", r"(?<![\w.+%…-])[\w.+%-]++@(?!\dx\.)(?:[\w-]++\.)+[A-Za-z]{2,}\b"),
    _rule("", r"(?<![\w.])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}|\d{4}[ -]\d{6}[ -]\d{5})(?!\w|\.\d)", _card),
    _rule("-", r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    _rule("", r"(?<![\w/+.-])[A-Za-z0-9/+]{40}(?![\w/+.=-])", _random),
)
"""The rules that also fit a line of code, where a secret is in quotes and what has none is a name."""

_HEADER = _rule(
    "authorization cookie", r"(?i)(?P<head>(?:authorization|cookie)[ \t]*[:=][ \t]*)[^\r\n\"'`\\]++", _KEPT_HEAD
)


def _bare(a_value: str) -> tuple[_Rule, ...]:
    """Values without quotes: `password=hunter2`, `password hunter2`, `--token abcd`."""
    named = rf"(?i)(?P<head>{_NAME}{_ENDS}){a_value}[^\s\"'`,;&)}}\]>|<]+"
    after_a_word = (
        r"(?i)(?P<head>passw(?:or)?d[ \t]+(?:is |was )?(?=\S*\d)"
        rf"|(?<![\w-])--[\w-]{{0,30}}(?:passw(?:or)?d|token|secret|key)[ \t]+){a_value}[^\s\"'`,;)]{{4,}}"
    )
    return _rule(_NAME_HINTS, named, _KEPT_HEAD), _rule("pass --", after_a_word, _KEPT_HEAD)


_IN_TEXT = (_HEADER, *_EVERYWHERE, *_bare(_A_VALUE))
_IN_A_LITERAL = (_HEADER, *_EVERYWHERE, *_bare(_A_VALUE + r"(?![$#]?\{|%[(sd])"))
"""A template, such as `f"token={token}"`, names a secret and holds none."""
_LITERAL = re.compile(r"(?P<quote>[\"'`])(?P<inside>(?:(?!(?P=quote))(?:\\.|[^\n]))++)")

_LAST_WORD = re.compile(
    r"(?<![\w.@+/=%~-])(?=[\w.@+/=%~-]*(?:[@\d_=]|[A-Z]{8}))[\w.@+/=%~-]{4,}\Z"
    r"|(?<!\d)(?<!\d[ -])\d(?:[ -]?\d){5,18}\Z"
)


@lru_cache(maxsize=2048)
def scrub(text: str) -> str:
    """A text of prose, a URL or a header, without the secrets in it.

    Args:
        text: only its first `MAX_SCRUBBED` characters are read.
    """
    return _cut(_scrubbed(text[:MAX_SCRUBBED], _IN_TEXT), len(text))


@lru_cache(maxsize=2048)
def scrub_code(line: str) -> str:
    """A line of source code without the secrets in it: literals go, `token = request.token` stays."""
    inside = _LITERAL.sub(lambda found: found["quote"] + _scrubbed(found["inside"], _IN_A_LITERAL), line[:MAX_SCRUBBED])
    return _cut(_scrubbed(inside, _EVERYWHERE), len(line))


def _scrubbed(text: str, rules: tuple[_Rule, ...]) -> str:
    """The text after as many rounds as change it: once a secret is gone, the one right behind it starts a word."""
    for _ in range(MAX_ROUNDS):
        before, text = text, _round(text, rules)
        if text == before:
            break
    return text


def _round(text: str, rules: tuple[_Rule, ...]) -> str:
    lowered = text.lower()
    for rule in rules:
        if any(hint in lowered for hint in rule.hints) or not rule.hints:
            text = rule.pattern.sub(rule.put, text)
    return text


def _cut(text: str, length: int) -> str:
    """The text without its last word, where that may be half of a secret."""
    return _LAST_WORD.sub("…", text) if length >= CUT_FROM else text
