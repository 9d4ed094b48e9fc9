"""llama.cpp, in its own environment, runs the GGUF files we write as we run the model.

`benchmarks/decode.py` makes the environment; by hand, in `benchmarks/`:
`python -c "import environments as e; e.environment('llama_cpp', torch=False)"`.
"""

from __future__ import annotations

import json
import math
import subprocess
import unicodedata
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from torch.nn import functional

from phinery.data import train_tokenizer
from phinery.data.sources.primer import primer_sections
from phinery.model import Phi, PhiConfig, save
from phinery.model.gguf import DTYPES, load_gguf, write_gguf
from phinery.text import Tokenizer
from text_help import EOS, TRAINING_TEXT, codegen_backend

ENVIRONMENTS = Path(__file__).parents[2] / "benchmarks" / ".environments"
PYTHON = ENVIRONMENTS / "llama_cpp" / "bin" / "python"
WORKER = Path(__file__).with_name("llama_worker.py")
CONTEXT = 256
STEPS = 48

TRICKY = [
    "Hello, world! It's 2026; they'll say \"we've\" — isn't it? I'D RATHER'VE.",
    "def f(x):\n    if x:\n\t\treturn  [1,   2]\n\n\n\n# done   \n",
    " leading, trailing   ",
    "\n\n \n  \n   x\r\n\r\n\t \t y",
    "a\u00a0b\u2003c\u3000d\u2028e\x85f\x0bg\x0ch",
    "Zürich naïve e\u0301 ﬀ Ⅷ ² ½ ٣٤ 12345678901",
    "日本語のテキスト。한국어 ไทย देवनागरी עברית العربية",
    "🦜🏽 👩‍👩‍👧‍👦 🇨🇭 \ufe0f \u200d \u200b\ufeff",
    f"text that spells {EOS} and <|endo and <|im_start|> stays text",
    "\ufffd \x00 \x01 \x1f \x7f",
    "'s 't 're 've 'm 'll 'd 'S ''s x's",
    "ĠĊ Ā byte-level letters as text",
    " " * 75 + "\t" * 23 + " \t \t" + "\n" * 9 + " " * 2,
    "𝔘𝔫𝔦 𐍈 \U000e0001",
    "",
]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def ask():
    """A function that has llama.cpp answer a request."""
    if not PYTHON.exists() or not (ENVIRONMENTS / "llama_cpp.txt").is_file():
        pytest.skip("there is no environment of llama_cpp in benchmarks/.environments")
    probe = subprocess.run([PYTHON, "-c", "import llama_cpp"], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip("llama_cpp cannot be imported in its environment")

    def answer(**request: Any) -> Any:
        run = subprocess.run(
            [PYTHON, WORKER],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        return json.loads(run.stdout)

    return answer


@pytest.fixture(scope="module")
def trained(ask, tmp_path_factory):
    """A small Phi that learnt the primer for a few seconds, and sections that it has not seen.

    (It needs `ask` only so that nothing is learnt where nobody can be asked.)
    """
    learnt = [section.text for section in primer_sections(held_out=False)]
    held_out = [section.text for section in primer_sections(held_out=True)][:12]
    tokenizer = train_tokenizer(learnt, 512)
    torch.manual_seed(5)
    # 530 rows: padding rows beyond the tokenizer's 512. 160 / 2 and 0.4: heads as in phi-2.
    model = Phi(
        PhiConfig(
            vocab_size=530,
            hidden_size=160,
            intermediate_size=320,
            num_hidden_layers=2,
            num_attention_heads=2,
            partial_rotary_factor=0.4,
            max_position_embeddings=CONTEXT,
        )
    )
    stream = torch.tensor([id for text in learnt for id in [*tokenizer.encode(text), 511]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0)
    for step in range(120):
        starts = torch.randint(0, len(stream) - 97, (8,)).tolist()
        rows = torch.stack([stream[start : start + 97] for start in starts])
        loss = functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - step / 120)
    folder = tmp_path_factory.mktemp("trained") / "model"
    save(model.eval(), tokenizer, folder)
    documents = [tokenizer.encode(text)[:CONTEXT] for text in held_out]
    return SimpleNamespace(model=model, tokenizer=tokenizer, folder=folder, documents=documents)


def our_greedy(model: Phi, ids: list[int], steps: int) -> tuple[list[int], list[float]]:
    """The likeliest next tokens, and the lead that each had over the next likely one."""
    written, leads = list(ids), []
    with torch.no_grad():
        for _ in range(steps):
            top = model(torch.tensor([written]))[0, -1].topk(2)
            leads.append(float(top.values[0] - top.values[1]))
            written.append(int(top.indices[0]))
    return written[len(ids) :], leads


def assert_same_text(ours: Phi, prompts: list[list[int]], theirs: list[list[int]]) -> int:
    """Every text is ours, to its end or to a tie, and ties are few; returns how many tokens differ.

    ggml computes in other steps (GELU from a table of halves), so a tie may go either way.
    """
    compared: list[int] = []
    for prompt, found in zip(prompts, theirs, strict=True):
        expected, leads = our_greedy(ours, prompt, STEPS)
        sure = next((step for step, lead in enumerate(leads) if lead < 0.01), STEPS)
        assert found[:sure] == expected[:sure]
        compared += found[:sure]
    assert len(compared) > 0.6 * STEPS * len(prompts)
    return len(set(compared))


def our_losses(model: Phi, ids: list[int]) -> list[float]:
    with torch.no_grad():
        logits = model(torch.tensor([ids]))[0, :-1].double()
    return functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none").tolist()


def perplexity(rows: list[list[float]]) -> float:
    losses = [loss for row in rows for loss in row]
    return math.exp(sum(losses) / len(losses))


def test_an_f16_file_writes_the_same_text_and_has_the_same_perplexity(trained, ask, tmp_path):
    path = tmp_path / "model.gguf"
    write_gguf(trained.folder, path, dtype="f16")
    lengths = (1, 9, 40, 80, 3, 60)
    prompts = [trained.documents[number][:length] for number, length in enumerate(lengths)]
    theirs = ask(
        path=str(path),
        context=CONTEXT,
        steps=STEPS,
        prompts=prompts,
        documents=trained.documents,
    )
    ours, _ = load_gguf(path)
    assert_same_text(ours, prompts, theirs["greedy"])
    written = perplexity([our_losses(ours, ids) for ids in trained.documents])
    assert perplexity(theirs["losses"]) == pytest.approx(written, rel=5e-4)
    # ... and it is the perplexity of the model that was saved, which has learnt something.
    saved = perplexity([our_losses(trained.model, ids) for ids in trained.documents])
    assert written == pytest.approx(saved, rel=5e-4)
    assert saved < 150


@pytest.mark.parametrize("dtype", DTYPES)
def test_llama_cpp_agrees_with_our_reading_of_every_type(trained, ask, tmp_path, dtype):
    path = tmp_path / "model.gguf"
    write_gguf(trained.folder, path, dtype=dtype)
    ours, _ = load_gguf(path)
    theirs = ask(path=str(path), context=CONTEXT, documents=trained.documents)
    expected = perplexity([our_losses(ours, ids) for ids in trained.documents])
    # ggml rounds activations too where weights are quantised.
    tolerance = 5e-3 if dtype.startswith("q") else 5e-4
    assert perplexity(theirs["losses"]) == pytest.approx(expected, rel=tolerance)
    metadata = theirs["metadata"]
    assert metadata["general.architecture"] == "phi2"
    assert metadata["phi2.rope.dimension_count"] == "32"
    assert theirs["bos"] == theirs["eos"] == trained.tokenizer.eos_token_id
    assert theirs["default_tokens"] == trained.tokenizer.encode("a")


def test_varied_text_is_the_same(ask, tmp_path, byte_tokenizer):
    """Large random weights: what is written depends on every token before."""
    torch.manual_seed(17)
    config = PhiConfig(
        vocab_size=300,
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
    )
    save(Phi(config), byte_tokenizer, tmp_path / "model")
    write_gguf(tmp_path / "model", tmp_path / "model.gguf", dtype="f16")
    prompts = [torch.randint(0, 256, (length,)).tolist() for length in (1, 5, 30, 90)]
    path = tmp_path / "model.gguf"
    theirs = ask(path=str(path), context=CONTEXT, steps=STEPS, prompts=prompts)
    ours, _ = load_gguf(path)
    assert assert_same_text(ours, prompts, theirs["greedy"]) > 30


@pytest.mark.parametrize("shape", ["heads-of-64", "heads-of-12", "wide-mlp"])
def test_other_shapes_run_alike(ask, tmp_path, byte_tokenizer, shape):
    shapes = {
        "heads-of-64": {"hidden_size": 128, "num_attention_heads": 2},
        "heads-of-12": {"hidden_size": 96, "num_attention_heads": 8, "rope_theta": 500.0},
        "wide-mlp": {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 336},
    }
    torch.manual_seed(3)
    config = PhiConfig(
        vocab_size=300,
        num_hidden_layers=3,
        max_position_embeddings=CONTEXT,
        initializer_range=0.2,
        layer_norm_eps=0.01,
        **shapes[shape],
    )
    model = Phi(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
            if "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    save(model, byte_tokenizer, tmp_path / "model")
    write_gguf(tmp_path / "model", tmp_path / "model.gguf", dtype="f32")
    ids = torch.randint(0, 256, (100,)).tolist()
    theirs = ask(path=str(tmp_path / "model.gguf"), context=CONTEXT, documents=[ids])
    expected = our_losses(model, ids)
    assert max(expected) > 8
    np.testing.assert_allclose(theirs["losses"][0], expected, atol=0.05)


def pair_tokenizer() -> Tokenizer:
    """Merges a letter, a digit, a space or a mark with any byte after it: where texts are cut shows
    in the tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [(first, second) for first in "a1Ġ!" for second in alphabet]
    tokens = dict.fromkeys([*alphabet, *map("".join, merges)])
    vocab = {token: number for number, token in enumerate(tokens)}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(EOS, special=True)])
    backend.add_tokens([AddedToken(" " * length, normalized=True) for length in range(9, 1, -1)])
    return Tokenizer.from_backend(backend)


def awkward_texts() -> list[str]:
    """Random mixtures of what tokenizers cut texts at."""
    random = Random(3)
    pools = [" \t\n\r\u00a0\u2003\x0b\x85\u2028\x1c", "ab'sltmvrd ", "019٣²Ⅷ½", "é日🦜\u0301𝔘"]
    pools += [".,!?-_#", [EOS, "  ", "\t\t", " x"]]
    return [
        "".join(random.choice(random.choice(pools)) for _ in range(random.randrange(1, 25)))
        for _ in range(1000)
    ]


def characters() -> list[str]:
    """Every character of Unicode 3.2 but most ideographs and syllables, which are all alike.

    Letters that came with Unicode 16 and 17 are none to llama.cpp, so that their words may be cut
    elsewhere.
    """
    return [
        chr(code)
        for code in [*range(1, 0x3500), *range(0x9F00, 0xAD00), *range(0xF900, 0x10500)]
        if unicodedata.ucd_3_2_0.category(chr(code)) != "Cn"
    ]


def test_texts_have_the_same_tokens(trained, ask, tmp_path):
    marked = codegen_backend()
    marked.add_special_tokens([AddedToken("<|im_start|>", special=True)])
    backends = [codegen_backend(), marked]
    ours = [trained.tokenizer, pair_tokenizer(), *map(Tokenizer.from_backend, backends)]
    texts = [*TRICKY, *TRAINING_TEXT[:5], *awkward_texts()]
    texts += [f"a{character}1{character} {character}!{character}" for character in characters()]
    for number, tokenizer in enumerate(ours):
        config = PhiConfig(**{**vars(trained.model.config), "vocab_size": 1300})
        save(Phi(config), tokenizer, tmp_path / f"{number}")
        write_gguf(tmp_path / f"{number}", tmp_path / f"{number}.gguf")
        theirs = ask(path=str(tmp_path / f"{number}.gguf"), context=CONTEXT, texts=texts)
        for text, (plain, special) in zip(texts, theirs["tokens"], strict=True):
            assert plain == tokenizer.encode(text), (number, text)
            assert special == tokenizer.encode(text, special_tokens=True), (number, text)


def test_quantised_weights_are_ggmls_to_the_bit(ask, tmp_path):
    from phinery.model.gguf.write import encode

    generator = np.random.default_rng(7)
    values = generator.standard_normal((64, 96)).astype(np.float32)
    values *= np.exp(generator.uniform(-12, 3, (64, 1))).astype(np.float32)
    values[0] = 0
    values[1, :32] = np.arange(-16, 16) / 8  # ties
    kinds = [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0]
    jobs = [
        {"values": values.tolist(), "type_id": int(kind), "row_bytes": 96 // 32 * size}
        for kind, size in zip(kinds, (34, 18), strict=True)
    ]
    theirs = ask(quantize=jobs)["quantized"]
    for kind, expected in zip(kinds, theirs, strict=True):
        assert encode(values, kind, "values").hex() == expected
