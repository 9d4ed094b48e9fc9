"""The folders that we write and read, opened with transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from phinery.text import Tokenizer
from text_help import awkward_text, write_parts


@pytest.fixture(scope="module", params=["alone", "in a Phi folder"])
def opened(
    request: pytest.FixtureRequest, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = tmp_path_factory.mktemp("saved")
    tokenizer.save(folder)
    if request.param == "in a Phi folder":
        config = {"architectures": ["PhiForCausalLM"], "model_type": "phi", "vocab_size": 512}
        (folder / "config.json").write_text(json.dumps(config))
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@given(text=awkward_text)
@settings(max_examples=60)
def test_the_same_ids(tokenizer: Tokenizer, opened: Any, text: str):
    ids = tokenizer.encode(text, special_tokens=True)
    assert opened(text)["input_ids"] == ids
    assert opened.decode(ids) == tokenizer.decode(ids) == text


@given(data=st.data())
@settings(max_examples=60)
def test_the_same_text(tokenizer: Tokenizer, opened: Any, data: st.DataObject):
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=20))
    for skip in (False, True):
        expected = opened.decode(ids, skip_special_tokens=skip)
        assert tokenizer.decode(ids, skip_special_tokens=skip) == expected


def test_the_same_special_tokens(tokenizer: Tokenizer, opened: Any):
    assert opened.eos_token_id == tokenizer.eos_token_id
    assert opened.bos_token_id == tokenizer.bos_token_id
    assert opened.pad_token_id is tokenizer.pad_token_id is None
    assert len(opened) == tokenizer.vocab_size


def test_the_older_layout_is_read_alike(tokenizer: Tokenizer, tmp_path: Path):
    write_parts(tmp_path, tokenizer)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CodeGenTokenizer"}')
    theirs = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    ours = Tokenizer.load(tmp_path)
    for text in (
        "def f(x):\n        return x\n\n\t\t\ty",
        "a" + " " * 50 + "b",
        " naïve  日本 🦜 ",
    ):
        ids = ours.encode(text)
        assert theirs(text)["input_ids"] == ids
        assert theirs.decode(ids, clean_up_tokenization_spaces=False) == ours.decode(ids)


def test_spaces_before_punctuation_stay(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    fields = {**json.loads(config.read_text()), "clean_up_tokenization_spaces": True}
    config.write_text(json.dumps(fields))  # as Microsoft's Phi-2 has it
    Tokenizer.load(tmp_path).save(tmp_path)
    copy = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    text = "x = 'a' ; y == 'b' . do n't , please !"
    assert copy.decode(tokenizer.encode(text)) == text


def test_ours_reads_what_transformers_saves(tokenizer: Tokenizer, opened: Any, tmp_path: Path):
    opened.save_pretrained(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    text = "if x:\n            y = 'é'"
    assert loaded.encode(text) == tokenizer.encode(text)
    assert loaded.eos_token_id == tokenizer.eos_token_id
