from __future__ import annotations

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers

from phinery.text import Tokenizer
from phinery.text.chat import STOP_STRINGS, ChatTranscript, format_chat


def byte_tokenizer():
    """One token per byte, so that a prompt has as many tokens as bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: rank for rank, character in enumerate(alphabet)}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|endoftext|>"])
    return Tokenizer.from_backend(backend)


TOKENIZER = byte_tokenizer()


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


def test_a_transcript_remembers_exchanges_with_an_answer():
    transcript = ChatTranscript(system="S")
    transcript.add("one", " first ")
    transcript.add("two", " ")
    ids = transcript.prompt_ids("three", TOKENIZER, 1000)
    expected = "S\nUser: one\nAssistant: first\nUser: three\nAssistant:"
    assert TOKENIZER.decode(ids) == expected
    assert TOKENIZER.decode(transcript.prompt_ids("three", TOKENIZER, 1000)) == expected


def test_a_question_too_long_is_told_and_forgotten():
    transcript = ChatTranscript()
    transcript.add("a", "b")
    with pytest.raises(ValueError, match="the question takes 67 tokens, 40 are free: shorten it"):
        transcript.prompt_ids("x" * 50, TOKENIZER, 40)
    assert TOKENIZER.decode(transcript.prompt_ids("c", TOKENIZER, 99)).startswith("User: a")


@given(
    exchanges=st.lists(
        st.tuples(st.from_regex("[a-z]{1,8}", fullmatch=True), st.text("xyz", min_size=1)),
        max_size=8,
    ),
    limit=st.integers(25, 200),
)
def test_the_longest_end_that_fits_is_kept(exchanges, limit):
    transcript = ChatTranscript()
    for question, answer in exchanges:
        transcript.add(question, answer)
    kept = TOKENIZER.decode(transcript.prompt_ids("now", TOKENIZER, limit))
    prompts = []
    for count in range(len(exchanges) + 1):
        last = exchanges[len(exchanges) - count :]
        lines = [f"User: {asked}\nAssistant: {answered}\n" for asked, answered in last]
        prompts.append("".join(lines) + "User: now\nAssistant:")
    assert kept == max((text for text in prompts if len(text) <= limit), key=len)
