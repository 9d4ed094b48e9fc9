"""Rules of thumb that tell prose and programs from the refuse of the web, as Daft expressions.

Nothing here calls back into Python for a document: Daft evaluates each rule over whole batches.

Sources of the rules and of every limit:

- Gopher: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training
  Gopher", arXiv 2112.11446, section A.1.1, "Quality filtering"; the same numbers are the defaults
  of datatrove's gopher_quality_filter.py
- C4: Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
  Transformer", arXiv 1910.10683, section 2.2
- FineWeb: Penedo et al. 2024, "The FineWeb Datasets", arXiv 2406.17557, section 3.6
- datatrove: the defaults of fineweb_quality_filter.py in github.com/huggingface/datatrove
- StarCoder: Li et al. 2023, "StarCoder: may the source be with you!", arXiv 2305.06161, section
  3.1, with the numbers of github.com/bigcode-project/bigcode-dataset, preprocessing: README.md,
  filtering.py and visual_inspection.csv, which has a row for each file extension

A pattern means the same in Rust's regex crate, which Daft uses, and in Python's re, with which the
tests check it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daft import Expression


@dataclass(frozen=True)
class HeuristicLimits:
    """Where each rule draws its line; lengths in characters, shares from 0 to 1.

    A word is what stands between whitespace; a line is not blank. What lies on a limit is kept.
    """

    fewest_words: int = 50
    """Gopher: between 50 and 100,000 words."""
    most_words: int = 100_000
    """Gopher."""
    shortest_mean_word: float = 3.0
    """Gopher: a mean word of 3 to 10 characters."""
    longest_mean_word: float = 10.0
    """Gopher."""
    most_symbols_per_word: float = 0.1
    """Gopher, 0.1: hash signs, and ellipses, each for itself. Hash signs that begin a line are
    Markdown headings and don't count."""
    most_bullet_lines: float = 0.9
    """Gopher, 90%: share of lines that start with a bullet point."""
    most_ellipsis_lines: float = 0.3
    """Gopher, 30%: share of lines that end with an ellipsis."""
    fewest_alphabetic_words: float = 0.6
    """Ours: share of words with a letter. Gopher's 80% takes away pages of mathematics."""
    fewest_stop_words: int = 2
    """Gopher, two: different words of "the, be, to, of, and, that, have, with"; in English only."""
    most_brackets_per_word: float = 0.1
    """Ours. C4 drops every page with a curly bracket, and with it LaTeX and quoted programs."""
    most_notice_words: int = 200
    """Ours: longer texts that speak of JavaScript are not notices of missing JavaScript. C4 drops
    every line with the word."""
    most_policies_per_word: float = 0.02
    """Ours: policies and cookies, two at least. C4 drops every line that names them."""
    fewest_sentence_lines: float = 0.12
    """FineWeb, which drops 0.12 and less: share of lines that end with a mark of punctuation."""
    shortest_line: int = 30
    """FineWeb: a line shorter than 30 characters is short. datatrove takes 30 for short as well."""
    most_short_lines: float = 0.67
    """FineWeb, which drops 0.67 and more: share of lines that are short."""
    most_lines_per_word: float = 0.3
    """datatrove's filter for FineWeb, `new_line_ratio` of 0.3: above, the text is a list. The paper
    doesn't have it."""
    longest_code_line: int = 1_000
    """StarCoder, `Long_line_threshold` of 1,000 for most extensions: what has longer lines was
    written by a program."""
    longest_mean_code_line: float = 100.0
    """StarCoder, `line_mean` of 100 wherever the longest line is limited."""
    fewest_alphanumeric: float = 0.25
    """StarCoder, `Alphanum_threshold` of 0.25 for nearly all extensions: share of a program's
    characters that are letters and digits. The paper's alpha filter (25% letters, some extensions)
    is another."""
    most_data_lines: float = 0.7
    """Ours: share of a program's lines that have a digit and no letter."""


