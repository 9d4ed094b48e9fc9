from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import errors

import phinery
from phinery.model import Phi, preset
from phinery.model.checkpoint import CheckpointError, save

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory, byte_tokenizer) -> Path:
    path = tmp_path_factory.mktemp("front") / "model"
    torch.manual_seed(0)
    save(Phi(preset("nano", vocab_size=257, num_hidden_layers=1)), byte_tokenizer, path)
    return path


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600
    )
    return result.stdout


@pytest.mark.parametrize("code", ["", "phinery.__version__", "dir(phinery)", "phinery.load"])
def test_importing_phinery_imports_nothing_heavy(code):
    heavy = ["torch", "numpy", "pydantic", "tokenizers", "huggingface_hub", "rich", "safetensors"]
    found = run_python(
        f"import sys, phinery\n{code}\nprint([m for m in {heavy} if m in sys.modules])"
    )
    assert found.strip() == "[]"


def test_rooms_are_attributes_that_are_imported_when_used():
    code = (
        "import sys, phinery; assert 'phinery.model' not in sys.modules; print(phinery.model.Phi)"
    )
    assert "phinery.model.decoder.Phi" in run_python(code)
    assert {"load", "generate", "model", "__version__"} <= set(dir(phinery))
    with pytest.raises(AttributeError, match="has no attribute 'cellar'"):
        _ = phinery.cellar


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert phinery.__version__ == project["version"]


def test_load_opens_a_folder(folder):
    model, tokenizer = phinery.load(folder)
    assert model.config.num_hidden_layers == 1
    assert tokenizer.decode(tokenizer.encode("Grüße")) == "Grüße"
    assert phinery.load(str(folder), dtype="bfloat16", device="cpu")[0].dtype == torch.bfloat16


def test_load_expands_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert phinery.load("~/model")[0].config.num_hidden_layers == 1


def test_generate_goes_on_after_a_prompt(folder):
    model, tokenizer = phinery.load(folder)
    options = {"max_tokens": 5, "temperature": 0.0, "ignore_eos": True}
    text = phinery.generate(model, tokenizer, "Once", **options)
    assert isinstance(text, str)
    ids = tokenizer.encode("Once")
    for _ in range(5):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert text == tokenizer.decode(ids[4:])


def test_generate_names_what_it_does_not_know(folder):
    model, tokenizer = phinery.load(folder)
    with pytest.raises(ValueError, match="temprature"):
        phinery.generate(model, tokenizer, "Once", temprature=1.0)
    with pytest.raises(ValueError, match="one text"):
        phinery.generate(model, tokenizer, "Once", n=2)


# --- the hub


def test_a_hub_id_is_downloaded_without_code_or_pickles(folder, monkeypatch):
    asked = {}

    def snapshot_download(repo_id: str, **options: object) -> str:
        asked.update(options, repo_id=repo_id)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    model, _ = phinery.load("someone/some-model", revision="v1")
    assert isinstance(model, Phi)
    assert asked["repo_id"] == "someone/some-model"
    assert asked["revision"] == "v1"
    offered = ["config.json", "generation_config.json", "README.md", "modeling_phi.py"]
    offered += ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "training_args.bin"]
    offered += ["model.safetensors", "model-00001-of-00002.safetensors", "onnx/model.onnx"]
    offered += ["model.safetensors.index.json", "tokenizer.json", "merges.txt", "vocab.json"]
    offered += ["adapter_model.safetensors", "tf_model.h5", "chat_template.jinja", "model.pkl"]
    taken = huggingface_hub.utils.filter_repo_objects(
        offered, allow_patterns=asked["allow_patterns"]
    )
    assert set(taken) == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "merges.txt",
        "vocab.json",
        "chat_template.jinja",
    }


def http_error(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    error = kind.__new__(kind)
    Exception.__init__(error, "404 Client Error\nRequest ID: x")
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.LocalEntryNotFoundError("no network\nsecond line"), r"no network\)"),
        (errors.HFValidationError("bad"), "bad"),
        (http_error(errors.RepositoryNotFoundError), "no model someone/x on the hub"),
        (http_error(errors.GatedRepoError), "accept its terms"),
        (http_error(errors.RevisionNotFoundError), "no revision 'v9'"),
        (OSError(), "OSError"),
    ],
)
def test_what_the_hub_answers_is_one_line(monkeypatch, error, message):
    def snapshot_download(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(CheckpointError, match=message) as caught:
        phinery.load("someone/x", revision="v9")
    assert "\n" not in str(caught.value)
    assert "someone/x" in str(caught.value)


def test_a_hub_model_without_safetensors(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(CheckpointError, match=r"no safetensors weights on the hub.*pickle"):
        phinery.load("someone/x")


def test_offline_a_hub_id_that_is_not_cached_is_one_line(tmp_path):
    code = (
        f"import os; os.environ.update(HF_HUB_OFFLINE='1', HF_HOME={str(tmp_path)!r})\n"
        "import phinery\n"
        "try: phinery.load('someone/x')\n"
        "except ValueError as error: print(error)"
    )
    message = run_python(code).strip()
    assert "someone/x is neither in the hub's cache" in message
    assert "\n" not in message


def test_a_local_folder_has_no_revision(folder):
    with pytest.raises(CheckpointError, match="no revision"):
        phinery.load(folder, revision="main")
