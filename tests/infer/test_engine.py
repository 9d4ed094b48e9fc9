from __future__ import annotations

import asyncio
import copy
import json
import math
import re
import threading

import pytest
import torch

from phinery.infer import Completion, Engine, SamplingParams, native
from phinery.infer.torch_backend import TorchBackend
from phinery.model import Phi, PhiConfig, checkpoint

GREEDY = SamplingParams(temperature=0, max_tokens=20)
SEEDED = SamplingParams(max_tokens=20, seed=11)
PROMPTS = [[5], [7, 8, 9, 10, 11, 12, 13], [20, 21], [5, 5, 5, 5], [250, 3, 100], [7]]
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def engine(model, tokenizer):
    return Engine(model, tokenizer)


def record_steps(engine):
    """The spans of every step from now on, as (tokens, start), and the thread that made it."""
    steps: list[list[tuple[list[int], int]]] = []
    threads: set[int] = set()
    step = engine.backend.step

    def recorded(spans):
        steps.append([(span.tokens.tolist(), span.start) for span in spans])
        threads.add(threading.get_ident())
        return step(spans)

    engine.backend.step = recorded
    return steps, threads


def test_the_end_of_text_token_ends_a_completion(writer, tokenizer):
    (completion,) = Engine(writer(f"abcdef{END}"), tokenizer).generate(["a"], GREEDY)
    ids = [*tokenizer.encode("bcdef"), tokenizer.eos_token_id]
    assert completion == Completion(0, "bcdef", ids, None, "stop")


@pytest.mark.parametrize(("limit", "reason"), [(3, "length"), (5, "length"), (6, "stop")])
def test_max_tokens_ends_a_completion(writer, tokenizer, limit, reason):
    engine = Engine(writer(f"abcdef{END}"), tokenizer)
    params = SamplingParams(temperature=0, max_tokens=limit)
    (completion,) = engine.generate(["a"], params)
    assert completion.text == "bcdef"[:limit]
    assert completion.finish_reason == reason
    assert len(completion.token_ids) == limit


def test_ignore_eos_goes_on(writer, tokenizer):
    engine = Engine(writer(f"abc{END}a"), tokenizer)
    params = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)
    (completion,) = engine.generate(["a"], params)
    end = tokenizer.eos_token_id
    a, b, c = tokenizer.encode("abc")
    assert completion.token_ids == [b, c, end, a, b, c, end, a]
    assert completion.text == "bcabca"
    assert completion.finish_reason == "length"