REASONS: dict[str, str] = {
    "empty": "there is no word in it",
    "code_long_line": "it is a program with a very long line",
    "code_mean_line_length": "it is a program whose lines are long on average",
    "code_alphanumeric": "it is a program with few letters and digits",
    "code_data": "it is a program whose lines are mostly figures",
    "lorem_ipsum": "it has the typesetters' filler text",
    "javascript_notice": "it asks the reader to switch JavaScript on",
    "policy_notice": "it is short and about cookies, privacy or terms of use",
    "curly_brackets": "it is no program, but has many curly brackets",
    "too_few_words": "it has too few words",
    "too_many_words": "it has too many words",
    "mean_word_length": "its words are too short or too long on average",
    "symbol_to_word_ratio": "it has many hash signs or ellipses for its words",
    "bullet_lines": "nearly all of its lines are bullet points",
    "ellipsis_lines": "many of its lines end with an ellipsis",
    "alphabetic_words": "many of its words have no letter",
    "stop_words": "it says it is English, but lacks the most frequent English words",
    "few_sentence_lines": "few of its lines end with a mark of punctuation",
    "short_lines": "most of its lines are short",
    "list_like_lines": "it has many lines for its words",
}
"""What each reason means, in the words of a report, in the order in which the rules are tried."""


def heuristic_reason(
    text: Expression,
    kind: Expression,
    language: Expression,
    limits: HeuristicLimits | None = None,
) -> Expression:
    """Why a document should be dropped: a key of `REASONS`, or null when it passes all rules.

    `text` is a string; `kind` "code" for programs, which have rules of their own; `language` an ISO
    639-1 code. `kind` and `language` may be null. The first rule that a document fails is named.
    """
    from daft import lit
    from daft.functions import when

    limits = HeuristicLimits() if limits is None else limits
    is_code = kind.eq_null_safe(lit("code"))
    # Rules for others see an empty text, which costs nothing.
    prose = when(is_code, "").otherwise(text)
    code = when(is_code, text).otherwise("")
    rules = [
        ("empty", ~text.regexp(r"\S")),
        *((reason, is_code & failed) for reason, failed in _code_rules(code, limits)),
        *((reason, ~is_code & failed) for reason, failed in _prose_rules(prose, language, limits)),
    ]
    assert [reason for reason, _ in rules] == list(REASONS)
    first, *rest = rules
    chain = when(first[1], first[0])
    for reason, failed in rest:
        chain = chain.when(failed, reason)
    return chain.otherwise(None)


_UNSPACED = ["bo", "dz", "ja", "km", "lo", "my", "th", "zh"]
"""Languages that put no spaces between words, so that rules about words say nothing."""

_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's eight words."""

_BULLET = r"(?m)^[ \t]*[-*+\u2022\u2023\u25cf\u25e6\u25aa\u00b7][ \t]"
_ELLIPSIS = r"\.\.\.+|\u2026"
_ELLIPSIS_LINE = r"(?m)(?:\.\.\.|\u2026)[^\S\n]*$"
_HASH = r"[^\n#]#"
_LINE = r"(?m)^[^\S\n]*\S"
_LETTER_WORD = r"[^\s\p{L}]*\p{L}\S*"
_SHORT_LINE = r"(?m)^[^\S\n]*\S[^\n]{{0,{}}}$"
_SENTENCE_LINE = (
    r"(?m)[.!?:;\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964\u1362]"
    r"[\"'\u201d\u2019\u00bb)\]*_`]{0,3}[^\S\n]*$"
)
_LOREM_IPSUM = r"(?i)lorem ipsum dolor"
_JAVASCRIPT = (
    r"(?i)(?:enable|activate|turn on|requires?|without|supports?|needs?) [^\n]{0,40}javascript"
    r"|javascript [^\n]{0,40}(?:required|disabled|enabled|turned off|not supported)"
)
_POLICY = (
    r"(?i)terms of (?:use|service)|privacy policy|cookie policy|uses? cookies|use of cookies"
    r"|accept (?:all )?cookies"
)
"""C4's six phrases (terms of use, privacy policy, cookie policy, uses cookies, use of cookies, use
cookies), and ours: terms of service, accept cookies."""
_DATA_LINE = r"(?m)^[^\n\p{L}]*[0-9][^\n\p{L}]*$"


