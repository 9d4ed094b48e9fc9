"""Private data in texts, found by form and checksum, and replaced by placeholders."""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KINDS = ("email", "ip", "phone", "iban", "card", "key")
"""What is looked for; `<email>` stands for an e-mail address that was there, and so on."""


@dataclass(frozen=True)
class Masked:
    """Texts without private data, and what each of them had of it."""

    texts: list[str]
    counts: list[dict[str, int]]
    """For every text: kind -> how many were masked; empty for a clean text."""


@dataclass(frozen=True)
class _Rule:
    kind: str
    may_have: Callable[[str, list[str]], object]
    """A quick look at a text and its long numbers, which clean texts fail."""
    pattern: re.Pattern[str]
    is_private: Callable[[str], bool] = bool
    """Judges what the pattern found: the group "private" if it has one."""


def mask_private(texts: Sequence[str]) -> Masked:
    """Replaces private data by placeholders such as `<email>`; masking twice changes nothing.

    - key: private key blocks, tokens of AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI,
      Anthropic and Hugging Face, JSON web tokens, and random values that a name like `api_key` is
      set to
    - email: addresses, but for those at example.com, .org, .net and the like (RFC 2606)
    - iban: international bank account numbers whose check digits are right (ISO 13616)
    - card: payment cards' numbers of a known issuer whose check digit is right (ISO/IEC 7812)
    - phone: numbers in international form, and American ones with an area code, as long as they
      are possible and neither toll-free nor fictitious (555-01xx)
    - ip: public IPv4 and IPv6 addresses
    """
    masked: list[str] = []
    counts: list[dict[str, int]] = []
    for text in texts:
        found: Counter[str] = Counter()
        # A placeholder can lay bare its neighbour: "8.8.4.199(212) 234-5678" hides a phone number.
        while (clean := _masked_once(text, found)) != text:
            text = clean
        masked.append(text)
        counts.append(dict(found))
    return Masked(masked, counts)


def _masked_once(text: str, found: Counter[str]) -> str:
    numbers: list[str] = _LONG_NUMBER.findall(text)
    for rule in _RULES:
        if rule.may_have(text, numbers):
            text = _apply(rule, text, found)
    return text


def _apply(rule: _Rule, text: str, found: Counter[str]) -> str:
    def replace(match: re.Match[str]) -> str:
        whole = match[0]
        private = match["private"] if "private" in rule.pattern.groupindex else whole
        if not rule.is_private(private):
            return whole
        found[rule.kind] += 1
        start = match.start("private") - match.start() if private is not whole else 0
        return f"{whole[:start]}<{rule.kind}>{whole[start + len(private) :]}"

    return rule.pattern.sub(replace, text)


_RESERVED_DOMAIN = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost|local)$", re.IGNORECASE
)


def _is_personal_address(address: str) -> bool:
    domain = address.rpartition("@")[2]
    return not _RESERVED_DOMAIN.search(domain)


