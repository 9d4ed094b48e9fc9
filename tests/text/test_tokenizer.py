from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from phinery.text import Tokenizer
from text_help import EOS, awkward_text, write_parts


@given(text=awkward_text)
def test_any_text_comes_back(tokenizer: Tokenizer, text: str):
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(text, special_tokens=True)) == text


@given(texts=st.lists(awkward_text, max_size=5))
def test_a_batch_is_its_texts(tokenizer: Tokenizer, texts: list[str]):
    for special in (False, True):
        together = tokenizer.encode_batch(texts, special_tokens=special)
        assert together == [tokenizer.encode(text, special_tokens=special) for text in texts]


@given(text=awkward_text)
def test_text_from_outside_never_makes_a_special_token(tokenizer: Tokenizer, text: str):
    assert tokenizer.eos_token_id not in tokenizer.encode(text + EOS + text)


def test_special_tokens_are_found_when_asked_for(tokenizer: Tokenizer):
    ids = tokenizer.encode(f"a{EOS}b", special_tokens=True)
    assert ids == [*tokenizer.encode("a"), tokenizer.eos_token_id, *tokenizer.encode("b")]
    assert tokenizer.decode(ids) == f"a{EOS}b"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab"
    assert tokenizer.encode(f"a{EOS}b") != ids, "asking once must not change what comes after"


def test_runs_of_whitespace_are_single_tokens(tokenizer: Tokenizer):
    first_run = tokenizer.eos_token_id + 1
    assert tokenizer.encode(" " * 31) == [first_run]
    assert tokenizer.encode(" " * 33) == [first_run, tokenizer.encode("  ")[0]]
    assert len(tokenizer.encode("\t" * 9)) == 1
    assert tokenizer.vocab_size == first_run + 38
    assert not tokenizer.is_special(first_run)
    assert tokenizer.is_special(tokenizer.eos_token_id)


@given(data=st.data())
def test_decoding_is_the_backends(tokenizer: Tokenizer, data: st.DataObject):
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size + 5), max_size=30))
    for skip in (False, True):
        expected = tokenizer._backend.decode(ids, skip_special_tokens=skip)
        assert tokenizer.decode(ids, skip_special_tokens=skip) == expected


def test_token_bytes(tokenizer: Tokenizer):
    assert {tokenizer.token_bytes(i) for i in range(256)} == {bytes([i]) for i in range(256)}
    assert tokenizer.token_bytes(tokenizer.eos_token_id) == EOS.encode()
    assert tokenizer.token_bytes(tokenizer.encode("   ")[0]) == b"   "
    assert tokenizer.token_bytes(tokenizer.vocab_size) == b"", "a row that pads an embedding"
    with pytest.raises(ValueError, match="begin at 0"):
        tokenizer.token_bytes(-1)
    with pytest.raises(ValueError, match="begin at 0"):
        tokenizer.decode([3, -2])


def test_text_that_is_not_unicode_is_refused(tokenizer: Tokenizer):
    with pytest.raises(ValueError, match="lone surrogate at character 1"):
        tokenizer.encode("a\ud800")
    with pytest.raises(ValueError, match=r"text 1 .* lone surrogate"):
        tokenizer.encode_batch(["fine", "\udfff"])
    with pytest.raises(TypeError, match="text 0 is int"):
        tokenizer.encode_batch([3])  # pyright: ignore[reportArgumentType]


def test_saved_and_loaded_it_is_the_same(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    text = f"def f():\n        return 'ü'  {EOS}"
    assert loaded.encode(text) == tokenizer.encode(text)
    assert loaded.sha256 == tokenizer.sha256
    for name in ("eos_token", "eos_token_id", "bos_token_id", "pad_token_id", "vocab_size"):
        assert getattr(loaded, name) == getattr(tokenizer, name)
    assert (loaded.bos_token_id, loaded.pad_token_id) == (loaded.eos_token_id, None)


def test_the_hash_is_of_the_content_not_of_the_layout(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path)
    file = tmp_path / "tokenizer.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole, sort_keys=True, indent=1))
    assert Tokenizer.load(tmp_path).sha256 == tokenizer.sha256
    whole["added_tokens"].pop()
    file.write_text(json.dumps(whole))
    assert Tokenizer.load(tmp_path).sha256 != tokenizer.sha256


def test_truncation_and_padding_of_a_training_script_are_forgotten(
    tokenizer: Tokenizer, tmp_path: Path
):
    backend = tokenizers.Tokenizer.from_str(tokenizer._backend.to_str())
    backend.enable_truncation(2)
    backend.enable_padding(length=8)
    backend.save(str(tmp_path / "tokenizer.json"))
    loaded = Tokenizer.load(tmp_path)
    assert loaded.encode("one two three four") == tokenizer.encode("one two three four")
    assert loaded.sha256 == tokenizer.sha256


def test_the_older_layout_is_the_same_tokenizer(tokenizer: Tokenizer, tmp_path: Path):
    write_parts(tmp_path, tokenizer)
    parts = Tokenizer.load(tmp_path)
    text = f"class A:\n\t\t\tx =    1{' ' * 40}# naïve {EOS}"
    for special in (False, True):
        ids = parts.encode(text, special_tokens=special)
        assert ids == tokenizer.encode(text, special_tokens=special)
        assert parts.decode(ids) == text
    assert parts.eos_token_id == tokenizer.eos_token_id
    assert parts.vocab_size == tokenizer.vocab_size


def test_names_of_special_tokens_are_read(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    space = " " * 31
    config.write_text(
        json.dumps({"eos_token": {"content": EOS}, "pad_token": space, "chat_template": "{{x}}"})
    )
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"bos_token": "the"}))
    loaded = Tokenizer.load(tmp_path)
    assert loaded.eos_token_id == tokenizer.eos_token_id
    assert loaded.pad_token_id == tokenizer.encode(space)[0]
    assert loaded.bos_token_id == tokenizer.encode("the")[0]
    assert loaded.vocab_size == tokenizer.vocab_size, "an existing token keeps its id"
    loaded.save(tmp_path)
    assert json.loads(config.read_text())["chat_template"] == "{{x}}"
    assert Tokenizer.load(tmp_path).pad_token_id == loaded.pad_token_id


