from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data import Document
from phinery.data.synthesis.teacher.draft import RejectedError, try_programs
from phinery.data.synthesis.teacher.formats import is_repetitive, looks_english, read_answer
from phinery.data.synthesis.teacher.plan import CODE, EXERCISES, KINDS, QUESTIONS, REWRITE, Plan
from phinery.data.synthesis.teacher.prompts import Brief
from teacher_help import code_answer, good_answer

PAGE = Document("page", "The old mill by the river was built of stone. " * 30, "web")


def brief_of(kind: str) -> Brief:
    pages = [PAGE] if kind == REWRITE else []
    return Plan(kinds={kind: 1}, pages=pages).request(0).brief


def answer_of(kind: str) -> str:
    pages = [PAGE] if kind == REWRITE else []
    return good_answer(Plan(kinds={kind: 1}, pages=pages).request(0).prompt)


def reason(kind: str, text: str, finish: str | None = "stop") -> str:
    try:
        read_answer(brief_of(kind), text, finish)
    except RejectedError as error:
        return str(error)
    return "accepted"


@pytest.mark.parametrize("kind", KINDS)
def test_good_answers_are_accepted(kind: str):
    assert reason(kind, answer_of(kind)) == "accepted"
    assert reason(kind, answer_of(kind), None) == "accepted", "some servers tell no finish reason"


@pytest.mark.parametrize("kind", KINDS)
def test_what_surrounds_an_answer_is_taken_off(kind: str):
    plain = read_answer(brief_of(kind), answer_of(kind), "stop")
    wrapped = (
        f"<think>First I plan.\n# Not this</think>\n\nSure! Here is what you asked for:\n\n"
        f"{answer_of(kind)}\n\n---\n\nI hope this helps! Let me know if you want more."
    )
    assert read_answer(brief_of(kind), wrapped, "stop") == plain
    windows = answer_of(kind).replace("\n", "\r\n")
    assert read_answer(brief_of(kind), windows, "stop") == plain
    if kind != CODE:
        assert read_answer(brief_of(kind), f"```markdown\n{answer_of(kind)}\n```", "stop") == plain


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_kind_takes(kind: str):
    good = answer_of(kind)
    assert reason(kind, good, "length") == "cut off"
    assert reason(kind, good, "content_filter") == "filtered"
    assert reason(kind, good + "word " * 20_000) == "too long"
    assert reason(kind, "I'm sorry, but I can't write that.") == "refusal"
    assert reason(kind, "As an AI language model, I have no kitchen. " + good) == "refusal"
    assert reason(kind, "I cannot help with this request.") == "refusal"
    assert reason(kind, good.replace("The ", "The \0", 1)) == "control characters"
    assert reason(kind, "") != "accepted"
    assert reason(kind, "Sure!") != "accepted"


def test_sections():
    good = answer_of("textbook")
    assert reason("textbook", "# A heading\n\nThe end of it is near to you.") == "too short"
    assert reason("textbook", good.replace("# ", "", 1)) == "no heading"
    assert reason("textbook", "# H\n\n" + "The cat is on the mat. " * 200) == "repetitive"
    assert reason("textbook", good + "\n\nIt was made by [insert name here].") == "placeholder"
    german = (
        "Der Fluss fließt langsam durch das Tal, und die Mühle steht still. Niemand weiß, warum "
        "das Rad nicht mehr läuft, aber der Müller hat eine Vermutung. Er holt Werkzeug aus der "
        "Scheune, öffnet die Klappe und sieht, dass ein Ast die Achse blockiert. Mit einem "
        "kräftigen Ruck zieht er ihn heraus, worauf das Rad sich wieder dreht. Danach setzt er "
        "sich auf die Bank und schaut zufrieden zu, wie Wasser in die Rinne stürzt. Später "
        "kommen Nachbarn mit Säcken voller Korn, denn morgen soll gebacken werden. Alle reden "
        "durcheinander, lachen, trinken Kaffee und erzählen von früheren Zeiten, in denen jede "
        "Familie ihr eigenes Mehl mahlen ließ. Abends wird es kühl, Nebel steigt aus den Wiesen, "
        "und nur noch das Klappern der Mühle klingt herüber zum Dorf, wo Lichter angehen."
    )
    assert len(german) > 750
    assert reason("textbook", f"# Die Mühle\n\n{german}") in ("not English", "too short")
    assert not looks_english(german)
    assert reason("textbook", good.replace("# ", "### ", 1)) == "accepted"


