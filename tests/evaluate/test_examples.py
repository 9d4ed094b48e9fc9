"""Example answers: the prompts, what models make of them, and the pages."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import pytest

from phinery.evaluate.examples import answers_of, prompts, write_examples
from phinery.evaluate.examples.examples import Answer, Answers
from phinery.evaluate.examples.page import render_html, render_markdown
from phinery.infer import Engine, SamplingParams
from phinery.model import Phi
from phinery.text import Tokenizer

SETTING = {"seed": 0, "max_tokens": 8, "temperature": 0.8, "top_p": 0.95}


@pytest.fixture(scope="module")
def engine(phi: Phi, bpe_tokenizer: Tokenizer) -> Engine:
    return Engine(phi, bpe_tokenizer)


def test_prompts_cover_their_topics_in_three_forms():
    asked = prompts()
    assert len(asked) == 12
    assert len({prompt.name for prompt in asked}) == 12
    assert {prompt.form for prompt in asked} == {"plain", "instruct", "code"}
    assert len({prompt.topic for prompt in asked}) == 6
    for prompt in asked:
        assert prompt.good.endswith(".")
        assert "\n" not in prompt.good
        if prompt.form == "instruct":
            assert prompt.full.startswith("Instruct: ")
            assert prompt.full.endswith("\nOutput:")
            assert "\nInstruct:" in prompt.stops
        else:
            assert prompt.full == prompt.text
        if prompt.topic == "code to complete":
            compile(prompt.full + "    pass\n", prompt.name, "exec")


def test_answers_are_the_engine_s_own_whatever_is_asked_beside_them(engine: Engine):
    asked = prompts()
    found = answers_of(engine, asked, seed=3, max_tokens=6)
    assert len(found) == len(asked)
    prompt = asked[4]
    alone = engine.generate(
        [prompt.full], SamplingParams(temperature=0, max_tokens=6, stop=prompt.stops)
    )
    assert found[4].greedy == Answer(alone[0].text, alone[0].finish_reason)
    drawn = engine.generate(
        [prompt.full],
        SamplingParams(n=2, temperature=0.8, top_p=0.95, max_tokens=6, seed=3, stop=prompt.stops),
    )
    assert [one.text for one in found[4].sampled] == [one.text for one in drawn]
    assert drawn[0].text != drawn[1].text
    again = answers_of(engine, asked[4:6], seed=3, max_tokens=6)
    assert again == found[4:6]
    assert answers_of(engine, asked[4:6], seed=4, max_tokens=6) != again


def test_a_prompt_that_does_not_fit_gets_no_answer(phi: Phi, bpe_tokenizer: Tokenizer):
    asked = prompts()
    sizes = [len(bpe_tokenizer.encode(prompt.full)) for prompt in asked]
    room = (sorted(sizes)[5] + 1) // 16 * 16
    small = Engine(phi, bpe_tokenizer, cache_tokens=room)
    assert small.context_length == room
    found = answers_of(small, asked, max_tokens=3)
    for size, one in zip(sizes, found, strict=True):
        assert (one.greedy is None) == (size >= room)
        assert len(one.sampled) == (0 if size >= room else 2)
        if one.greedy is None:
            assert f"a context of {room}" in one.reason
    assert {one.greedy is None for one in found} == {True, False}


def test_three_files_tell_the_same(engine: Engine, tmp_path: Path):
    names = ("first <b>", "second|one")
    write_examples(dict.fromkeys(names, engine), tmp_path / "new", seed=1, max_tokens=5)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "examples.html",
        "examples.json",
        "examples.md",
    ]
    kept = json.loads((tmp_path / "new" / "examples.json").read_text())
    assert (kept["seed"], kept["max_tokens"], kept["models"]) == (1, 5, list(names))
    page = (tmp_path / "new" / "examples.html").read_text()
    text = (tmp_path / "new" / "examples.md").read_text()
    assert "<b>first" not in page
    assert page.count(f"<h4>{escape(names[0])}</h4>") == 12
    assert page.count('<div class="side ') == 24
    for prompt, known in zip(kept["prompts"], prompts(), strict=True):
        assert prompt["prompt"] == known.full
        assert escape(known.full) in page
        assert known.full in text
        for name in names:
            answers = prompt["answers"][name]
            for answer in [answers["greedy"], *answers["sampled"]]:
                assert f"<pre>\n{escape(answer['text'])}</pre>" in page
                assert answer["text"] in text


def test_what_models_write_cannot_break_the_pages():
    odd = "```\n</pre><script>x</script>\n````"
    answers = {"m": [Answers(Answer(odd, "stop"), (Answer("", "stop"), Answer(" ", "length")))]}
    page = render_html(prompts()[:1], answers, SETTING)
    assert "<script>" not in page
    assert "sampled 1, empty" in page
    assert "sampled 2, empty, cut at the limit" in page
    text = render_markdown(prompts()[:1], answers, SETTING)
    assert f"`````text\n{odd}\n`````" in text


def test_mistakes_are_told(engine: Engine, tmp_path: Path):
    with pytest.raises(ValueError, match="name at least one"):
        write_examples({}, tmp_path)
    with pytest.raises(ValueError, match="max_tokens"):
        write_examples({"m": engine}, tmp_path, max_tokens=0)
    assert list(tmp_path.iterdir()) == []