def test_a_tokenizer_that_is_not_byte_level_is_refused(tmp_path: Path):
    backend = tokenizers.Tokenizer(models.WordLevel({EOS: 0, "a": 1}, unk_token=EOS))
    with pytest.raises(ValueError, match=r"not a byte-level BPE.*WordLevel"):
        Tokenizer.from_backend(backend)
    backend = tokenizers.Tokenizer(models.BPE({"a": 0}, []))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"tokenizer\.json: .*decoder is missing"):
        Tokenizer.load(tmp_path)


def test_a_special_token_must_exist(tokenizer: Tokenizer, tmp_path: Path):
    with pytest.raises(ValueError, match="'<end>' is not in its vocabulary"):
        Tokenizer.from_backend(tokenizer._backend, eos_token="<end>")
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<end>"}')
    with pytest.raises(ValueError, match=r"tokenizer\.json: .*eos_token '<end>'"):
        Tokenizer.load(tmp_path)


def test_a_folder_without_a_tokenizer_is_one_clear_line(tokenizer: Tokenizer, tmp_path: Path):
    with pytest.raises(ValueError, match=r"has no tokenizer\.json, nor vocab\.json"):
        Tokenizer.load(tmp_path)
    write_parts(tmp_path, tokenizer)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(ValueError, match=r"no merges\.txt"):
        Tokenizer.load(tmp_path)


BROKEN: dict[str, dict[str, Any]] = {
    "not JSON": {"tokenizer.json": b'{"model": '},
    "not text": {"tokenizer.json": b"\xff\xfe\x00\xd8"},
    "no object": {"tokenizer.json": b"[]"},
    "no model": {"tokenizer.json": b"{}"},
    "deep": {"tokenizer.json": b"[" * 100_000},
    "config": {"tokenizer_config.json": b"{"},
    "config no object": {"tokenizer_config.json": b"3"},
    "special map": {"special_tokens_map.json": b"nope"},
}


@pytest.mark.parametrize("files", BROKEN.values(), ids=BROKEN.keys())
def test_damaged_files_are_named_in_one_line(
    tokenizer: Tokenizer, tmp_path: Path, files: dict[str, bytes]
):
    tokenizer.save(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError) as caught:
            Tokenizer.load(tmp_path)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vocab.json", lambda content: content.replace('"!": 0', '"!": 1')),
        ("vocab.json", lambda content: content.replace('"!": 0', '"!": "0"')),
        ("merges.txt", lambda content: content + "zz yy\n"),
        ("merges.txt", lambda content: content + "lonely\n"),
        ("added_tokens.json", lambda content: content.replace(": 4", ": 9")),
        ("added_tokens.json", lambda content: content[:-1]),
    ],
)
def test_damage_in_the_older_layout_is_named(
    tokenizer: Tokenizer, tmp_path: Path, name: str, change: Any
):
    write_parts(tmp_path, tokenizer)
    content = (tmp_path / name).read_text(encoding="utf-8")
    assert change(content) != content
    (tmp_path / name).write_text(change(content), encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(data=st.data())
def test_any_damage_to_tokenizer_json_is_a_value_error_or_harmless(
    tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("damaged")
    tokenizer.save(folder)
    file = folder / "tokenizer.json"
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(content) // 2, len(content) * 2))
    file.write_bytes(content[:cut])
    message = ""
    try:
        loaded = Tokenizer.load(folder)
        loaded.decode(loaded.encode("def f(): return 1"))
    except ValueError as error:
        message = str(error)
    assert message == "" or (str(folder) in message and "\n" not in message)


def test_text_and_data_need_no_torch():
    program = "import sys, phinery.text, phinery.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