def test_a_rewrite_that_copies_the_page_is_rejected():
    page = Document("p", answer_of("textbook"), "web")
    plan = Plan(kinds={REWRITE: 1}, pages=[page])
    with pytest.raises(RejectedError, match="copied from the page"):
        read_answer(plan.request(0).brief, page.text, "stop")


@pytest.mark.parametrize(
    ("kind", "first", "second"), [(EXERCISES, "Exercise", "Solution"), (QUESTIONS, "Q", "A")]
)
def test_pairs(kind: str, first: str, second: str):
    good = answer_of(kind)
    draft = read_answer(brief_of(kind), good, "stop")
    assert len(draft.pairs) == 4
    for problem, solution in draft.pairs:
        assert f"{first}: {problem}\n\n{second}: {solution}" in draft.text
    assert draft.text.startswith(f"# {brief_of(kind).topic[0].upper()}")

    bold = re.sub(rf"^({first}|{second}):", r"**\1 7:**", good, flags=re.M)
    headed = re.sub(rf"^({first}|{second}):", r"### \1 7.", good, flags=re.M)
    ruled = re.sub(rf"^{first}:", f"---\n\n{first}:", good, flags=re.M)
    for variant in (bold, headed, ruled):
        assert read_answer(brief_of(kind), variant, "stop") == draft, variant[:200]

    last = good.rindex(f"\n{second}:")
    assert reason(kind, good[:last]) == "missing solution"
    assert reason(kind, re.sub(rf"^{second}:.*\n?", "", good, flags=re.M)) == "missing solution"
    assert reason(kind, f"{second}: yes\n{good}") == "missing solution"
    assert reason(kind, f"{first}: why?\n{second}: so.") == "too short"
    once = good[: good.index(f"\n\n{first}:")]
    assert reason(kind, "\n\n".join([once] * 4)) == "too short", "the same pair again is no pair"
    assert (
        reason(kind, "It is a long story, that I tell in prose. " * 20)
        == "not in the form asked for"
    )


def test_code():
    brief = brief_of(CODE)
    good = code_answer(brief.function, 7)
    draft = read_answer(brief, good, "stop")
    assert draft.text.startswith(f"def {brief.function}(")
    assert "\n\n\n# Tests\nassert " in draft.text
    assert "```" not in draft.text
    assert try_programs(draft) == ""

    wrong = read_answer(brief, good.replace("total += value", "total -= value"), "stop")
    assert try_programs(wrong) == "tests failed: AssertionError"


def test_tests_that_prove_nothing_are_found():
    brief = brief_of(CODE)
    name = brief.function
    idle = re.sub(
        rf"^assert {name}(\(.*\)) == .*$",
        rf"assert {name}\1 or True",
        code_answer(name, 1),
        flags=re.M,
    )
    assert try_programs(read_answer(brief, idle, "stop")) == "tests pass without the function"
    caught = re.sub(
        r"^(assert .*)$",
        r"try:\n    \1\nexcept AssertionError:\n    pass",
        code_answer(name, 1),
        flags=re.M,
    )
    assert try_programs(read_answer(brief, caught, "stop")) == "tests pass without the function"


