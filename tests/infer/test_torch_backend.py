from __future__ import annotations

import copy
import json
import random

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save_file

from phinery.infer import Engine, SamplingParams
from phinery.infer.backend import Backend, Span, cache_pages
from phinery.infer.torch_backend import TorchBackend
from phinery.model import Phi, PhiConfig

SHAPES = {
    # heads of 16, of 80 with 32 rotated (phi-2's), of 10, and a single head
    "conftest": {"hidden_size": 64, "num_attention_heads": 4},
    "phi-2": {"hidden_size": 160, "num_attention_heads": 2, "partial_rotary_factor": 0.4},
    "odd": {
        "hidden_size": 30,
        "num_attention_heads": 3,
        "intermediate_size": 50,
        "partial_rotary_factor": 0.4,
    },
    "single": {"hidden_size": 48, "num_attention_heads": 1, "partial_rotary_factor": 1.0},
}
CONTEXT = 128


def make_model(shape, vocab=257):
    """Random weights, the wider the smaller: rounding stays what it is in trained models."""
    torch.manual_seed(5)
    config = PhiConfig(
        vocab_size=vocab,
        num_hidden_layers=2,
        max_position_embeddings=CONTEXT,
        initializer_range=1.3 / shape["hidden_size"] ** 0.5,
        **shape,
    )
    model = Phi(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


MODELS = {name: make_model(shape) for name, shape in SHAPES.items()}


def texts_of(lengths, seed=0):
    generator = random.Random(seed)
    return [[generator.randrange(256) for _ in range(length)] for length in lengths]


def expected(model, ids):
    """The model's own logits, without a cache (tokens, vocab)."""
    with torch.no_grad():
        return model(torch.tensor([ids]))[0].float()


def span(tokens, start, pages, num_logits, adapter=0):
    tokens, pages = (np.array(values, dtype=np.int32) for values in (tokens, pages))
    return Span(tokens, start, pages, num_logits, adapter)


def assert_alike(logits, other, within=1e-5):
    ours = torch.as_tensor(logits).log_softmax(-1)
    theirs = torch.as_tensor(other).log_softmax(-1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=within)


def test_it_is_a_backend():
    backend: Backend = TorchBackend(MODELS["odd"])
    assert isinstance(backend, Backend)
    assert not backend.bitwise


@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_the_models(name):
    backend = TorchBackend(MODELS[name], page_size=16)
    texts = texts_of([1, 40, 16, 17, 33])
    spans = [
        span(text, 0, range(4 * place, 4 * place + -(-len(text) // 16)), len(text))
        for place, text in enumerate(texts)
    ]
    logits = backend.step(spans)
    assert logits.dtype == np.float32
    own = torch.cat([expected(MODELS[name], text) for text in texts])
    assert own.std() > 0.1
    assert_alike(logits, own)


chunks = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(SHAPES)),
    mix=st.lists(chunks, min_size=1, max_size=5),
    page_size=st.sampled_from([16, 32, 48]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_any_chunks_pages_and_batches_are_the_whole_text(name, mix, page_size, seed, data):
    """Texts cut anywhere, in pages in any order, computed beside whichever others."""
    model = MODELS[name]
    mix = [sizes[:3] for sizes in mix]
    texts = texts_of([sum(sizes) for sizes in mix], seed)
    backend = TorchBackend(model, page_size=page_size, cache_tokens=8 * CONTEXT)
    free = random.Random(seed).sample(range(backend.num_pages), backend.num_pages)
    tables = [[free.pop() for _ in range(-(-len(text) // page_size))] for text in texts]
    done = [0] * len(texts)
    pending = [list(sizes) for sizes in mix]
    while any(pending):
        able = [place for place, sizes in enumerate(pending) if sizes]
        chosen = data.draw(st.lists(st.sampled_from(able), min_size=1, unique=True))
        spans, own = [], []
        for place in chosen:
            start, size = done[place], pending[place].pop(0)
            end = start + size
            wanted = data.draw(st.integers(0, size))
            pages = tables[place][: -(-end // page_size)]
            spans.append(span(texts[place][start:end], start, pages, wanted))
            own.append(expected(model, texts[place][:end])[end - wanted :])
            done[place] = end
        logits = backend.step(spans)
        assert logits.shape == (sum(map(len, own)), 257)
        assert_alike(logits, torch.cat(own))


def test_a_request_alone_and_among_63_others(byte_tokenizer):
    prompts = texts_of([1 + (7 * place) % 60 for place in range(64)])
    params = SamplingParams(max_tokens=24, seed=3, logprobs=0, ignore_eos=True)
    engine = Engine(MODELS["conftest"], byte_tokenizer, max_batch=64, prefill_chunk=200)
    together = engine.generate(prompts, params)
    for place in (0, 5, 17, 40, 63):
        (alone,) = engine.generate([prompts[place]], params)
        assert alone.token_ids == together[place].token_ids
        ours = [scores[t] for scores, t in zip(alone.logprobs, alone.token_ids, strict=True)]
        theirs = [
            scores[t] for scores, t in zip(together[place].logprobs, alone.token_ids, strict=True)
        ]
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert len({tuple(completion.token_ids) for completion in together}) > 60


def test_greedy_text_is_the_models(byte_tokenizer):
    """With chunks, preemption, cached prefixes and a draft; only rounding may differ."""
    model = MODELS["conftest"]
    (prefix,) = texts_of([40])
    prompts = [prefix[: 7 * place] + tail for place, tail in enumerate(texts_of([3, 9, 1, 20, 5]))]
    params = SamplingParams(temperature=0, max_tokens=40, ignore_eos=True)
    engine = Engine(
        model,
        byte_tokenizer,
        cache_tokens=160,
        prefill_chunk=13,
        draft=make_model({"hidden_size": 32, "num_attention_heads": 2}),
    )
    completions = engine.generate(prompts, params)
    assert engine.stats.preemptions
    assert engine.stats.proposed
    for prompt, completion in zip(prompts, completions, strict=True):
        scores = expected(model, prompt + completion.token_ids)[len(prompt) - 1 : -1]
        chosen = scores.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert (scores.amax(1) - chosen).max() < 1e-4


def test_speculation_with_the_model_itself_accepts_all(byte_tokenizer):
    model = MODELS["phi-2"]
    prompts = texts_of([5, 30])
    params = SamplingParams(max_tokens=25, seed=1, ignore_eos=True)
    plain = Engine(model, byte_tokenizer).generate(prompts, params)
    engine = Engine(model, byte_tokenizer, draft=copy.deepcopy(model), num_draft_tokens=4)
    assert engine.generate(prompts, params) == plain
    assert engine.stats.accepted == engine.stats.proposed > 0
    assert engine.stats.steps == 1 + 5


def test_a_hundred_requests_share_a_prefix(byte_tokenizer):
    torch.manual_seed(5)
    config = PhiConfig(
        vocab_size=257,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1100,
        initializer_range=0.3,
    )
    model = Phi(config).eval()
    (prefix,) = texts_of([1000])
    prompts = [prefix + tail for tail in texts_of([1 + place % 20 for place in range(100)], 1)]
    params = SamplingParams(max_tokens=3, seed=2, ignore_eos=True)
    engine = Engine(model, byte_tokenizer, page_size=32)
    completions = engine.generate(prompts, params)
    tails = sum(len(prompt) - 992 for prompt in prompts)
    assert engine.stats.prefill_tokens <= 992 + tails
    chosen = [0, 37, 62, 99]
    apart = Engine(model, byte_tokenizer, prefix_cache=False)
    for place in chosen:
        assert apart.generate([prompts[place]], params) == [completions[place]]


def test_hundreds_of_requests_with_cancels(byte_tokenizer):
    model = make_model({"hidden_size": 32, "num_attention_heads": 2})
    engine = Engine(model, byte_tokenizer, max_batch=8, cache_tokens=320, prefill_chunk=24)
    alone = Engine(model, byte_tokenizer)
    generator = random.Random(1)
    kinds = [
        (prompt, SamplingParams(max_tokens=1 + place % 7, seed=place, ignore_eos=True))
        for place, prompt in enumerate(texts_of([1 + 3 * place for place in range(16)]))
    ]
    expected = [alone.generate([prompt], params)[0].token_ids for prompt, params in kinds]
    live, remaining, finished = [], 300, 0
    while remaining or live:
        while remaining and len(live) < 12:
            kind = generator.randrange(len(kinds))
            live.append((kind, [], engine.stream_sync(*kinds[kind])))
            remaining -= 1
        kind, told, stream = live.pop(generator.randrange(len(live)))
        if generator.random() < 0.1:
            stream.close()
            assert told == expected[kind][: len(told)]
        elif (delta := next(stream, None)) is not None:
            live.append((kind, told + delta.token_ids, stream))
        else:
            assert told == expected[kind]
            finished += 1
    assert 100 < finished < 290
    assert engine.pages_in_use == 0


def test_weights_may_change_between_calls(byte_tokenizer):
    model = copy.deepcopy(MODELS["conftest"])
    engine = Engine(model, byte_tokenizer)
    params = SamplingParams(temperature=0, max_tokens=20, ignore_eos=True)
    prompts = texts_of([40])
    before = engine.generate(prompts, params)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_()
    after = engine.generate(prompts, params)
    assert after != before
    assert after == Engine(model, byte_tokenizer).generate(prompts, params)
    assert engine.generate(prompts, params) == after
    # Also their type: the cache follows.
    model.double()
    assert engine.generate(prompts, params) == after


def test_another_requests_nan_does_not_spread():
    """A page is clean when it is used again, though what is masked would be multiplied by 0."""
    model = MODELS["odd"]
    backend = TorchBackend(model, page_size=16)
    (text,) = texts_of([20])
    backend.step([span([1], 0, [3], 0)])
    for chunk in (20, 5, 1):
        with torch.inference_mode():
            backend._keys.fill_(torch.nan)
            backend._values.fill_(torch.nan)
        for start in range(0, 20, chunk):
            pages = [2, 3][: -(-(start + chunk) // 16)]
            logits = backend.step([span(text[start : start + chunk], start, pages, 1)])
        assert_alike(logits, expected(model, text)[-1:])


@pytest.mark.parametrize(
    ("dtype", "within"),
    [(torch.float64, 1e-6), (torch.bfloat16, 0.3), (torch.float16, 0.04)],
)
def test_every_type_of_weights(dtype, within):
    """Compared with the float32 model; 16 bits differ as far as their precision lets them."""
    narrow = copy.deepcopy(MODELS["phi-2"]).to(dtype)
    backend = TorchBackend(narrow)
    (text,) = texts_of([50])
    logits = [backend.step([span(text[:30], 0, [3, 1], 30)])]
    logits += [
        backend.step([span(text[p : p + 5], p, [3, 1, 0, 7][: -(-(p + 5) // 16)], 5)])
        for p in range(30, 50, 5)
    ]
    own = expected(copy.deepcopy(narrow).double(), text)
    assert_alike(np.concatenate(logits), own, within)
    assert backend._keys.dtype == dtype


def test_the_cache_grows_as_it_is_used():
    backend = TorchBackend(MODELS["odd"], page_size=16, cache_tokens=1600)
    assert backend.num_pages == 100
    assert backend._keys.shape[1] == 0
    texts = texts_of([30, 30])
    backend.step([span(texts[0], 0, [0, 1], 0)])
    assert backend._keys.shape == (2, 2, 3, 16, 10)
    backend.step([span(texts[1], 0, [2, 5], 0)])
    assert 6 <= backend._keys.shape[1] <= 12
    logits = backend.step([span([1], 30, [0, 1], 1), span([2], 30, [2, 5], 1)])
    own = [expected(MODELS["odd"], [*text, place + 1])[-1] for place, text in enumerate(texts)]
    assert_alike(logits, torch.stack(own))
    backend.close()
    assert backend._keys.shape[1] == 0


def test_sizes_of_caches():
    config = MODELS["odd"].config

    def pages(cache_tokens=None, page_size=16, **options):
        options = {"max_batch": 4, "bytes_per_token": 100, "memory": 10**9, **options}
        return cache_pages(config, cache_tokens=cache_tokens, page_size=page_size, **options)

    assert pages() == 4 * 8
    assert pages(17) == 2
    # A quarter of the memory, but one context at least.
    assert pages(memory=4 * 20 * 16 * 100) == 20
    assert pages(memory=1) == 8
    assert pages(memory=None) == 4 * 8
    for wrong in ({"page_size": 8}, {"page_size": 24}, {"page_size": 0}, {"cache_tokens": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            pages(**wrong)


# --- adapters


def save_adapter(folder, model, *, targets, rank=4, dtype=torch.float32, tensors=None, **settings):
    """A folder as peft writes it; the weights by name, and what they add to the model's."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(rank + len(targets))
    weights, added = {}, {}
    for name, linear in model.named_modules():
        if name.split(".")[-1] in targets and isinstance(linear, torch.nn.Linear):
            down = torch.randn(rank, linear.in_features, generator=generator).to(dtype)
            up = torch.randn(linear.out_features, rank, generator=generator).to(dtype)
            weights[f"base_model.model.{name}.lora_A.weight"] = down
            weights[f"base_model.model.{name}.lora_B.weight"] = up
            added[name] = up.float() @ down.float()
    save_file(
        weights if tensors is None else tensors(weights), folder / "adapter_model.safetensors"
    )
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2,
        "target_modules": list(targets),
        "bias": "none",
        **settings,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return added


def merged(model, added, scale):
    model = copy.deepcopy(model)
    with torch.no_grad():
        for name, change in added.items():
            model.get_submodule(name).weight += scale(name) * change
    return model


def test_each_row_has_its_own_adapter(tmp_path):
    """A batch of four: none, one, the other and again one, in chunks, against merged weights.

    Merging rounds the weights, so that a little more than elsewhere is allowed.
    """
    model = MODELS["phi-2"]
    all_of_them = ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2")
    one = save_adapter(tmp_path / "one", model, targets=all_of_them, lora_alpha=0.2)
    other = save_adapter(
        tmp_path / "other",
        model,
        targets=("v_proj", "fc2"),
        rank=8,
        dtype=torch.bfloat16,
        lora_alpha=0.3,
        use_rslora=True,
        alpha_pattern={"layers.1.mlp.fc2": 0.6},
    )
    backend = TorchBackend(model)
    assert backend.load_adapter(tmp_path / "one") == 1
    assert backend.load_adapter(str(tmp_path / "other")) == 2

    def other_scale(name):
        return (0.6 if name == "model.layers.1.mlp.fc2" else 0.3) / 8**0.5

    models = [model, merged(model, one, lambda _: 0.2 / 4), merged(model, other, other_scale)]
    adapters = [0, 1, 2, 1]
    texts = texts_of([20, 9, 33, 14])
    own = [expected(models[a], text) for a, text in zip(adapters, texts, strict=True)]
    assert min((own[0][0] - rows[0]).abs().max() for rows in own[1:]) > 0.01
    tables = [range(3 * place, 3 * place + 3) for place in range(4)]
    for start, end in ((0, 8), (8, 40)):
        spans = [
            span(text[start:end], start, table, len(text[start:end]), adapter)
            for text, table, adapter in zip(texts, tables, adapters, strict=True)
        ]
        assert_alike(backend.step(spans), torch.cat([rows[start:end] for rows in own]), 5e-5)


def test_an_engines_adapters_have_names(tmp_path, byte_tokenizer):
    model = MODELS["phi-2"]
    added = save_adapter(tmp_path / "law", model, targets=("q_proj", "fc1"), lora_alpha=1)
    engine = Engine(model, byte_tokenizer, adapters={"law": tmp_path / "law"})
    params = SamplingParams(temperature=0, max_tokens=30, ignore_eos=True)
    prompts = texts_of([20, 3])
    plain = Engine(model, byte_tokenizer).generate(prompts, params)
    adapted = Engine(merged(model, added, lambda _: 1 / 4), byte_tokenizer)
    assert engine.generate(prompts, params, adapter="law") == adapted.generate(prompts, params)
    assert engine.generate(prompts, params) == plain != adapted.generate(prompts, params)


def drop(part):
    return lambda weights: {k: v for k, v in weights.items() if not k.endswith(part)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA'; only LORA is supported"),
        ({"use_dora": True}, "use_dora True is not supported"),
        ({"bias": "all"}, "bias 'all' is not supported"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save ['lm_head'] is not supported"),
        ({"r": 5}, "layer 0's q_proj has rank 4; its configuration says 5"),
        ({"tensors": drop("lora_A.weight")}, "layer 0's q_proj has no lora_A"),
        ({"tensors": lambda _: {"x": torch.ones(1)}}, "x is for no linear map"),
        ({"tensors": lambda _: {}}, "there are no weights"),
        (
            {"tensors": lambda weights: {k: v.long() for k, v in weights.items()}},
            "is of type I64; F32, F16 or BF16 would do",
        ),
        (
            {"tensors": lambda weights: {k: v.T.contiguous() for k, v in weights.items()}},
            "layer 0's q_proj has shapes (64, 4) and (4, 64); (rank, 64) and (64, rank) would fit",
        ),
        (
            {"tensors": lambda w: {k.replace("layers.1", "layers.2"): v for k, v in w.items()}},
            ".weight is for no linear map of the model's layers",
        ),
    ],
)
def test_wrong_adapters_are_told(tmp_path, options, message):
    model = MODELS["conftest"]
    save_adapter(tmp_path / "wrong", model, targets=("q_proj",), **options)
    with pytest.raises(ValueError) as caught:
        TorchBackend(model).load_adapter(tmp_path / "wrong")
    assert str(caught.value).startswith(f"adapter {tmp_path / 'wrong'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_adapters_are_told(tmp_path):
    backend = TorchBackend(MODELS["conftest"])
    with pytest.raises(ValueError, match="adapter_config.json"):
        backend.load_adapter(tmp_path / "nowhere")
    save_adapter(tmp_path / "cut", MODELS["conftest"], targets=("fc1",))
    weights = tmp_path / "cut" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"adapter_model.safetensors is no safetensors file"):
        backend.load_adapter(tmp_path / "cut")
    (tmp_path / "cut" / "adapter_config.json").write_text("[1]")
    with pytest.raises(ValueError, match="holds no object"):
        backend.load_adapter(tmp_path / "cut")
