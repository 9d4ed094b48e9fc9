from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from phinery.data import TokenShards
from phinery.model import Phi
from phinery.text import Tokenizer
from phinery.train import held_out_loss
from phinery.train.evaluation import chosen_windows
from training_help import SEQUENCE_LENGTH, make_model


def plain_nats(model: Phi, shards: TokenShards, windows: range | list[int]) -> tuple[float, int]:
    """Summed cross-entropy and count, one window after another."""
    stream = np.concatenate(([shards.eos_token_id], shards.read(0, shards.num_tokens)))
    nats, count = 0.0, 0
    for window in windows:
        start = window * SEQUENCE_LENGTH
        ids = torch.from_numpy(stream[start : start + SEQUENCE_LENGTH + 1])[None]
        with torch.no_grad():
            logits = model(ids[:, :-1])
        nats += functional.cross_entropy(logits[0], ids[0, 1:], reduction="sum").item()
        count += ids.shape[1] - 1
    return nats, count


def test_every_token_is_predicted_once(held_out: TokenShards) -> None:
    model = make_model().eval()
    windows = math.ceil(held_out.num_tokens / SEQUENCE_LENGTH)
    assert held_out.num_tokens % SEQUENCE_LENGTH
    nats, count = plain_nats(model, held_out, range(windows))
    score = held_out_loss(model, held_out, SEQUENCE_LENGTH)
    assert count == score.tokens == held_out.num_tokens
    assert score.bytes == held_out.num_bytes
    assert score.loss == pytest.approx(nats / count, abs=1e-5)
    assert score.bits_per_byte == pytest.approx(nats / math.log(2) / held_out.num_bytes, abs=1e-5)


def test_a_part_is_spread_and_its_bytes_counted(
    held_out: TokenShards, byte_tokenizer: Tokenizer
) -> None:
    model = make_model().eval()
    limit = held_out.num_tokens // 3
    windows = chosen_windows(held_out.num_tokens, SEQUENCE_LENGTH, limit)
    assert len(windows) == limit // SEQUENCE_LENGTH
    assert np.ptp(np.diff(windows)) <= 1
    assert windows[-1] > 0.9 * held_out.num_tokens / SEQUENCE_LENGTH
    nats, count = plain_nats(model, held_out, windows)
    score = held_out_loss(
        model, held_out, SEQUENCE_LENGTH, tokenizer=byte_tokenizer, max_tokens=limit
    )
    labels = np.concatenate(
        [held_out.read(w * SEQUENCE_LENGTH, (w + 1) * SEQUENCE_LENGTH) for w in windows]
    )
    # A token of this tokenizer is a byte, but for the end of a document.
    assert score.bytes == int((labels != held_out.eos_token_id).sum())
    assert score.tokens == count
    assert score.loss == pytest.approx(nats / count, abs=1e-5)
    with pytest.raises(ValueError, match="tokenizer"):
        held_out_loss(model, held_out, SEQUENCE_LENGTH, max_tokens=limit)


def test_a_uniform_model_needs_the_logarithm_of_the_vocabulary(held_out: TokenShards) -> None:
    model = make_model()
    torch.nn.init.zeros_(model.lm_head.weight)
    for batch_size in (1, 7, 64):
        score = held_out_loss(model, held_out, SEQUENCE_LENGTH, batch_size=batch_size)
        assert score.loss == pytest.approx(math.log(257), abs=1e-5)


def test_the_model_and_the_generators_stay_as_they_were(held_out: TokenShards) -> None:
    model = make_model(embd_pdrop=0.5)
    before = torch.get_rng_state()
    score = held_out_loss(model, held_out, SEQUENCE_LENGTH)
    assert model.training
    assert score == held_out_loss(model.eval(), held_out, SEQUENCE_LENGTH)
    assert not model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.grad is None for weight in model.parameters())


def test_documents_apart_do_not_see_each_other(held_out: TokenShards) -> None:
    model = make_model().eval()
    together = held_out_loss(model, held_out, 64)
    apart = held_out_loss(model, held_out, 64, separate_documents=True)
    assert together.loss != pytest.approx(apart.loss, abs=1e-4)


def test_bfloat16_is_close(held_out: TokenShards) -> None:
    model = make_model()
    exact = held_out_loss(model, held_out, SEQUENCE_LENGTH).loss
    assert held_out_loss(model, held_out, SEQUENCE_LENGTH, dtype="bfloat16").loss == pytest.approx(
        exact, rel=0.01
    )
