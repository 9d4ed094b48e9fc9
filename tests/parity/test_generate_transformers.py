from __future__ import annotations

import pytest
import torch
from transformers import PhiConfig as TheirConfig
from transformers import PhiForCausalLM

from phinery.infer import Engine, SamplingParams
from phinery.model import Phi, PhiConfig

VOCAB = 600
TOKENS = 64
PADDING = 599
SHAPES = {
    "phi-2-heads": {
        "hidden_size": 160,
        "num_attention_heads": 2,
        "partial_rotary_factor": 0.4,
        "intermediate_size": 640,
    },
    "phi-1.5-heads": {"hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512},
    "small-heads": {"hidden_size": 96, "num_attention_heads": 8, "intermediate_size": 100},
}
# Left padding of none to nearly all of a row.
LENGTHS = (9, 1, 23, 4, 9)


@pytest.fixture(autouse=True)
def _one_thread():
    """Models this small are many times slower on several threads of a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_pair(shape, deviation):
    """The same random weights in both: N(0, deviation), biases N(0, 0.1)."""
    shape = {
        "vocab_size": VOCAB,
        "num_hidden_layers": 3,
        "max_position_embeddings": 128,
        "initializer_range": deviation,
        **shape,
    }
    torch.manual_seed(17)
    ours = Phi(PhiConfig(**shape)).eval()
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    theirs = PhiForCausalLM(TheirConfig(**shape)).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def pair(request):
    return make_pair(request.param, 0.02)


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def lively_pair(request):
    """Larger weights, so that what is written depends on every token before."""
    return make_pair(request.param, 0.4)


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(23)
    return [
        torch.randint(0, VOCAB - 1, (length,), generator=generator).tolist() for length in LENGTHS
    ]


def their_tokens(model, prompts, **options):
    width = max(map(len, prompts))
    ids = [[PADDING] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    output = model.generate(
        torch.tensor(ids),
        attention_mask=torch.tensor(mask),
        max_new_tokens=TOKENS,
        do_sample=False,
        pad_token_id=PADDING,
        **{"eos_token_id": None, **options},
    )
    return output[:, width:].tolist()


def our_tokens(model, byte_tokenizer, prompts, **options):
    params = SamplingParams(temperature=0, max_tokens=TOKENS, **options)
    completions = Engine(model, byte_tokenizer).generate(prompts, params)
    return [completion.token_ids for completion in completions]


def test_greedy_decoding_is_that_of_transformers(pair, prompts, byte_tokenizer):
    ours, theirs = pair
    for prompt in prompts:
        expected = their_tokens(theirs, [prompt])
        assert our_tokens(ours, byte_tokenizer, [prompt], ignore_eos=True) == expected
        assert len(expected[0]) == TOKENS


def test_left_padded_batches_decode_as_in_transformers(pair, prompts, byte_tokenizer):
    ours, theirs = pair
    expected = their_tokens(theirs, prompts)
    assert our_tokens(ours, byte_tokenizer, prompts, ignore_eos=True) == expected


def test_varied_text_is_that_of_transformers(lively_pair, prompts, byte_tokenizer):
    ours, theirs = lively_pair
    expected = their_tokens(theirs, prompts)
    assert min(len(set(row)) for row in expected) > 20
    assert our_tokens(ours, byte_tokenizer, prompts, ignore_eos=True) == expected
    for prompt, row in zip(prompts, expected, strict=True):
        assert our_tokens(ours, byte_tokenizer, [prompt], ignore_eos=True) == [row]


def test_rows_end_early_as_in_transformers(lively_pair, prompts, byte_tokenizer):
    ours, theirs = lively_pair
    # A token that the first row writes in its middle, made the end of text.
    end = their_tokens(theirs, prompts)[0][20]
    ends = [end, byte_tokenizer.eos_token_id]
    expected = [
        row[: min((row.index(token) + 1 for token in ends if token in row), default=TOKENS)]
        for row in their_tokens(theirs, prompts, eos_token_id=ends)
    ]
    config = ours.config
    ours.config = PhiConfig(**{**vars(config), "eos_token_id": end})
    try:
        rows = our_tokens(ours, byte_tokenizer, prompts)
    finally:
        ours.config = config
    assert rows == expected
    assert len(rows[0]) < TOKENS
