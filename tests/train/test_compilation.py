from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from phinery.model import native
from phinery.model.kernels import default_kernels
from phinery.train.compilation import compile_or_explain, is_worth_compiling
from training_help import TrainerMaker, make_model

TRAINING = """
import sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from phinery.data import Sampler, TokenShards
from phinery.train import Trainer
from training_help import make_config, make_model
sampler = Sampler(TokenShards.open(sys.argv[1]), sequence_length=16, seed=5)
config = make_config(compile=True)
result = Trainer(make_model(), sampler, config, sys.argv[2], matmul_rate=1e12).fit()
print(result.compiled, result.loss)
"""


def test_without_a_compiler_training_goes_on_plain_and_says_so(
    shards_directory: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "CXX": str(tmp_path / "no-such-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", TRAINING, str(shards_directory), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False ")
    (line,) = [line for line in done.stderr.splitlines() if "uncompiled" in line]
    assert "compil" in line


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_run_learns_the_same(make_trainer: TrainerMaker) -> None:
    plain = make_trainer(steps=4).fit()
    trainer = make_trainer(steps=4, compile=True, directory=make_trainer().directory / "compiled")
    compiled = trainer.fit()
    assert compiled.compiled
    assert trainer.model.model.kernels is not default_kernels()
    assert compiled.loss == pytest.approx(plain.loss, abs=1e-4)


def test_the_reason_is_one_line_and_the_generator_as_before() -> None:
    model = make_model()
    before = torch.get_rng_state()

    def fail() -> None:
        torch.rand(3)
        raise RuntimeError("\n  no working compiler\nSet TORCH_LOGS\n")

    assert compile_or_explain(model, fail) == "no working compiler"
    assert model.model.kernels is default_kernels()
    assert all(layer.kernels is default_kernels() for layer in model.model.layers)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_long_runs_without_the_kernels_are_worth_compiling(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert is_worth_compiling(1e15, 1e12, gpu)
    assert not is_worth_compiling(1e13, 1e12, gpu)
    monkeypatch.setattr(native, "is_available", lambda: True)
    assert not is_worth_compiling(1e15, 1e12, cpu)
    assert is_worth_compiling(1e15, 1e12, gpu)
    monkeypatch.setattr(native, "is_available", lambda: False)
    assert is_worth_compiling(1e15, 1e12, cpu)
    assert not make_trainer(compile="auto").fit().compiled


@pytest.mark.parametrize("available", [True, False])
def test_a_run_without_the_kernels_says_so(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch, available: bool
) -> None:
    monkeypatch.setattr(native, "is_available", lambda: available)
    monkeypatch.setattr(native, "takes", lambda *tensors: False)
    notes: list[str] = []
    trainer = make_trainer(steps=3)
    trainer.note = notes.append
    trainer.fit()
    assert any("C++ compiler" in note for note in notes) is not available