def _is_public_ip(text: str) -> bool:
    """Not private, reserved or documentation ranges, nor what reads like a version or a section.

    Versions have small numbers: four below 64 are taken for one, which one address in 256 has too.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and (address.version == 6 or max(address.packed) >= 64)


_SHORT_CALLING_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 "
    "64 65 66 81 82 84 86 90 91 92 93 94 95 98"
)
_CALLING_CODES = frozenset(_SHORT_CALLING_CODES.split())
"""Country codes of one and two digits (ITU-T E.164); all others have three."""

_TOLL_FREE = frozenset({"800", "822", "833", "844", "855", "866", "877", "888"})
"""Area codes of companies and offices, whose numbers are public."""


def _is_phone(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    if text.startswith("+"):
        if not 8 <= len(digits) <= 15 or digits[0] == "0":
            return False
        if digits[0] != "1":
            return digits[0] in _CALLING_CODES or digits[:2] in _CALLING_CODES or len(digits) >= 9
    return _is_american_phone(digits[-10:]) if len(digits) in (10, 11) else False


def _is_american_phone(digits: str) -> bool:
    """Whether ten digits fit the North American Numbering Plan and are not made up (555-01xx)."""
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    if area[0] in "01" or exchange[0] in "01" or area[1:] == "11" or exchange[1:] == "11":
        return False
    is_fictitious = area == "555" or (exchange == "555" and line.startswith("01"))
    return not is_fictitious and area not in _TOLL_FREE


def _is_iban(text: str) -> bool:
    letters = text.replace(" ", "")
    if not 15 <= len(letters) <= 34:
        return False
    turned = letters[4:] + letters[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}"  # Discover
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}"  # UnionPay
)


def _is_card(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    if not _ISSUERS.fullmatch(digits) or len(set(digits)) < 4:
        return False
    total = 0
    for position, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


_SHOWN_SECRET = re.compile(
    r"your|my[_-]|example|sample|dummy|placeholder|change|secret|password|xxx|test|\.\.\.|env|token",
    re.IGNORECASE,
)


def _is_random(value: str) -> bool:
    """Whether a value looks drawn by chance: digits and letters, and much information in each.

    3 bits a character (Shannon's entropy of its own letters) part hexadecimal keys of 16 digits
    and more from words and figures.
    """
    digits = sum(map(str.isdigit, value))
    if 10 * digits < len(value) or digits == len(value) or _SHOWN_SECRET.search(value):
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= 3.0


def _is_token(text: str) -> bool:
    """Not the all-equal letters and EXAMPLE of documentation."""
    return "EXAMPLE" not in text and len(set(text[8:])) >= 5


_TOKEN_BEGINS = (
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "hooks.slack.com",
    "k_live_",
    "AIza",
    "sk-",
    "hf_",
    "eyJ",
)

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255}"
    r"|glpat-[A-Za-z0-9_-]{20,64}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,255}"
    r"|[sr]k_live_[A-Za-z0-9]{16,255}"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|sk-(?:proj-|svcacct-|ant-[a-z0-9]{2,8}-)?[A-Za-z0-9_-]{32,255}"
    r"|hf_[A-Za-z0-9]{30,64}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,2000}"
    r")(?![A-Za-z0-9_-])"
    r"|(?<=hooks\.slack\.com/services/)[A-Z0-9]{8,12}/[A-Z0-9]{8,12}/[A-Za-z0-9]{20,30}"
)

_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]|-(?!----)){20,20000}(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
)

_ASSIGNED_SECRET = re.compile(
    r"(?i)(?:api[_-]?key|secret|password|passwd|token|private[_-]?key|access[_-]?key)"
    r"[A-Za-z0-9_]{0,20}[\"']?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}[\"']?"
    r"(?P<private>[A-Za-z0-9+/_=.-]{16,200})(?![A-Za-z0-9+/_=.(-])"
)

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_+-])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-]|\.[A-Za-z])"
)

_IPV4 = re.compile(
    r"(?<![\w.#/-])(?P<private>(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}"
    r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))(?![\w]|\.\d|-\d)"
)

_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::|[0-9A-Fa-f]{1,4}|(?::[0-9A-Fa-f]{1,4}){1,6})(?![\w:])"
)

_PHONE = re.compile(
    r"(?<![\w+.,/=^-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(\d{1,5}\))?(?:[ .-]?\d{2,5}){2,5}"
    r"|(?:1[ .-])?\(\d{3}\)[ -]?\d{3}[ .-]\d{4}"
    r"|(?:1[ .-])?\d{3}-\d{3}-\d{4}"
    r"|(?:1\.)?\d{3}\.\d{3}\.\d{4}"
    r")(?![\w^]|[.,/=-]\d)"
)

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)

_CARD = re.compile(
    r"(?<![\w.,+/=-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\d{1,3})?"
    r"|3\d{3}([ -]?)\d{6}\2\d{4,5}|\d{13,19})(?![\w/=]|[.,-]\d)"
)

_SECRET_NAMES = ("key", "secret", "passw", "token")
_ASSIGNMENT = re.compile(r"[:=]>?[ \t]{0,4}[\"']?[A-Za-z0-9+/_=.-]{16}")
_LONG_NUMBER = re.compile(r"[0-9][0-9 .()-]{5}[0-9 .()-]*[0-9]")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")


def _may_have_block(text: str, numbers: list[str]) -> bool:
    return "PRIVATE KEY" in text


def _may_have_token(text: str, numbers: list[str]) -> bool:
    return any(begin in text for begin in _TOKEN_BEGINS)


def _may_have_secret(text: str, numbers: list[str]) -> bool:
    if not _ASSIGNMENT.search(text):
        return False
    lower = text.lower()
    return any(name in lower for name in _SECRET_NAMES)


def _may_have_email(text: str, numbers: list[str]) -> bool:
    return "@" in text


def _may_have_number(text: str, numbers: list[str]) -> bool:
    return any(sum(map(str.isdigit, number)) >= 7 for number in numbers)


def _may_have_card(text: str, numbers: list[str]) -> bool:
    return any(sum(map(str.isdigit, number)) >= 13 for number in numbers)


def _may_have_ipv4(text: str, numbers: list[str]) -> bool:
    return any(number.count(".") >= 3 for number in numbers)


def _may_have_ipv6(text: str, numbers: list[str]) -> bool:
    return _COLONS.search(text) is not None


_RULES = (
    _Rule("key", _may_have_block, _KEY_BLOCK),
    _Rule("key", _may_have_token, _TOKEN, _is_token),
    _Rule("key", _may_have_secret, _ASSIGNED_SECRET, _is_random),
    _Rule("email", _may_have_email, _EMAIL, _is_personal_address),
    _Rule("iban", _may_have_number, _IBAN, _is_iban),
    _Rule("card", _may_have_card, _CARD, _is_card),
    _Rule("phone", _may_have_number, _PHONE, _is_phone),
    _Rule("ip", _may_have_ipv4, _IPV4, _is_public_ip),
    _Rule("ip", _may_have_ipv6, _IPV6, _is_public_ip),
)
"""Keys come first: what they hold is no number. Longer numbers go before shorter ones."""
