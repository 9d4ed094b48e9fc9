from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from phinery.cli import main
from phinery.infer import Engine, SamplingParams
from phinery.model import Phi, PhiConfig
from phinery.model.checkpoint import save
from phinery.text import Tokenizer

VERBS = ["run", "tokenize", "pretrain", "grow", "generate", "chat"]


@pytest.fixture(scope="module")
def model(byte_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory whose model speaks in bytes, at random."""
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=257,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=96,
    )
    directory = tmp_path_factory.mktemp("run") / "model"
    save(Phi(config), byte_tokenizer, directory)
    return directory


def phinery(
    *arguments: str, text: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "phinery", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        input=text,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )


def complaint(*arguments: str, status: int) -> str:
    """The one line on stderr with which a command fails."""
    done = phinery(*arguments)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_with_examples(verb: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert text.count(f"phinery {verb}") >= 3


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom phinery.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'rich', 'tokenizers'} & {*sys.modules}\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("phinery ")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["generate"], ["run", "--fast"]])
def test_wrong_usage_is_status_2(arguments: list[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_wrong_setting_is_status_2_and_one_line():
    line = complaint("run", "nano", "--set", "pretrain.learning_rat=1", status=2)
    assert "did you mean 'learning_rate'?" in line


def test_wrong_sampling_is_status_2(model: Path):
    assert "temperature" in complaint("generate", str(model), "x", "--temperature", "-1", status=2)


def test_absent_model_is_status_1_and_one_line():
    assert "no/such/model" in complaint("generate", "no/such/model", "x", status=1)


def test_absent_corpus_is_one_line(tmp_path: Path):
    line = complaint(
        "run", "--set", f"corpus.path={tmp_path}/none", "--out", str(tmp_path / "out"), status=2
    )
    assert "corpus.path=FOLDER" in line


def test_debugging_shows_the_traceback():
    done = phinery("generate", "no/such/model", "x", PHINERY_DEBUG="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_show_prints_values_and_origins(capsys: pytest.CaptureFixture[str]):
    assert main(["run", "nano", "--set", "seed=5", "--show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("seed = 5") and line.endswith("# --set") for line in lines)
    assert any(line.startswith("path = ") and line.endswith("# nano.toml") for line in lines)
    assert any(line.startswith("weight_decay") and line.endswith("# default") for line in lines)


def test_generate_is_the_engine(model: Path, capfd: pytest.CaptureFixture[str]):
    arguments = ["generate", str(model), "abc", "--temperature", "0", "--max-tokens", "12"]
    assert main(arguments) == 0
    params = SamplingParams(temperature=0, max_tokens=12)
    (expected,) = Engine.open(model).generate(["abc"], params)
    assert capfd.readouterr().out == f"abc{expected.text}\n"


def test_seed_decides_what_is_generated(model: Path, capfd: pytest.CaptureFixture[str]):
    def text(seed: int) -> str:
        assert main(["generate", str(model), "abc", "--seed", str(seed)]) == 0
        return capfd.readouterr().out

    assert text(7) == text(7) != text(8)


def test_run_directory_stands_for_its_model(model: Path, capfd: pytest.CaptureFixture[str]):
    arguments = ["abc", "--temperature", "0", "--max-tokens", "4"]
    assert main(["generate", str(model), *arguments]) == 0
    first = capfd.readouterr().out
    assert main(["generate", str(model.parent), *arguments]) == 0
    assert capfd.readouterr().out == first


def test_stop_text_ends_the_generation(model: Path, capfd: pytest.CaptureFixture[str]):
    arguments = ["generate", str(model), "abc", "--temperature", "0", "--max-tokens", "12"]
    main(arguments)
    whole = capfd.readouterr().out.removeprefix("abc").rstrip("\n")
    stop = whole[2:4]
    main([*arguments, "--stop", stop])
    assert capfd.readouterr().out == f"abc{whole[: whole.index(stop)]}\n"


def test_prompt_from_standard_input(
    model: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a file"))
    assert main(["generate", str(model), "-", "--max-tokens", "2"]) == 0
    assert capfd.readouterr().out.startswith("from a file")


def test_output_may_be_cut_off(model: Path):
    command = f'"{sys.executable}" -m phinery generate "{model}" abc --max-tokens 80 | head -c 1'
    done = subprocess.run(command, shell=True, capture_output=True, timeout=120, check=False)
    assert done.stdout == b"a"
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_chat_answers_every_line_and_ends_with_the_input(model: Path):
    arguments = ["--temperature", "0", "--max-tokens", "5"]
    done = phinery("chat", str(model), *arguments, text="hello\n\n/new\nhello\n")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout[: len(done.stdout) // 2], done.stdout[len(done.stdout) // 2 :]
    assert first == second != ""


def test_chat_forgets_old_exchanges_when_the_context_is_full(model: Path):
    lines = "".join(f"question number {number}\n" for number in range(6))
    done = phinery("chat", str(model), "--max-tokens", "8", text=lines)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_at_the_prompt_ends_the_chat(model: Path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phinery", "chat", str(model)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 90
    while b"> " not in shown and time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            shown += os.read(ours, 1000)
    # A signal between the prompt and the wait for a key is noticed at the next one only.
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
    _, errors = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 130
    assert "Traceback" not in errors