def test_the_models_own_end_token_counts_too(tokenizer):
    torch.manual_seed(0)
    config = PhiConfig(vocab_size=257, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    model = Phi(PhiConfig(**{**vars(config), "eos_token_id": 40}))
    params = SamplingParams(temperature=0, logit_bias={40: 100})
    (completion,) = Engine(model, tokenizer).generate([[1]], params)
    assert (completion.token_ids, completion.text) == ([40], "")
    assert completion.finish_reason == "stop"


@pytest.mark.parametrize(
    ("stop", "text", "tokens", "reason"),
    [
        ("def", "bc", 5, "stop"),
        ("b", "", 1, "stop"),
        (["xyz", "gh", "e"], "bcd", 4, "stop"),
        ("dex", "bcdefghijkl", 11, "length"),
        ("lm", "bcdefghijkl", 11, "length"),
        ("kl", "bcdefghij", 11, "stop"),
        ("ab", "bcdefghijkl", 11, "length"),
    ],
)
def test_stop_strings_across_token_borders(writer, tokenizer, stop, text, tokens, reason):
    engine = Engine(writer("abcdefghijklmnop"), tokenizer)
    params = SamplingParams(temperature=0, max_tokens=11, stop=stop)
    (completion,) = engine.generate(["a"], params)
    assert completion.text == text
    assert len(completion.token_ids) == tokens
    assert completion.finish_reason == reason
    assert "".join(delta.text for delta in engine.stream_sync("a", params)) == text


def test_text_that_may_become_a_stop_string_is_held_back(writer, tokenizer):
    engine = Engine(writer("abcdefgh"), tokenizer)
    params = SamplingParams(temperature=0, max_tokens=6, stop="dex")
    deltas = list(engine.stream_sync("a", params))
    assert [delta.text for delta in deltas] == ["b", "c", "", "", "def", "g"]
    assert [delta.finish_reason for delta in deltas] == [None] * 5 + ["length"]


def test_a_character_is_shown_when_it_is_whole(writer, tokenizer):
    engine = Engine(writer("aé€z"), tokenizer)
    whole = SamplingParams(temperature=0, max_tokens=6)
    assert [d.text for d in engine.stream_sync("a", whole)] == ["", "é", "", "", "€", "z"]
    cut = SamplingParams(temperature=0, max_tokens=1)
    assert engine.generate(["a"], cut)[0].text == "\ufffd"


def test_decoding_with_the_cache_is_decoding_without(engine, model):
    (completion,) = engine.generate([PROMPTS[1]], GREEDY)
    ids = list(PROMPTS[1])
    for _ in range(20):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert completion.token_ids == ids[len(PROMPTS[1]) :]
    assert len(set(completion.token_ids)) > 5


@pytest.mark.parametrize("params", [GREEDY, SEEDED], ids=["greedy", "seeded"])
@pytest.mark.parametrize("max_batch", [1, 4, 32])
def test_a_row_does_not_depend_on_its_neighbours(model, tokenizer, params, max_batch):
    together = Engine(model, tokenizer, max_batch=max_batch).generate(PROMPTS, params)
    alone = [Engine(model, tokenizer).generate([prompt], params)[0] for prompt in PROMPTS]
    assert together == alone


def test_seeds_make_completions_reproducible(engine):
    first = engine.generate([[1, 2]], SEEDED)
    assert engine.generate([[1, 2]], SEEDED) == first
    assert engine.generate([[1, 2]], SamplingParams(max_tokens=20, seed=12)) != first
    fresh = SamplingParams(max_tokens=20)
    assert engine.generate([[1, 2]], fresh) != engine.generate([[1, 2]], fresh)


def test_several_completions_stand_with_their_prompt(engine):
    several = engine.generate([[1, 2], [3]], SamplingParams(max_tokens=8, seed=11, n=3))
    assert [completion.index for completion in several] == [0, 1, 2, 0, 1, 2]
    for number, prompt in enumerate([[1, 2], [3]]):
        for fewer in (1, 2):
            params = SamplingParams(max_tokens=8, seed=11, n=fewer)
            of_one = several[3 * number : 3 * number + fewer]
            assert engine.generate([prompt], params) == of_one
    assert len({tuple(completion.token_ids) for completion in several[:3]}) == 3


def test_rows_that_are_done_make_room(writer, tokenizer):
    engine = Engine(writer(f"abcdef{END}"), tokenizer)
    steps, _ = record_steps(engine)
    completions = engine.generate(["e", "a", "xxd", "b"], GREEDY)
    assert [completion.text for completion in completions] == ["f", "bcdef", "ef", "cdef"]
    assert [len(spans) for spans in steps] == [4, 4, 3, 2, 2, 1]


def test_who_waits_gets_a_place_at_once(writer, tokenizer):
    engine = Engine(writer(f"abcdef{END}"), tokenizer, max_batch=2)
    steps, _ = record_steps(engine)
    completions = engine.generate(["e", "a", "xxd", "b"], GREEDY)
    assert [completion.text for completion in completions] == ["f", "bcdef", "ef", "cdef"]
    # e takes steps 1 and 2, then xxd 3 to 5, then b 6 to 10; a takes 1 to 6.
    assert [len(spans) for spans in steps] == [2] * 6 + [1] * 4


def test_no_prompts_give_no_completions(engine):
    assert engine.generate([]) == []


def test_an_empty_prompt_begins_a_document(writer, tokenizer):
    engine = Engine(writer(f"{END}hey"), tokenizer)
    params = SamplingParams(temperature=0, max_tokens=3)
    assert [c.text for c in engine.generate(["", []], params)] == ["hey", "hey"]


def test_names_of_special_tokens_in_a_prompt_are_text(writer, tokenizer):
    engine = Engine(writer("ab"), tokenizer)
    steps, _ = record_steps(engine)
    engine.generate([END], SamplingParams(max_tokens=1))
    assert steps == [[(tokenizer.encode(END), 0)]]
    assert len(steps[0][0][0]) == len(END)


@pytest.mark.parametrize("max_tokens", [None, 1000])
def test_a_completion_fills_the_context_at_most(engine, max_tokens):
    params = SamplingParams(temperature=0, max_tokens=max_tokens, ignore_eos=True)
    completions = engine.generate([[1] * 60, [2] * 63, [3]], params)
    assert [len(completion.token_ids) for completion in completions] == [4, 1, 63]
    assert {completion.finish_reason for completion in completions} == {"length"}


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("abc", "takes a list of prompts"),
        ([1, 2], "takes a list of prompts"),
        ([[1], [0, 257]], "prompt 1 has token id 257; the model has 257 ids"),
        ([[-1]], "prompt 0 has token id -1"),
        (["ok", "x" * 64], "prompt 1 has 64 tokens, but the model's context holds 64"),
    ],
)
def test_wrong_prompts_are_named(engine, prompts, message):
    with pytest.raises(ValueError) as caught:
        engine.generate(prompts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_engines_and_biases_are_refused(model, tokenizer):
    with pytest.raises(ValueError, match="max_batch must be at least 1"):
        Engine(model, tokenizer, max_batch=0)
    small = Phi(
        PhiConfig(vocab_size=256, hidden_size=16, num_hidden_layers=1, num_attention_heads=1)
    )
    with pytest.raises(ValueError, match="the tokenizer has 257 tokens, the model only 256"):
        Engine(small, tokenizer)
    with pytest.raises(ValueError, match="logit_bias"):
        Engine(model, tokenizer).generate([[1]], SamplingParams(logit_bias={257: 1}))


def test_a_stream_refuses_its_prompt_at_the_call(engine):
    with pytest.raises(ValueError, match="token id 999"):
        engine.stream_sync([999])
    with pytest.raises(ValueError, match="token id 999"):
        engine.stream([999])


def test_logprobs_are_those_of_the_model(engine, model):
    params = SamplingParams(
        max_tokens=6, seed=2, temperature=0.7, top_p=0.8, logprobs=3, ignore_eos=True
    )
    completions = engine.generate([[9, 8, 7], [1]], params)
    for prompt, completion in zip([[9, 8, 7], [1]], completions, strict=True):
        ids = torch.tensor([prompt + completion.token_ids])
        with torch.no_grad():
            expected = model(ids)[0, len(prompt) - 1 : -1].log_softmax(1)
        assert completion.logprobs is not None
        assert len(completion.logprobs) == 6
        rows = zip(completion.token_ids, completion.logprobs, expected, strict=True)
        for token, reported, scores in rows:
            assert next(iter(reported)) == token
            assert set(reported) == {token, *scores.topk(3).indices.tolist()}
            for reported_token, value in reported.items():
                assert value == pytest.approx(scores[reported_token].item(), abs=1e-4)


def test_a_stream_is_the_completion_token_by_token(engine):
    params = SamplingParams(max_tokens=12, seed=4, temperature=0.8, logprobs=1)
    (completion,) = engine.generate([[1, 2, 3]], params)
    deltas = list(engine.stream_sync([1, 2, 3], params))
    assert "".join(delta.text for delta in deltas) == completion.text
    assert [token for delta in deltas for token in delta.token_ids] == completion.token_ids
    assert [row for delta in deltas for row in delta.logprobs or []] == completion.logprobs
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason == completion.finish_reason


def test_a_stream_of_several_is_told_apart_by_index(engine):
    params = SamplingParams(max_tokens=5, seed=4, n=3)
    joined = ["", "", ""]
    for delta in engine.stream_sync([1, 2], params):
        joined[delta.index] += delta.text
    assert joined == [completion.text for completion in engine.generate([[1, 2]], params)]


def test_whoever_stops_asking_stops_the_work(model, tokenizer):
    engine = Engine(model, tokenizer)
    steps, _ = record_steps(engine)
    stream = engine.stream_sync([1], GREEDY)
    assert steps == []
    next(stream)
    next(stream)
    assert len(steps) == 2
    assert engine.pages_in_use == 1
    del stream
    assert engine.pages_in_use == 0


def test_an_interrupt_leaves_the_engine_usable(model, tokenizer):
    own = copy.deepcopy(model).train()
    engine = Engine(own, tokenizer)
    expected = engine.generate([[1]], GREEDY)
    stream = engine.stream_sync([1], GREEDY)
    shown = next(stream).text + next(stream).text

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = own.lm_head.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    hook.remove()
    assert expected[0].text.startswith(shown)
    assert own.training
    assert engine.generate([[1]], GREEDY) == expected


def test_dropout_is_off_and_training_goes_on(tokenizer):
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=257,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
        resid_pdrop=0.5,
        embd_pdrop=0.5,
    )
    model = Phi(config).train()
    engine = Engine(model, tokenizer)
    first = engine.generate([[1, 2]], GREEDY)
    assert all(module.training for module in model.modules())
    assert engine.generate([[1, 2]], GREEDY) == first
    model.loss(torch.tensor([[1, 2]]), torch.tensor([[2, 3]])).backward()