def _prose_rules(
    text: Expression, language: Expression, limits: HeuristicLimits
) -> list[tuple[str, Expression]]:
    from daft import lit
    from daft.functions import regexp_count, when

    words = regexp_count(text, r"\S+")
    lines = regexp_count(text, _LINE)
    characters = text.length() - regexp_count(text, r" ") - regexp_count(text, r"[\n\t]")
    is_spaced = ~language.is_in(_UNSPACED).fill_null(False)
    is_english = language.eq_null_safe(lit("en"))
    stop_words = reduce(
        add, (text.regexp(rf"(?i)\b{word}\b").cast("int32") for word in _STOP_WORDS)
    )
    policies = regexp_count(text, _POLICY)
    # Most texts don't name it: the longer pattern then sees nothing.
    notice = when(text.regexp(r"(?i)javascript"), text).otherwise("")
    short_lines = regexp_count(text, _SHORT_LINE.format(limits.shortest_line - 2))
    mean_word = characters / words
    return [
        ("lorem_ipsum", text.regexp(_LOREM_IPSUM)),
        (
            "javascript_notice",
            (words <= lit(limits.most_notice_words)) & notice.regexp(_JAVASCRIPT),
        ),
        (
            "policy_notice",
            (policies >= lit(2)) & (policies > words * limits.most_policies_per_word),
        ),
        (
            "curly_brackets",
            text.count_matches(["{"]) > words * limits.most_brackets_per_word,
        ),
        ("too_few_words", is_spaced & (words < lit(limits.fewest_words))),
        ("too_many_words", is_spaced & (words > lit(limits.most_words))),
        (
            "mean_word_length",
            is_spaced
            & (
                (mean_word < lit(limits.shortest_mean_word))
                | (mean_word > lit(limits.longest_mean_word))
            ),
        ),
        (
            "symbol_to_word_ratio",
            is_spaced
            & (
                (regexp_count(text, _HASH) > words * limits.most_symbols_per_word)
                | (regexp_count(text, _ELLIPSIS) > words * limits.most_symbols_per_word)
            ),
        ),
        ("bullet_lines", regexp_count(text, _BULLET) > lines * limits.most_bullet_lines),
        ("ellipsis_lines", regexp_count(text, _ELLIPSIS_LINE) > lines * limits.most_ellipsis_lines),
        (
            "alphabetic_words",
            is_spaced & (regexp_count(text, _LETTER_WORD) < words * limits.fewest_alphabetic_words),
        ),
        ("stop_words", is_english & (stop_words < lit(limits.fewest_stop_words))),
        (
            "few_sentence_lines",
            regexp_count(text, _SENTENCE_LINE) < lines * limits.fewest_sentence_lines,
        ),
        ("short_lines", short_lines > lines * limits.most_short_lines),
        ("list_like_lines", is_spaced & (lines > words * limits.most_lines_per_word)),
    ]


def _code_rules(text: Expression, limits: HeuristicLimits) -> list[tuple[str, Expression]]:
    from daft.functions import regexp_count

    lines = regexp_count(text, _LINE)
    letters = text.length() - regexp_count(text, r"[^\p{L}\p{Nd}]")
    return [
        ("code_long_line", text.regexp(rf"[^\n]{{{limits.longest_code_line + 1}}}")),
        ("code_mean_line_length", text.length() > lines * limits.longest_mean_code_line),
        ("code_alphanumeric", letters < text.length() * limits.fewest_alphanumeric),
        ("code_data", regexp_count(text, _DATA_LINE) > lines * limits.most_data_lines),
    ]