def test_code_that_is_not_run_at_all():
    name = brief_of(CODE).function
    good = code_answer(name, 7)
    assert reason(CODE, "Think about it.") == "missing code"
    assert reason(CODE, good[: good.rindex("```python")]) == "missing tests"
    assert reason(CODE, good.replace("total = 7", "total = = 7")) == "syntax error"
    assert reason(CODE, good.replace("total = 7", "total = 7\0")) == "control characters"
    assert reason(CODE, good.replace(f"def {name}", "def other")) == "wrong name"
    assert reason(CODE, re.sub(r'    """.*?"""\n', "", good, flags=re.S)) == "no docstring"
    assert reason(CODE, re.sub(r"^assert .*\n", "", good, count=2, flags=re.M)) == "too few tests"
    hijacked = good.replace("assert ", f"def {name}(v): return 0\nassert ", 1)
    assert reason(CODE, hijacked) == "wrong name"
    for line in (
        "import os", "import sys as math", "from subprocess import run", "import os.path",
        "from . import x", "open('x')", "x = eval", "exec('1')", "__import__('os')",
        "x = ().__class__", "input()", "print(1)", "x = math.__dict__",
    ):  # fmt: skip
        assert reason(CODE, good.replace("def ", f"{line}\n\ndef ", 1)) == "refused construct", line
    for line in ("import math", "from collections import Counter", "import itertools as it"):
        assert reason(CODE, good.replace("def ", f"{line}\n\ndef ", 1)) == "accepted", line


PIECES = [
    *("# ", "Exercise:", "Solution:", "Q:", "A:", "**", "\n", "---", "  ", "1.", "[insert"),
    *("```python\n", "```\n", "def f(x):", "assert f(1)", "<think>", "</think>", "Sure!"),
    *("The end of it. ", "\0", "\ud800"),
]
ANYTHING = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@given(st.sampled_from(KINDS), ANYTHING, st.sampled_from([None, "stop", "odd"]))
@settings(max_examples=200)
def test_any_answer_is_a_document_or_a_reason(kind: str, text: str, finish: str | None):
    outcome = reason(kind, text, finish)
    assert 0 < len(outcome) < 60
    if outcome == "accepted":
        draft = read_answer(brief_of(kind), text, finish)
        assert draft.text.strip() == draft.text != ""


@given(
    st.lists(
        st.tuples(
            st.text("abc de\n.-*", min_size=30, max_size=60),
            st.text("xyz the of is\n.-*", min_size=20, max_size=90),
        ),
        min_size=2,
        max_size=5,
        unique=True,
    )
)
def test_pairs_come_back_as_they_were_written(pairs: list[tuple[str, str]]):
    # White space and rules of dashes around a part are not part of it.
    clean = [tuple(re.sub(r"[\s*-]+\Z|\A[\s*-]+", "", part) for part in pair) for pair in pairs]
    pairs = [
        (f"The case of the {a} is this", f"It is that of the {b} and so it is") for a, b in clean
    ]
    pairs = list(dict.fromkeys(pairs))
    text = "\n\n".join(f"Exercise: {a}\nSolution: {b}" for a, b in pairs)
    assert read_answer(brief_of(EXERCISES), text, "stop").pairs == tuple(pairs)


@pytest.mark.parametrize(
    "piece",
    ["\n", "-", "*", " ", "- ", "*\n", "<think>", "# ", "```\n", "[insert ", "Q: a\n", "I "],
)
def test_no_answer_takes_long_to_read(piece: str):
    text = (piece * 80_000)[:79_000]
    start = time.process_time()
    for kind in KINDS:
        for variant in (text, text[:19_990], f"# x\n{text[:19_900]}\nlet me know"):
            reason(kind, variant)
    assert time.process_time() - start < 5, "the time grows with the square of the length, or worse"


def test_repetition_and_english_on_known_texts():
    assert is_repetitive("The same again. " * 100)
    assert not is_repetitive(good_answer("anything"))
    assert not is_repetitive("short")
    assert looks_english("This is a test of the emergency system, and it is only that.")
    assert not looks_english("Dies ist ein Test des Systems und nichts anderes als das.")
    assert not looks_english("这是一个测试")
