"""Tasks of the public harness: its values, its prompts, local items, nothing left behind."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from phinery.evaluate import HarnessModel
from phinery.evaluate.outcome import Outcome, Score, estimate_of, score_of
from phinery.evaluate.setting import Setting
from phinery.evaluate.suites import Task, load_suite
from phinery.evaluate.tasks import read_split, run_harness_task
from phinery.evaluate.tasks.code import CodeJudge
from phinery.evaluate.tasks.names import tasks_folder
from phinery.model import Phi
from phinery.sandbox import SandboxUnavailable, probe
from phinery.text import Tokenizer

pytest.importorskip("lm_eval")
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

BENCHMARKS = Path(__file__).parents[2].parent / "shared" / "benchmarks"
WORKER = Path(__file__).with_name("harness_worker.py")
LIMIT = 3
PHI2 = {task.name: task for task in load_suite("phi2").tasks}
# With our names: each is asked as the suite says.
COMPARED = ["piqa", "winogrande", "arc_challenge", "hellaswag", "boolq", "wsc273", "gsm8k"]
# A group like MMLU, with two of its subjects, and a task with examples that are drawn.
GROUP = Task(name="subjects", harness="two_subjects", shots=5, items="mmlu")
DRAWN = Task(name="openbookqa", harness="openbookqa", folder="openbookqa", shots=2)

needs_items = pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason=f"needs the benchmarks' items in {BENCHMARKS}"
)
needs_sandbox = pytest.mark.skipif(not probe().complete, reason=f"no sandbox here:\n{probe()}")


@pytest.fixture(scope="session", autouse=True)
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the harness's library puts its copies."""
    folder = tmp_path_factory.mktemp("converted")
    os.environ["HF_DATASETS_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of descriptions as the harness's own: two groups of two of MMLU's subjects."""
    folder = tmp_path_factory.mktemp("groups")
    subjects = ("anatomy", "college_mathematics")
    for subject in subjects:
        whole = tasks_folder() / "mmlu" / "default" / f"mmlu_{subject}.yaml"
        text = f"include: {whole}\ntask: small_{subject}\ntag: small\n"
        (folder / f"{subject}.yaml").write_text(text)
    for name, by_size in (("two_subjects", True), ("two_alike", False)):
        members = "".join(f"  - small_{subject}\n" for subject in subjects)
        metric = f"aggregate_metric_list:\n  - metric: acc\n    weight_by_size: {by_size}\n"
        (folder / f"{name}.yaml").write_text(f"group: {name}\ntask:\n{members}{metric}")
    return folder


@pytest.fixture(scope="session")
def model(phi: Phi, bpe_tokenizer: Tokenizer) -> HarnessModel:
    """The small random model."""
    return HarnessModel(phi, bpe_tokenizer)


@pytest.fixture(scope="session")
def plain(
    phi_folder: Path, groups: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What the harness reports by itself, from the folder that it finds data sets in."""
    folder = tmp_path_factory.mktemp("plain")
    home = tasks_folder()
    tasks = [PHI2[name] for name in COMPARED] + [GROUP, DRAWN]
    folders = sorted({str(home / task.folder) for task in tasks if task.folder} | {str(groups)})
    settings, out = folder / "settings.json", folder / "results.json"
    shots = {task.harness: task.shots for task in tasks}
    settings.write_text(json.dumps({"folders": folders, "tasks": shots, "limit": LIMIT}))
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
    done = subprocess.run(
        [sys.executable, str(WORKER), str(phi_folder), str(settings), str(out)],
        cwd=BENCHMARKS / "hub",
        env={**os.environ, **offline, "HF_DATASETS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(out.read_text())


class Stub(LM):
    """Answers what it is told to, and remembers the prompts."""

    def __init__(self, answer: Callable[[Any], str], no_answer: float = -50.0) -> None:
        super().__init__()
        self.answer, self.no_answer = answer, no_answer
        self.prompts: list[str] = []
        self.settings: list[Any] = []

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """See `LM`."""
        return [(self.no_answer, False)] * len(requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """See `LM`."""
        raise NotImplementedError

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """See `LM`."""
        for one in requests:
            prompt, settings = (*one.args,)
            self.prompts.append(prompt)
            self.settings.append(settings)
        return [self.answer(one.doc) for one in requests]


class Heard(LM):
    """Has a model answer, and remembers the prompts."""

    def __init__(self, model: HarnessModel) -> None:
        super().__init__()
        self.model = model
        self.prompts: set[str] = set()

    def _ask(self, kind: str, requests: list[Instance]) -> list[Any]:
        self.prompts |= {str(one.args[0]) for one in requests}
        return getattr(self.model, kind)(requests)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """See `LM`."""
        return self._ask("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """See `LM`."""
        return self._ask("loglikelihood_rolling", requests)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """See `LM`."""
        return self._ask("generate_until", requests)


def local(**settings: Any) -> Setting:
    return Setting(items=BENCHMARKS, **settings)


def by_metric(outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    return {outcome.metric: outcome for outcome in outcomes}


# --- the harness's values


@needs_items
@pytest.mark.parametrize("name", [*COMPARED, "subjects", "openbookqa"])
def test_values_are_those_of_the_harness(
    plain: dict[str, dict[str, Any]], model: HarnessModel, groups: Path, name: str
):
    group = GROUP.model_copy(update={"folder": str(groups)})
    task = {"subjects": group, "openbookqa": DRAWN}.get(name) or PHI2[name]
    assert task.harness is not None
    theirs = plain[task.harness]
    heard = Heard(model)
    outcomes = run_harness_task(heard, task, local(limit=LIMIT))
    assert outcomes
    prompts = {one["prompt"] for rows in theirs["samples"].values() for one in rows}
    assert prompts <= heard.prompts
    for outcome in outcomes:
        key = task.metrics.get(outcome.metric, outcome.metric)
        metric, _, kind = key.partition(",")
        assert outcome.task == task.name
        value = theirs["results"][f"{metric},{kind or 'none'}"]
        assert estimate_of(outcome).value == pytest.approx(value, abs=1e-12)
        logged = [
            float(one[metric])
            for rows in theirs["samples"].values()
            for one in sorted(rows, key=lambda one: one["doc_id"])
            if one["filter"] == (kind or "none")
        ]
        assert outcome.values[:, 0].tolist() == pytest.approx(logged, abs=1e-12)
        assert len(outcome.ids) == LIMIT * len(theirs["samples"])


@needs_items
def test_answers_differ_between_items_so_that_the_comparison_means_something(
    plain: dict[str, dict[str, Any]],
):
    values = [
        one.get("acc")
        for task in plain.values()
        for rows in task["samples"].values()
        for one in rows
    ]
    assert {0.0, 1.0} <= {float(value) for value in values if value is not None}


@needs_items
def test_a_group_may_weigh_its_tasks_alike(model: HarnessModel, groups: Path):
    task = Task(name="alike", harness="two_alike", folder=str(groups), shots=0, items="mmlu")
    (outcome,) = run_harness_task(model, task, local(sample=30))
    sizes = [outcome.groups.count(group) for group in dict.fromkeys(outcome.groups)]
    assert len(sizes) == 2
    assert sizes[0] != sizes[1]
    means = [
        outcome.values[[one == group for one in outcome.groups], 0].mean()
        for group in dict.fromkeys(outcome.groups)
    ]
    assert estimate_of(outcome).value == pytest.approx(np.mean(means))
    assert set(outcome.groups) == {"anatomy", "college_mathematics"}


@needs_items
def test_a_tag_is_its_tasks(model: HarnessModel, groups: Path):
    task = Task(name="small", harness="small", folder=str(groups), shots=0, items="mmlu")
    outcomes = run_harness_task(model, task, local(limit=1))
    assert [outcome.task for outcome in outcomes] == ["small_anatomy", "small_college_mathematics"]


# --- which items


@needs_items
@pytest.mark.parametrize(
    ("name", "config", "split"),
    [
        ("arc_easy", "ARC-Easy", "test"),
        ("piqa", None, "validation"),
        ("squadv2", "squad_v2", "validation"),
    ],
)
def test_ids_are_those_of_read_split(name: str, config: str | None, split: str):
    ids, rows = read_split(name, config, split, local())
    for setting in (local(limit=4), local(sample=4, seed=3)):
        outcome = run_harness_task(Stub(lambda doc: ""), PHI2[name], setting)[0]
        numbers = setting.chosen(len(rows))
        assert list(outcome.ids) == [ids[number] for number in numbers]
        assert outcome.benchmark == name
    assert numbers != list(range(4))


@needs_items
def test_items_that_a_task_leaves_out_keep_their_ids():
    task = Task(name="age", harness="crows_pairs_english_age", folder="crows_pairs")
    outcome = run_harness_task(Stub(lambda doc: ""), task, local())[0]
    ids, rows = read_split("crows_pairs", "english", "test", local())
    age = [one for one, row in zip(ids, rows, strict=True) if row["bias_type"] == "age"]
    assert list(outcome.ids) == age
    assert 0 < len(age) < len(ids)


@needs_items
def test_a_sample_of_a_group_is_drawn_from_all_of_it(groups: Path):
    task = GROUP.model_copy(update={"folder": str(groups)})
    (outcome,) = run_harness_task(Stub(lambda doc: ""), task, local(sample=7))
    assert len(outcome.ids) == len(set(outcome.ids)) == 7
    places = {one.partition("/")[0] for one in outcome.ids}
    assert places == {"anatomy", "college_mathematics"}


@needs_items
def test_passages_are_units_and_guessing_is_known(model: HarnessModel):
    squad = run_harness_task(Stub(lambda doc: ""), PHI2["squadv2"], local(limit=8))[0]
    _, rows = read_split("squadv2", "squad_v2", "validation", local())
    passages = [row["context"] for row in rows[:8]]
    same = [[one == other for other in passages] for one in passages]
    assert [[one == other for other in squad.units] for one in squad.units] == same
    assert 1 < len(set(passages)) < 8
    winogrande = run_harness_task(model, PHI2["winogrande"], local(limit=2))[0]
    assert winogrande.chance == 0.5
    answers = [row["answer"] for row in read_split("winogrande", None, "validation", local())[1]]
    most = max(answers.count("1"), answers.count("2")) / len(answers)
    assert winogrande.majority == pytest.approx(most)
    assert winogrande.units == ()
    gsm8k = run_harness_task(Stub(lambda doc: ""), PHI2["gsm8k"], local(limit=2))[0]
    assert (gsm8k.chance, gsm8k.majority) == (None, None)


# --- SQuAD v2 with examples


@needs_items
def test_squad_has_examples_and_is_marked_as_officially():
    right = Stub(lambda doc: (doc["answers"]["text"] or [""])[0].upper())
    found = by_metric(run_harness_task(right, PHI2["squadv2"], local(limit=12)))
    assert list(found) == list(PHI2["squadv2"].metrics)
    assert {estimate_of(one).value for one in found.values()} == {1.0}
    assert len(found["exact, answerable"].ids) + len(found["exact, unanswerable"].ids) == 12
    for prompt in right.prompts:
        assert prompt.count("\n\nAnswer:") == 3
        assert prompt.endswith("Answer:")
    silent = Stub(lambda doc: "")
    found = by_metric(run_harness_task(silent, PHI2["squadv2"], local(limit=12)))
    share = len(found["exact, unanswerable"].ids) / 12
    assert 0 < share < 1
    assert estimate_of(found["exact"]).value == pytest.approx(share)
    assert found["exact"].majority == pytest.approx(share)
    assert estimate_of(found["exact, answerable"]).value == 0


# --- programs


def reference(doc: Any) -> str:
    return doc["canonical_solution"] if "canonical_solution" in doc else doc["code"]


def wrong(doc: Any) -> str:
    return "    return 'no'" if "canonical_solution" in doc else "def f(x): return 'no'"


@needs_items
@needs_sandbox
@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_references_pass_and_others_do_not(name: str):
    right = Stub(reference)
    (outcome,) = run_harness_task(right, PHI2[name], local(sample=5))
    assert outcome.values[:, 0].tolist() == [1.0] * 5
    assert outcome.metric == "pass@1"
    (outcome,) = run_harness_task(Stub(wrong), PHI2[name], local(sample=5))
    assert outcome.values[:, 0].tolist() == [0.0] * 5
    _, rows = read_split(name, None if name == "humaneval" else "full", "test", local())
    first = rows[local(sample=5).chosen(len(rows))[0]]
    if name == "humaneval":
        assert right.prompts[0] == first["prompt"]
        assert right.settings[0]["max_gen_toks"] == 1024
    else:
        assert right.prompts[0].count("[BEGIN]") == 4
        assert right.prompts[0].count("[DONE]") == 3
        assert first["text"] in right.prompts[0].rpartition("[DONE]")[2]
        assert right.settings[0]["until"] == ["[DONE]"]


@needs_sandbox
def test_verdicts_that_are_weak_are_said_to_be():
    program = "class F(int):\n    pass\ndef f(x): return F(x)"
    reading = "assert F(1).real == f(1)"  # builds objects of the program's class
    judge = CodeJudge()
    rates, _ = judge.compute(
        references=["assert f(1) == 1", reading],
        predictions=[[program], [program, "def f(x): return 0"]],
        k=[1, 2],
    )
    assert rates == {"pass@1": 0.75}
    assert judge.note() == ""

    class Answered:
        def __init__(self) -> None:
            self.instances = [Instance("generate_until", {"tests": reading}, ("",), 0)]
            self.instances[0].filtered_resps = {"none": program}

        def doc_to_target(self, doc: Any) -> str:
            return doc["tests"]

    judge.judge(Answered())
    assert judge.note() == "1 of 1 verdicts are weak: tests beside the program"


@needs_items
def test_without_a_sandbox_programs_do_not_run(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: Any, **settings: Any) -> Any:
        raise SandboxUnavailable("untrusted code can't be isolated here (seccomp: none)")

    monkeypatch.setattr("phinery.evaluate.tasks.code.run_sandboxed", refuse)
    stub = Stub(reference)
    with pytest.raises(ValueError, match="humaneval cannot run here: untrusted code can't be"):
        run_harness_task(stub, PHI2["humaneval"], local(limit=1))
    assert stub.prompts == []


# --- nothing is left behind


@needs_items
def test_shared_state_is_as_before(model: HarnessModel):
    import lm_eval.api.task

    import evaluate  # the metrics' library of the harness

    def drawn() -> list[float]:
        return [random.random(), np.random.random(), torch.rand(()).item()]

    def seed() -> None:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)

    seed()
    expected = drawn()
    seed()
    library = (
        evaluate.load,
        lm_eval.api.task.tqdm,
        logging.getLogger("lm_eval").level,
        os.getcwd(),
    )
    first = run_harness_task(model, PHI2["piqa"], local(limit=2))
    assert drawn() == expected
    assert library == (
        evaluate.load,
        lm_eval.api.task.tqdm,
        logging.getLogger("lm_eval").level,
        os.getcwd(),
    )
    random.seed(6)
    again = run_harness_task(model, PHI2["piqa"], local(limit=2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.values, other.values)
    assert not [name for name in sys.modules if name.startswith("lm_eval.tasks.humaneval.")]


# --- a user's own items


def own_items(folder: Path, *goals: str) -> Setting:
    """Items in the form of PIQA, made up here."""
    (folder / "piqa").mkdir(exist_ok=True)
    rows = [
        {"goal": goal, "sol1": "Use a lid.", "sol2": "Use a shoe.", "label": 0} for goal in goals
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for split in ("train", "validation"):
        file = folder / "piqa" / f"{split}.jsonl"
        file.write_text(text)
        os.utime(file, (1e9, 1e9))
    return Setting(items=folder)


def test_changed_items_are_noticed(tmp_path: Path):
    stub = Stub(lambda doc: "")
    assert len(run_harness_task(stub, PHI2["piqa"], own_items(tmp_path, "Boil."))[0].ids) == 1
    assert (
        len(run_harness_task(stub, PHI2["piqa"], own_items(tmp_path, "Cook.", "Fry."))[0].ids) == 2
    )


def damaged(folder: Path) -> None:
    (folder / "piqa" / "validation.jsonl").write_text('{"goal": "Boil."\n')


def without_examples(folder: Path) -> None:
    (folder / "piqa" / "train.jsonl").unlink()


def of_two_kinds(folder: Path) -> None:
    row = {"goal": ["Boil."], "sol1": {"a": 1}, "sol2": 3, "label": "x"}
    (folder / "piqa" / "train.jsonl").write_text(json.dumps(row) + "\n")


def of_another_name(folder: Path) -> None:
    (folder / "piqa").rename(folder / "piqua")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damaged, "validation.jsonl is not JSON"),
        (without_examples, "piqa needs train, but .* has only validation"),
        (of_two_kinds, "the items of piqa cannot be read"),
        (of_another_name, "has no items of piqa; did you mean piqua"),
    ],
)
def test_what_is_wrong_with_items_is_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
):
    setting = own_items(tmp_path, "Boil.")
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        run_harness_task(Stub(lambda doc: ""), PHI2["piqa"], setting)
    assert "\n" not in str(caught.value)


def without(folder: Path, file: str, fields: Sequence[str]) -> None:
    rows = [json.loads(line) for line in (folder / file).read_text().splitlines()]
    kept = [{key: row[key] for key in row if key not in fields} for row in rows]
    (folder / file).write_text("".join(json.dumps(row) + "\n" for row in kept))


@pytest.mark.parametrize("field", ["goal", "sol1", "label"])
@pytest.mark.parametrize("splits", [("validation",), ("train", "validation")])
def test_items_that_lack_a_field_are_named(tmp_path: Path, field: str, splits: Sequence[str]):
    setting = own_items(tmp_path, "Boil.", "Fry.")
    for split in splits:
        without(tmp_path, f"piqa/{split}.jsonl", [field])
    with pytest.raises(ValueError, match="the items of piqa ") as caught:
        run_harness_task(Stub(lambda doc: ""), PHI2["piqa"], setting)
    assert "\n" not in str(caught.value)
    place = tmp_path / "piqa"
    if len(splits) == 2 and field == "sol1":  # one of a list of choices
        assert f"in {place} have no choices" in str(caught.value)
    elif len(splits) == 2:
        message = f"the items of piqa in {place} have no field {field!r}, which the task reads: "
        assert str(caught.value) == message + "add it"


def test_items_that_lack_a_field_which_a_process_of_the_task_reads(tmp_path: Path):
    (tmp_path / "hellaswag").mkdir()
    row = {"ctx_a": "A cook", "ctx_b": "cuts", "activity_label": "Food", "endings": ["a", "b"]}
    for split in ("train", "validation"):
        file = tmp_path / "hellaswag" / f"{split}.jsonl"
        file.write_text(json.dumps(row) + "\n")
    message = r"the items of hellaswag in .*hellaswag have no field 'label', which the task reads"
    with pytest.raises(ValueError, match=message) as caught:
        run_harness_task(Stub(lambda doc: ""), PHI2["hellaswag"], Setting(items=tmp_path))
    assert "\n" not in str(caught.value)


@needs_items
def test_items_whose_fields_are_of_another_kind_are_no_traceback(tmp_path: Path):
    (tmp_path / "squadv2").mkdir()
    row = {"id": "1", "title": "t", "context": "c", "question": "q", "answers": ["a"]}
    for split in ("train", "validation"):
        (tmp_path / "squadv2" / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(
        ValueError, match="the items of squadv2 in .* are not as the task"
    ) as caught:
        run_harness_task(Stub(lambda doc: ""), PHI2["squadv2"], Setting(items=tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task(name="x", harness="piqa", folder="piqa", metrics={"f": "f1"}), "no metric 'f1': it"),
        (Task(name="x", harness="pika", folder="piqa"), "no task 'pika'; did you mean piqa"),
    ],
)
def test_what_a_task_asks_in_vain(tmp_path: Path, task: Task, message: str):
    with pytest.raises(ValueError, match=message):
        run_harness_task(Stub(lambda doc: ""), task, own_items(tmp_path, "Boil."))


def test_offline_without_items_is_one_line():
    with pytest.raises(ValueError, match="piqa needs items"):
        run_harness_task(Stub(lambda doc: ""), PHI2["piqa"], Setting(offline=True))
    with pytest.raises(ValueError, match="the items of piqa are not here"):
        read_split("piqa", None, "validation", Setting(offline=True))


@needs_items
@pytest.mark.parametrize(
    ("name", "context", "most"),
    [
        ("bbh", 512, 256),
        ("bbh", 1024, 512),
        ("bbh", 1100, 550),
        ("bbh", 2047, 1023),
        ("bbh", 2048, None),
        # These don't say how long an answer may be: 256 tokens.
        ("gsm8k", 256, 128),
        ("gsm8k", 511, 255),
        ("gsm8k", 512, None),
        ("squadv2", 256, 128),
    ],
)
def test_answers_have_half_of_the_context_at_most(name: str, context: int, most: int | None):
    stub = Stub(lambda doc: "")
    stub.max_length = context  # pyright: ignore[reportAttributeAccessIssue]
    navigate = Task(name="bbh", harness="bbh_cot_fewshot_navigate", folder="bbh/cot_fewshot")
    task = navigate if name == "bbh" else PHI2[name]
    outcome = run_harness_task(stub, task, local(limit=1))[0]
    if most is None:
        assert stub.settings[0].get("max_gen_toks") == (1024 if name == "bbh" else None)
        assert outcome.note == ""
    else:
        assert stub.settings[0]["max_gen_toks"] == most
        assert outcome.note == f"answers of at most {most} tokens: the model sees {context}"


def test_a_short_answer_is_no_longer_under_another_name():
    from phinery.evaluate.tasks.harness import _Lengths

    class Built:
        def __init__(self, asked: dict[str, Any]) -> None:
            self.instances = [Instance("generate_until", {}, ("prompt", asked), 0)]

        def build_all_requests(self) -> None: ...

    for asked, expected in (
        ({"max_new_tokens": 90, "until": ["."]}, {"max_gen_toks": 50, "until": ["."]}),
        ({"max_tokens": 20}, {"max_tokens": 20}),
    ):
        task, lengths = Built(asked), _Lengths(100, 256)
        lengths.watch(task)
        task.build_all_requests()
        assert task.instances[0].args == ("prompt", expected)
        assert bool(lengths.note()) == ("max_gen_toks" in expected)


@needs_items
def test_outcomes_say_what_was_asked(groups: Path):
    stub = Stub(lambda doc: "")
    for name, harness, shots in (("siqa", "social_iqa", 0), ("gsm8k", "gsm8k_cot", 8)):
        outcome = run_harness_task(stub, PHI2[name], local(limit=1))[0]
        assert (outcome.harness, outcome.shots) == (harness, shots)
    plain = Task(name="lm_eval:gsm8k", harness="gsm8k")
    outcome = run_harness_task(stub, plain, local(limit=1))[0]
    assert (outcome.task, outcome.harness, outcome.shots) == ("lm_eval:gsm8k", "gsm8k", 5)
    assert stub.prompts[-1].count("Question:") == 6
    task = GROUP.model_copy(update={"folder": str(groups)})
    (outcome,) = run_harness_task(stub, task, local(limit=1))
    assert (outcome.harness, outcome.shots) == ("two_subjects", 5)
    score = score_of(outcome)
    assert Score.from_dict(score.as_dict()) == score
    assert (score.harness, score.shots) == ("two_subjects", 5)
    fields = score.as_dict()
    del fields["harness"], fields["shots"]
    assert (Score.from_dict(fields).harness, Score.from_dict(fields).shots) == ("", None)
