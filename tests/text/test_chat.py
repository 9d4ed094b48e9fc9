from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.text.chat import STOP_STRINGS, ChatTranscript, format_chat


def test_a_conversation_is_a_transcript():
    messages = [
        {"role": "system", "content": "Two people talk."},
        {"role": "user", "content": " Hello? \n"},
        {"role": "assistant", "content": " Hi."},
        {"role": "user", "content": "Who\nare you?"},
    ]
    assert format_chat(messages) == (
        "Two people talk.\nUser: Hello?\nAssistant: Hi.\nUser: Who\nare you?\nAssistant:"
    )


def test_stop_strings_are_the_speakers_lines():
    text = format_chat([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert [stop in f"\n{text}" for stop in STOP_STRINGS] == [True, True]
    assert ChatTranscript.stop == STOP_STRINGS


def test_other_roles_are_refused():
    with pytest.raises(ValueError, match="role 'tool'"):
        format_chat([{"role": "tool", "content": "x"}])


def test_a_transcript_remembers_exchanges_with_an_answer(byte_tokenizer):
    transcript = ChatTranscript(system="S")
    transcript.add("one", " first ")
    transcript.add("two", " ")
    ids = transcript.prompt_ids("three", byte_tokenizer, 1000)
    expected = "S\nUser: one\nAssistant: first\nUser: three\nAssistant:"
    assert byte_tokenizer.decode(ids) == expected
    assert byte_tokenizer.decode(transcript.prompt_ids("three", byte_tokenizer, 1000)) == expected


def test_a_question_too_long_is_told_and_forgotten(byte_tokenizer):
    transcript = ChatTranscript()
    transcript.add("a", "b")
    with pytest.raises(ValueError, match="the question takes 67 tokens, 40 are free: shorten it"):
        transcript.prompt_ids("x" * 50, byte_tokenizer, 40)
    assert byte_tokenizer.decode(transcript.prompt_ids("c", byte_tokenizer, 99)).startswith(
        "User: a"
    )


@given(
    exchanges=st.lists(
        st.tuples(st.from_regex("[a-z]{1,8}", fullmatch=True), st.text("xyz", min_size=1)),
        max_size=8,
    ),
    limit=st.integers(25, 200),
)
def test_the_longest_end_that_fits_is_kept(byte_tokenizer, exchanges, limit):
    transcript = ChatTranscript()
    for question, answer in exchanges:
        transcript.add(question, answer)
    kept = byte_tokenizer.decode(transcript.prompt_ids("now", byte_tokenizer, limit))
    prompts = []
    for count in range(len(exchanges) + 1):
        last = exchanges[len(exchanges) - count :]
        lines = [f"User: {asked}\nAssistant: {answered}\n" for asked, answered in last]
        prompts.append("".join(lines) + "User: now\nAssistant:")
    assert kept == max((text for text in prompts if len(text) <= limit), key=len)