def test_streams_in_an_event_loop_run_beside_it(model, tokenizer):
    engine = Engine(model, tokenizer)
    _, threads = record_steps(engine)

    async def collect(prompt):
        return "".join([delta.text async for delta in engine.stream(prompt, SEEDED)])

    async def all_of_them():
        return await asyncio.gather(*map(collect, PROMPTS))

    streamed = asyncio.run(all_of_them())
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert streamed == [completion.text for completion in engine.generate(PROMPTS, SEEDED)]


def test_ids_without_a_token_have_no_text(tokenizer):
    config = PhiConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=1)
    params = SamplingParams(temperature=0, max_tokens=3, logit_bias={290: 100})
    (completion,) = Engine(Phi(config), tokenizer).generate(["a"], params)
    assert (completion.token_ids, completion.text) == ([290, 290, 290], "")


def test_damaged_weights_are_told(model, tokenizer):
    damaged = copy.deepcopy(model)
    with torch.no_grad():
        damaged.lm_head.bias[3] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        Engine(damaged, tokenizer).generate([[1]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_type_of_weights_generates(model, tokenizer, dtype):
    engine = Engine(copy.deepcopy(model).to(dtype), tokenizer)
    completions = engine.generate(PROMPTS, SamplingParams(seed=1, max_tokens=4, ignore_eos=True))
    assert [len(completion.token_ids) for completion in completions] == [4] * len(PROMPTS)


def test_open_reads_a_model_folder(engine, model, tokenizer, tmp_path):
    checkpoint.save(model, tokenizer, tmp_path / "model")
    opened = Engine.open(tmp_path / "model", backend="torch", max_batch=2)
    assert opened.max_batch == 2
    assert opened.context_length == 64
    assert opened.generate(["ab", "c"], GREEDY) == engine.generate(["ab", "c"], GREEDY)
    narrow = Engine.open(tmp_path / "model", backend="torch", dtype="bfloat16")
    assert isinstance(narrow.backend, TorchBackend)
    assert narrow.backend.model.dtype == torch.bfloat16


def test_text_of_a_pattern(engine, model, tokenizer):
    pytest.importorskip("llguidance")
    prompts = ["a", "xyz", "q"]
    # White space may stand in JSON, and random weights like it.
    dense = dict.fromkeys(tokenizer.encode(" \n"), -100)
    params = [
        SamplingParams(max_tokens=30, seed=1, regex="(yes|no|perhaps), [0-9]{3,5}"),
        SamplingParams(max_tokens=30, seed=1),
        SamplingParams(
            max_tokens=40,
            seed=2,
            logit_bias=dense,
            json_schema={
                "type": "object",
                "properties": {"sure": {"type": "boolean"}, "by": {"enum": ["me", "you"]}},
                "required": ["sure", "by"],
                "additionalProperties": False,
            },
        ),
    ]
    completions = engine.generate(prompts, params)
    assert re.fullmatch("(yes|no|perhaps), [0-9]{3,5}", completions[0].text)
    assert set(json.loads(completions[2].text)) == {"sure", "by"}
    assert [completions[place].finish_reason for place in (0, 2)] == ["stop", "stop"]
    (free,) = engine.generate(prompts[1:2], params[1])
    assert completions[1] == free
    torch.manual_seed(9)
    draft = Phi(PhiConfig(**{**vars(model.config), "num_hidden_layers": 1}))
    speculating = Engine(model, tokenizer, draft=draft)
    assert speculating.generate(prompts, params) == completions
    assert speculating.stats.proposed > 0
    for wrong in ({"regex": "("}, {"json_schema": "{"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            engine.stream_sync("a", SamplingParams(**wrong))


def test_each_prompt_may_have_its_own_parameters(engine):
    params = [GREEDY, SEEDED, SamplingParams(max_tokens=3, seed=1, logprobs=1)]
    together = engine.generate(PROMPTS[:3], params)
    for prompt, chosen, completion in zip(PROMPTS, params, together, strict=False):
        (alone,) = engine.generate([prompt], chosen)
        assert (alone.text, alone.token_ids) == (completion.text, completion.token_ids)
    with pytest.raises(ValueError, match="there are 2 prompts, but 3 params"):
        engine.generate(PROMPTS[:2], params)


def test_prompt_logprobs_are_those_of_the_model(engine, model):
    prompt = PROMPTS[1]
    params = SamplingParams(max_tokens=2, seed=1, prompt_logprobs=2, n=2)
    with torch.no_grad():
        expected = model(torch.tensor([prompt]))[0].log_softmax(1)
    for completion in engine.generate([prompt], params):
        first, *others = completion.prompt_logprobs
        assert first is None
        assert len(others) == len(prompt) - 1
        for token, reported, scores in zip(prompt[1:], others, expected, strict=False):
            assert next(iter(reported)) == token
            assert set(reported) == {token, *scores.topk(2).indices.tolist()}
            for reported_token, value in reported.items():
                assert value == pytest.approx(scores[reported_token].item(), abs=1e-5)
    assert engine.generate([prompt])[0].prompt_logprobs is None


def test_the_cache_of_a_phi_is_empty_when_nothing_is_generated(model, tokenizer):
    engine = Engine(model, tokenizer)
    prompt = [list(range(40))]
    engine.generate(prompt, GREEDY)
    engine.generate(prompt, GREEDY)
    assert engine.stats.cached_tokens == 0
    engine.generate(prompt * 2, GREEDY)
    assert engine.stats.cached_tokens == 32


def test_an_opened_model_keeps_what_it_computed(model, tokenizer, tmp_path):
    checkpoint.save(model, tokenizer, tmp_path / "model")
    engine = Engine.open(tmp_path / "model", backend="torch")
    prompt = [list(range(40))]
    assert engine.generate(prompt, GREEDY) == engine.generate(prompt, GREEDY)
    assert engine.stats.cached_tokens == 32


def test_which_back_end_is_opened(model, tokenizer, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    checkpoint.save(model, tokenizer, folder)
    if native.is_available():
        assert type(Engine.open(folder).backend).__name__ == "NativeBackend"
        assert type(Engine.open(folder, draft=folder).backend).__name__ == "NativeBackend"
        with pytest.raises(ValueError, match="leave out device and dtype"):
            Engine.open(folder, backend="native", dtype="float32")
    assert isinstance(Engine.open(folder, dtype="float32").backend, TorchBackend)
    monkeypatch.setattr(native, "is_available", lambda: False)
    with pytest.warns(UserWarning, match="without the native core"):
        engine = Engine.open(folder)
    assert isinstance(engine.backend, TorchBackend)
    with pytest.raises(ValueError, match="without the native core"):
        Engine.open(folder, backend="native")
    with pytest.raises(ValueError, match="torch has none"):
        Engine.open(folder, backend="torch", quantization="int8")
    with pytest.raises(ValueError, match="options of the native core"):
        Engine.open(folder, backend="torch", threads=2)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            Engine.open(folder, device="cuda")
    with pytest.raises(ValueError, match="backend must be auto, native or torch, not 'cuda'"):
        Engine.open(folder, backend="cuda")
    with pytest.raises(checkpoint.CheckpointError):
        Engine.open(tmp_path / "nowhere", backend="torch")
