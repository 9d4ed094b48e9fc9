"""Which language a text is written in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from statistics import median

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from resiliparse.parse.lang import detect_fast

UNKNOWN = "und"
"""The code for a text whose language cannot be told: ISO 639-2's "undetermined"."""

_PIECE = 500
"""Characters of each of the three pieces of a text that are looked at: the detectors' time grows
with the length, and their answers hardly change beyond it."""

_FEWEST_LETTERS = 3

_PLAIN_WORD = re.compile(r"[^\W\d_][a-z]{2,19}|[A-Z]{4,20}")
_WORD = re.compile(r"[^\W\d_]+")
_FREQUENT_ENGLISH = (
    "about and are because been between both does from have into of only other our should "
    "some than that the their them there these they this those through were what when where "
    "which while who will with would you your"
)
_ENGLISH_WORDS = frozenset(_FREQUENT_ENGLISH.split())
"""Frequent English words that other languages hardly use. In pages of the Universal Declaration of
Human Rights in 340 languages, no other language but Scots and Nigerian Pidgin has more than 5% of
them in an excerpt; English prose has 10 to 30%."""

_CLEAR_SHARE = 0.12
"""Share of English words above which only a mixture of languages can be meant."""
_POSSIBLE_SHARE = 0.03
"""Share of English words in English tables, lists and headers."""

_SENSIBLE = 0.3
"""py3langid's confidence in "en" below which a text of many words may be no language at all."""
_FEW_WORDS = 100
"""Texts below are too short for much confidence."""

_CONFIDENT = 0.9
"""py3langid's confidence from which its answer is rarely wrong."""

_CONFUSED_WITH_ENGLISH = frozenset({"la", "zxx"})
"""py3langid's usual answers for English with many formulas, names or numbers (zxx: no language)."""

_ISO_639_1 = {
    "ary": "ar",
    "arz": "ar",
    "fuv": "ff",
    "gug": "gn",
    "hbo": "he",
    "kik": "ki",
    "ltg": "lv",
    "sdh": "ku",
    "uzs": "uz",
    "wuu": "zh",
    "yue": "zh",
}
"""Languages of py3langid that have no code of two letters, but whose macrolanguage (or, for ancient
Hebrew, whose modern form) has one."""


def detect_language(text: str) -> str:
    """The language of `text` as an ISO 639-1 code, or "und" when it cannot be told.

    Looks at no more than 1,500 characters, from the beginning, the middle and the end. Three
    witnesses are heard: resiliparse's fast profile of characters, the share of frequent English
    words, and, where these two don't already agree on English, py3langid. Programs are not a
    language: they get the language of their names and comments, or none.
    """
    pieces = _pieces(text)
    words = [_WORD.findall(piece) for piece in pieces]
    count = sum(map(len, words))
    if sum(map(len, chain.from_iterable(words))) < _FEWEST_LETTERS:
        return UNKNOWN
    if sum(map(str.isupper, chain.from_iterable(words))) * 2 > count:
        pieces = list(map(str.lower, pieces))  # the detectors have hardly seen capitals
    english = [
        [word for word in map(str.lower, piece) if word in _ENGLISH_WORDS] for piece in words
    ]
    # The median, so that neither an English notice below a text nor a table above one decides.
    share = median(len(e) / max(len(w), 1) for e, w in zip(english, words, strict=True))

    fast = detect_fast("\n".join(pieces))[0]
    if fast == "en" and share >= _CLEAR_SHARE:
        return "en"
    language, confidence = _identifier().classify(_first_bytes(pieces))
    distinct = len(set(chain.from_iterable(english)))
    if language == "en":
        is_english = fast == "en" or confidence >= _SENSIBLE or distinct >= 2 or count < _FEW_WORDS
        is_certain = is_english
    elif language in _CONFUSED_WITH_ENGLISH or confidence < _CONFIDENT:
        is_english, is_certain = share >= _POSSIBLE_SHARE and distinct >= 2, False
    else:
        is_english, is_certain = share >= _CLEAR_SHARE, True
    if is_english or (not is_certain and _is_english_list(list(chain.from_iterable(words)))):
        return "en"
    if language == "en":
        return UNKNOWN
    code = _ISO_639_1.get(language, language)
    return code if len(code) == 2 else UNKNOWN


def detect_languages(texts: Sequence[str]) -> list[str]:
    """`detect_language` of every text."""
    return [detect_language(text) for text in texts]


def _pieces(text: str) -> list[str]:
    """A short text itself; the beginning, middle and end of a long one."""
    if len(text) <= 3 * _PIECE:
        return [text]
    middle = (len(text) - _PIECE) // 2
    return [text[:_PIECE], text[middle : middle + _PIECE], text[-_PIECE:]]


def _is_english_list(words: list[str]) -> bool:
    """Whether the plain words of a table, taken once each and without its figures, are English."""
    letters = "".join(words)
    plain = [word for word in words if _PLAIN_WORD.fullmatch(word)]
    if len(letters.encode()) > 1.2 * len(letters) or sum(map(len, plain)) < 0.15 * len(letters):
        return False  # another script, or an encoded file with an English header
    distinct = " ".join(dict.fromkeys(map(str.lower, plain)))
    language, confidence = _identifier().classify(distinct)
    return language == "en" and confidence >= _SENSIBLE


def _first_bytes(pieces: list[str]) -> str:
    """As much of all pieces as py3langid, which goes byte by byte, needs."""
    share = 750 // len(pieces)
    return "\n".join(
        piece.encode(errors="replace")[:share].decode(errors="ignore") for piece in pieces
    )


@cache
def _identifier() -> LanguageIdentifier:
    # Its model is an .npz that it reads with allow_pickle=False (py3langid 0.4, modelio.py).
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
