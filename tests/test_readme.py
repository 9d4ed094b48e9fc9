"""The README does what it says: its commands are run, with fewer tokens, and its code as well."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phinery.cli import main
from phinery.recipe import Recipe
from phinery.recipe.load import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    if language == ""
    for line in block.splitlines()
    if line.startswith("phinery ")
]
# What makes a recipe quick: little training, a small sample for the tokenizer, short samples.
QUICK = ["pretrain.tokens=8k", "pretrain.compile=false", "pretrain.dtype='float32'"]
QUICK += ["pretrain.evaluations=1", "pretrain.evaluation_tokens=1k", "tokenizer.sample=300k"]
QUICK += [setting.replace("pretrain", "grow") for setting in QUICK if "pretrain" in setting]
QUICK += ["evaluate.max_tokens=4", 'evaluate.suites=["brackets", "refusal"]', "evaluate.sample=4"]
QUICK_OPTIONS = [word for setting in QUICK for word in ("--set", setting)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are typed: after `make run`, with a folder of texts and a recipe."""
    home = tmp_path_factory.mktemp("home")
    (home / "FOLDER").mkdir()
    for number, path in enumerate(sorted((ROOT / "docs").glob("*.md"))):
        shutil.copy(path, home / "FOLDER" / f"{number}.md")
    text = (SHIPPED / "nano.toml").read_text(encoding="utf-8")
    (home / "my.toml").write_text(text.replace('"machine"', '"FOLDER"').replace("nano", "my", 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert main(["run", "nano", *QUICK_OPTIONS]) == 0
    return home


def test_there_are_commands_to_check():
    verbs = {shlex.split(command)[1] for command in COMMANDS}
    assert {"run", "chat", "generate"} <= verbs


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_work(home: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    words = shlex.split(command, comments=True)[1:]
    if words[0] == "run" and "--show" not in words:
        words += QUICK_OPTIONS
    elif words[0] == "chat":
        words += ["--max-tokens", "4"]
    elif words[0] == "evaluate":
        words += [] if "--sample" in words else ["--sample", "4"]
    assert main(words) == 0


def test_own_text_gives_a_model_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(home)
    (command,) = [line for line in COMMANDS if "corpus.path=FOLDER" in line]
    assert main([*shlex.split(command)[1:], *QUICK_OPTIONS]) == 0
    report = (home / "runs" / "mine" / "report.md").read_text(encoding="utf-8")
    assert "FOLDER" in report
    assert (home / "runs" / "mine" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("code", [block for language, block in BLOCKS if language == "python"])
def test_python_code_works(home: Path, code: str):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_recipe_shown_is_the_recipe_shipped(tmp_path: Path):
    (shown,) = [block for language, block in BLOCKS if language == "toml"]
    (tmp_path / "nano.toml").write_text(shown)
    assert Recipe.load(str(tmp_path / "nano.toml")).flat() == Recipe.load("nano").flat()


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", README)
    assert [
        link for link in links if not link.startswith("http") and not (ROOT / link).exists()
    ] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["run", "test", "test-slow", "lint"])
def test_make_knows_its_targets(target: str):
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "phinery" in done.stdout or "ruff" in done.stdout or "pytest" in done.stdout
