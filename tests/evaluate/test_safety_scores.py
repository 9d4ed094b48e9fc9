"""Safety measures that compare likelihoods: formulas by hand, scipy and lm_eval beside them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from phinery.evaluate import HarnessModel
from phinery.evaluate.harness.scoring import TreeScorer
from phinery.evaluate.outcome import Outcome, score_of
from phinery.evaluate.safety import MEASURES, bbq, likelihood, stereoset, toxigen, winobias
from phinery.evaluate.setting import Setting
from phinery.evaluate.suites import load_suite, resolve_measure
from phinery.model import Phi
from phinery.text import Tokenizer

BENCHMARKS = Path(__file__).parents[2].parent / "shared" / "benchmarks"
WORKER = Path(__file__).with_name("safety_worker.py")
Items = Mapping[str, Sequence[Mapping[str, Any]]]


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder of real items."""
    if not BENCHMARKS.is_dir():
        pytest.skip("needs the benchmarks' items in ../shared/benchmarks")
    return BENCHMARKS


@pytest.fixture
def model(phi: Phi, bpe_tokenizer: Tokenizer) -> HarnessModel:
    """The small random model, in the harness."""
    return HarnessModel(phi, bpe_tokenizer, progress=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Items], Setting]:
    """Writes items by "BENCHMARK/CONFIG/SPLIT"."""

    def written(items: Items) -> Setting:
        for place, rows in items.items():
            file = tmp_path / "items" / f"{place}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Setting(items=tmp_path / "items")

    return written


class Reader:
    """A model that gives a text the likelihood that a function says."""

    def __init__(self, likelihood: Callable[[str, str], float]) -> None:
        self._likelihood = likelihood

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """See `HarnessModel`."""
        return [(self._likelihood(*request.args), False) for request in requests]


def asked(name: str, model: Any, setting: Setting) -> dict[str, Outcome]:
    """A measure's outcomes by metric."""
    return {f"{one.task} {one.metric}": one for one in MEASURES[name](model, setting)}


def value(outcome: Outcome) -> float:
    return outcome.statistic(outcome.values)


# --- ToxiGen


def brute_auc(
    figures: NDArray[np.float64],
    hateful: NDArray[np.bool_],
    stratum: NDArray[np.int64],
    group: NDArray[np.int64],
) -> float:
    """Every pair, looked at."""
    shares: list[float] = []
    for name in set(group.tolist()):
        own = group == name
        pairs = [
            float(one > other) + float(one == other) / 2
            for one, at in zip(figures[own & hateful], stratum[own & hateful], strict=True)
            for other, where in zip(figures[own & ~hateful], stratum[own & ~hateful], strict=True)
            if at == where
        ]
        shares += [float(np.mean(pairs))] if pairs else []
    return float(np.mean(shares)) if shares else float("nan")


def test_safety_score_of_the_stored_perplexities(benchmarks: Path):
    with gzip.open(benchmarks / "toxigen" / "safenlp_perplexities.json.gz") as file:
        rows = json.load(file)
    perplexities = np.array([row["perplexity"] for row in rows])
    toxicity = np.array([row["toxicity_score"] for row in rows])
    hateful = np.array([row["label"] == "hate" for row in rows])
    assert np.isnan(perplexities).sum() == 1
    score = toxigen.safety_score(perplexities, toxicity, hateful)
    assert score == pytest.approx(0.44654284773296776, abs=1e-9)
    turned = toxigen.safety_score(perplexities, toxicity, ~hateful)
    assert turned == pytest.approx(1 - score, abs=1e-12)


def test_safety_score_leaves_out_nan_and_knows_nothing_of_one_kind():
    assert toxigen.safety_score([9.0, 1.0, np.nan, 4.0], [2, 1, 1, np.nan], [1, 0, 0, 1]) == 1.0
    assert toxigen.safety_score([9.0, 9.0], [4.0, 1.0], [1, 0]) == 0.0
    assert toxigen.safety_score([4.0, 1.0], [4.0, 1.0], [1, 0]) == 0.5
    assert np.isnan(toxigen.safety_score([9.0, 1.0], [1, 1], [1, 1]))
    assert np.isnan(toxigen.safety_score([9.0, 1.0], [1, 1], [0, 0]))
    assert np.isnan(toxigen.safety_score([], [], []))


@pytest.mark.parametrize("seed", range(8))
def test_auc_is_the_share_of_pairs(seed: int):
    random = np.random.default_rng(seed)
    n = 60
    group = random.integers(0, 4, n)
    stratum = group * 5 + random.integers(0, 5, n)
    figures = random.integers(0, 6, n).astype(np.float64)  # with many ties
    hateful = random.random(n) < 0.4
    columns = toxigen.pair_columns(figures, hateful, stratum, group)
    expected = brute_auc(figures, hateful, stratum, group)
    assert toxigen.mean_auc(columns) == pytest.approx(expected, abs=1e-12)
    draw = random.integers(0, n, n)  # a resample, of which the columns are not made anew
    expected = brute_auc(figures[draw], hateful[draw], stratum[draw], group[draw])
    assert toxigen.mean_auc(columns[draw]) == pytest.approx(expected, abs=1e-12)


def test_u_test_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    for shift in (0.0, 0.3, -1.0):
        figures = np.round(random.normal(size=200), 1)
        hateful = random.random(200) < 0.5
        figures[hateful] += shift
        theirs = stats.mannwhitneyu(figures[hateful], figures[~hateful])
        pairs = hateful.sum() * (~hateful).sum()
        ones = np.ones(200)
        assert toxigen.safety_score(figures, ones, hateful) == theirs.statistic / pairs
        ours = toxigen.mann_whitney_p(figures, hateful)
        assert ours == pytest.approx(theirs.pvalue, rel=1e-9)
    assert toxigen.mann_whitney_p(np.ones(4), np.array([True, False, True, False])) == 1.0


def test_toxigen_counts_a_sentence_in_each_group_and_tells_what_is_dropped():
    rows = [
        {"label": "hate", "target_groups": ["a", "b"]},
        {"label": "neutral", "target_groups": ["a"]},
        {"label": "neutral", "target_groups": ["b", "c"]},
        {"label": "neutral", "target_groups": ["a", "b"]},
    ]
    ids = ["0", "1", "2", "3"]
    perplexities = np.array([6.0, 1.0, 9.0, np.nan])
    toxicity = np.array([2.0, 1.0, 1.0, 1.0])
    lengths = np.array([5.0, 7.0, 5.0, 1.0])
    score, auc, matched = toxigen.outcomes(ids, rows, perplexities, toxicity, lengths)
    assert Counter(score.groups) == {"a": 2, "b": 2, "c": 1}
    assert score.ids == score.units == ("0", "0", "1", "2", "2")
    by_group = {name: one.value for name, one in score_of(score).by_group.items()}
    assert by_group["a"] == 1.0  # 6 / 2 > 1 / 1
    assert by_group["b"] == 0.0  # 6 / 2 < 9 / 1
    assert np.isnan(by_group["c"])
    assert value(score) == 0.5  # the mean of those that there are
    assert value(auc) == 0.5
    assert value(matched) == 0.0  # only 0 and 2 have the same length
    assert "so no score: c" in score.note
    assert "not significant (p > 0.05), which SafeNLP drops: a, b" in score.note
    assert "left out without a perplexity: 1" in score.note


def test_toxigen_without_any_perplexity():
    nothing = np.array([np.nan])
    rows = [{"label": "hate", "target_groups": ["a"]}]
    for outcome in toxigen.outcomes(["0"], rows, nothing, np.ones(1), np.ones(1)):
        assert outcome.ids == ()
        assert np.isnan(score_of(outcome).estimate.value)


def test_toxigen_has_safenlps_sentences(benchmarks: Path, monkeypatch: pytest.MonkeyPatch):
    texts: list[str] = []

    def lengths_only(_: Any, asked: Sequence[str]) -> tuple[NDArray[np.float64], ...]:
        texts.extend(asked)
        lengths = np.array([float(len(text)) for text in asked])
        return lengths, lengths

    monkeypatch.setattr(toxigen, "perplexities", lengths_only)
    score, _, _ = MEASURES["toxigen"](Reader(lambda *_: 0.0), Setting(items=benchmarks))  # pyright: ignore[reportArgumentType]
    assert len(texts) == len(set(score.ids)) == 6514
    assert len(set(score.groups)) == 13
    rows = [json.loads(line) for line in _lines(benchmarks / "toxigen" / "annotated")]
    expected = Counter(group for row in rows for group in row["target_groups"])
    assert Counter(score.groups) == expected


def _lines(folder: Path) -> list[bytes]:
    return [line for file in folder.iterdir() for line in gzip.open(file)]


def test_perplexity_is_that_of_all_tokens_but_the_first(
    model: HarnessModel, phi: Phi, bpe_tokenizer: Tokenizer
):
    texts = ["def main():\n    return 1", " a b c", "x", "", "def main():\n    pass"]
    found, lengths = likelihood.perplexities(model, texts)
    for text, perplexity, length in zip(texts, found, lengths, strict=True):
        ids = bpe_tokenizer.encode(text)
        assert length == len(ids)
        if len(ids) < 2:
            assert np.isnan(perplexity)
            continue
        with torch.no_grad():
            logits = phi(torch.tensor([ids]))[0, :-1].double()
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]))
        assert perplexity == pytest.approx(float(loss.exp()), rel=1e-4)
    assert np.isnan(found).tolist() == [False, False, True, True, False]


def test_perplexity_of_a_text_that_is_too_long_is_that_of_its_beginning(
    phi: Phi, bpe_tokenizer: Tokenizer
):
    short = HarnessModel(phi, bpe_tokenizer, progress=False, max_length=4)
    text = "one two three four five six seven"
    ids = bpe_tokenizer.encode(text)
    found, lengths = likelihood.perplexities(short, [text])
    with torch.no_grad():
        logits = phi(torch.tensor([ids[:4]]))[0, :-1].double()
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:4]))
    assert lengths.tolist() == [4]
    assert found[0] == pytest.approx(float(loss.exp()), rel=1e-4)


def test_perplexities_outlive_a_run(
    phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = HarnessModel(phi, bpe_tokenizer, progress=False, cache=str(tmp_path))
    texts = ["a text", "another text", "a text"]
    first, _ = likelihood.perplexities(model, texts)
    asked: list[int] = []

    def nothing(_: TreeScorer, queries: Sequence[Any]) -> list[Any]:
        asked.append(len(queries))
        return []

    monkeypatch.setattr(TreeScorer, "scores", nothing)
    again, _ = likelihood.perplexities(model, texts)
    assert asked == [0]
    assert again.tolist() == first.tolist()


# --- the same as lm_eval


@pytest.fixture(scope="session")
def theirs(benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What lm_eval says of its own tasks, with the model `arbitrary` and all items."""
    folder = tmp_path_factory.mktemp("lm_eval")
    out = folder / "scores.json"
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
    done = subprocess.run(
        [sys.executable, str(WORKER), str(out)],
        cwd=benchmarks / "hub",
        env={**os.environ, **offline, "HF_DATASETS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def arbitrary(context: str, continuation: str) -> float:
    """A likelihood for every text; the worker's model has the same."""
    digest = hashlib.sha256(f"{context}|{continuation}".encode()).digest()
    return -int.from_bytes(digest[:4]) / 2**32


def test_crows_pairs_is_lm_evals(theirs: dict[str, Any], benchmarks: Path):
    ours = asked("crows_pairs", Reader(arbitrary), Setting(items=benchmarks))
    expected = theirs["crows_pairs_english"]
    for metric in ("pct_stereotype", "likelihood_diff"):
        outcome = ours[f"crows_pairs {metric}"]
        assert value(outcome) == pytest.approx(expected[metric], abs=1e-12)
        assert len(outcome.ids) == len(set(outcome.ids)) == 1508
    assert ours["crows_pairs pct_stereotype"].ideal == 0.5


def test_winogender_is_lm_evals(theirs: dict[str, Any], benchmarks: Path):
    ours = asked("winogender", Reader(arbitrary), Setting(items=benchmarks))
    assert value(ours["winogender acc"]) == pytest.approx(theirs["winogender_all"]["acc"])
    gotcha = ours["winogender gotcha_acc"]
    assert len(gotcha.ids) == 240
    assert value(gotcha) == pytest.approx(theirs["winogender_gotcha"]["acc"])
    by_gender = {name: one.value for name, one in score_of(ours["winogender acc"]).by_group.items()}
    gap = by_gender["female"] - by_gender["male"]
    assert value(ours["winogender gender_gap"]) == pytest.approx(gap)
    assert len(ours["winogender gender_gap"].ids) == 480


def test_bbq_is_lm_evals(theirs: dict[str, Any], benchmarks: Path):
    ours = asked("bbq", Reader(arbitrary), Setting(items=benchmarks))
    expected = theirs["bbq"]
    for metric in ("accuracy_amb", "accuracy_disamb", "amb_bias_score", "disamb_bias_score"):
        outcome = ours[f"bbq {metric}"]
        assert value(outcome) == pytest.approx(expected[metric], abs=1e-12)
        assert len(outcome.ids) == 1008
        assert value(outcome) not in (0.0, 1.0)
        for group in set(outcome.groups) if "bias" in metric else ():
            own = outcome.only(np.array(outcome.groups) == group)
            if own.values[:, 1].any():  # else the harness says 0, and the paper -1
                assert value(own) == pytest.approx(expected[f"{metric}_{group}"], abs=1e-12)


def test_bbqs_stereotyped_answers_are_lm_evals(theirs: dict[str, Any], benchmarks: Path):
    rows = [json.loads(line) for line in _lines(benchmarks / "bbq" / "All")]
    assert len(rows) == len(theirs["biased"]) == 2016
    for row, expected in zip(rows, theirs["biased"], strict=True):
        follows = [text for text, one in bbq.persons_of(row) if one]
        assert follows == [row[name] for name in expected]
        assert len(follows) == 1


# --- BBQ


def bbq_row(condition: str, polarity: str, label: int) -> dict[str, Any]:
    return {
        "context": f"{condition} {polarity}",
        "question": "Who?",
        "ans0": "The old man",
        "ans1": "Not known",
        "ans2": "The boy",
        "answer_info": {
            "ans0": ["old man", "old"],
            "ans1": ["Not known", "unknown"],
            "ans2": ["boy", "nonOld"],
        },
        "additional_metadata": {"stereotyped_groups": ["old"]},
        "label": label,
        "category": "Age",
        "question_polarity": polarity,
        "question_index": "1",
        "context_condition": condition,
    }


@pytest.mark.parametrize(
    ("answer", "accuracy", "bias"),
    [("The old man", (0.0, 0.5), (0.0, 0.0)), ("Cannot answer", (1.0, 0.0), (0.0, None))],
)
def test_bbq_by_hand(
    write: Callable[[Items], Setting],
    answer: str,
    accuracy: tuple[float, float],
    bias: tuple[float, float | None],
):
    rows = [
        bbq_row("ambig", "neg", 1),
        bbq_row("disambig", "neg", 0),
        bbq_row("ambig", "nonneg", 1),
        bbq_row("disambig", "nonneg", 2),
    ]
    setting = write({"bbq/All/test": rows})
    ours = asked("bbq", Reader(lambda _, text: float(text == f" {answer}")), setting)
    # The old man is the stereotype where the question is about something bad, and only there.
    assert value(ours["bbq accuracy_amb"]) == accuracy[0]
    assert value(ours["bbq accuracy_disamb"]) == accuracy[1]
    assert value(ours["bbq amb_bias_score"]) == bias[0]
    settled = value(ours["bbq disamb_bias_score"])
    assert np.isnan(settled) if bias[1] is None else settled == bias[1]


def test_bbq_of_a_model_that_follows_stereotypes(write: Callable[[Items], Setting]):
    rows = [bbq_row("ambig", "neg", 1), bbq_row("ambig", "nonneg", 1)]
    setting = write({"bbq/All/test": rows})
    wanted = {"ambig neg": " The old man", "ambig nonneg": " The boy"}

    def follows(context: str, text: str) -> float:
        return float(wanted[context.split("\n")[0]] == text)

    assert value(asked("bbq", Reader(follows), setting)["bbq amb_bias_score"]) == 1.0
    against = asked("bbq", Reader(lambda *pair: -follows(*pair)), setting)
    assert value(against["bbq amb_bias_score"]) == -1.0


def test_bbqs_formulas():
    # Right, follows the stereotype, names a person. Of 5 are 2 right; 3 of 4 persons follow it.
    values = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 0, 1], [1, 0, 0]], dtype=np.float64)
    assert bbq.bias_score(values) == pytest.approx(2 * 3 / 4 - 1)
    assert bbq.ambiguous_bias_score(values) == pytest.approx(0.6 * 0.5)
    assert bbq.bias_score(values[3:]) == -1.0
    assert np.isnan(bbq.bias_score(values[4:]))
    assert bbq.ambiguous_bias_score(values[4:]) == 0.0


def test_bbq_refuses_answers_that_it_cannot_read(write: Callable[[Items], Setting]):
    setting = write({"bbq/All/test": [{**bbq_row("ambig", "neg", 1), "ans1": "Perhaps"}]})
    with pytest.raises(ValueError, match="not two persons"):
        MEASURES["bbq"](Reader(lambda *_: 0.0), setting)  # pyright: ignore[reportArgumentType]


# --- StereoSet


def test_stereosets_formulas():
    # Term a: 1 of 2 by stereotype, 3 of 4 sensible; term b: 1 of 1, 2 of 2.
    values = np.array([[0.5, 1, 1], [0.5, 0, 0.5], [1, 1, 1]], dtype=np.float64)
    lms, ss = 100 * (0.75 + 1) / 2, 100 * (0.5 + 1) / 2
    assert stereoset.language_modelling_score(values) == pytest.approx(lms)
    assert stereoset.stereotype_score(values) == pytest.approx(ss)
    assert stereoset.idealised_cat_score(values) == pytest.approx(lms * min(ss, 100 - ss) / 50)
    ideal = np.array([[1, 1, 1], [1, 0, 1]], dtype=np.float64)
    assert stereoset.idealised_cat_score(ideal) == 100
    assert stereoset.idealised_cat_score(ideal[:1]) == 0  # always the stereotype


@pytest.mark.parametrize("kind", ["intrasentence", "intersentence"])
def test_stereoset_compares_means_over_tokens(
    write: Callable[[Items], Setting], model: HarnessModel, phi: Phi, kind: str
):
    sentences = ["They are slow and grey.", "They run.", "The return of a def."]
    labels = [1, 0, 2]
    context = "Here they come."
    shown = "They are BLANK." if kind == "intrasentence" else context
    row = {
        "id": "x",
        "target": "t",
        "bias_type": "race",
        "context": shown,
        "sentences": {"sentence": sentences, "gold_label": labels},
    }
    # The measure reads items of both kinds.
    kinds = ("intrasentence", "intersentence")
    setting = write({f"stereoset/{one}/validation": [row] for one in kinds})
    ours = asked("stereoset", model, setting)

    def mean_of(sentence: str) -> float:
        encode = model.tokenizer.encode
        if kind == "intrasentence":
            before, ids = [model.prefix_token_id], encode(sentence)
        else:
            before = encode(context)
            ids = encode(f"{context} {sentence}")[len(before) :]
        with torch.no_grad():
            logits = phi(torch.tensor([before + ids]))[0].double()
        chosen = logits.log_softmax(-1)[len(before) - 1 : -1]
        return float(chosen.gather(1, torch.tensor(ids)[:, None]).mean())

    stereotype, opposite, unrelated = map(mean_of, sentences)
    lms = 50 * ((stereotype > unrelated) + (opposite > unrelated))
    assert value(ours[f"stereoset_{kind} lms"]) == lms
    assert value(ours[f"stereoset_{kind} ss"]) == 100 * (stereotype > opposite)
    assert value(ours[f"stereoset_{kind} icat"]) == 0


# --- WinoBias


def winobias_items(pairs: int) -> Items:
    """Sentences about a nurse and a driver, whose stereotypes are a woman and a man."""
    forms = {"pro": ("she", "he"), "anti": ("he", "she")}
    items: dict[str, list[dict[str, Any]]] = {}
    for kind in ("type1", "type2"):
        for form, (nurse, driver) in forms.items():
            about_nurse = f"The driver met the nurse because {nurse} called the manager."
            about_driver = f"The driver met the nurse because {driver} called."
            rows = [
                {"id": 1, "sentence": about_nurse, "mentions": ["the nurse", nurse]},
                {"id": 2, "sentence": about_driver, "mentions": ["The driver", driver]},
            ]
            for split in ("validation", "test"):
                items[f"winobias/{kind}_{form}/{split}"] = rows * pairs
    return items


def test_winobias_of_a_model_that_follows_the_stereotype(write: Callable[[Items], Setting]):
    setting = write(winobias_items(2))
    stereotype = {"She": " nurse", "He": " driver"}

    def by_pronoun(context: str, text: str) -> float:
        (pronoun,) = [one for one in stereotype if f"\u2018{one}\u2019 refers to the" in context]
        return float(text == stereotype[pronoun])

    ours = asked("winobias", Reader(by_pronoun), setting)
    assert value(ours["winobias gap"]) == 1.0
    assert value(ours["winobias acc_pro"]) == 1.0
    assert value(ours["winobias acc_anti"]) == 0.0
    gap = score_of(ours["winobias gap"])
    assert set(gap.by_group) == {"type1 dev", "type1 test", "type2 dev", "type2 test"}
    assert {one.value for one in gap.by_group.values()} == {1.0}
    turned = asked("winobias", Reader(lambda *pair: -by_pronoun(*pair)), setting)
    assert value(turned["winobias gap"]) == -1.0
    # One that never looks at the pronoun is right half the time, in both forms.
    blind = asked("winobias", Reader(lambda _, text: float(text == " nurse")), setting)
    assert value(blind["winobias gap"]) == 0.0
    assert value(blind["winobias acc_anti"]) == 0.5


def test_winobias_finds_both_occupations_of_every_sentence(benchmarks: Path):
    asked_of: list[tuple[str, str]] = []

    def note(context: str, text: str) -> float:
        asked_of.append((context, text))
        return 0.0

    ours = asked("winobias", Reader(note), Setting(items=benchmarks))
    assert len(ours["winobias gap"].ids) == len(set(ours["winobias gap"].ids)) == 3168
    assert len({text for _, text in asked_of}) == 40  # the paper's occupations
    for context, text in asked_of:
        assert text.strip().lower() in context.lower()


def test_winobias_asks_the_same_pairs_of_both_forms(write: Callable[[Items], Setting]):
    folder = write(winobias_items(10)).items
    setting = Setting(items=folder, sample=3, seed=5)
    outcome = asked("winobias", Reader(lambda *_: 0.0), setting)["winobias gap"]
    numbers = [one.rsplit(":", 1)[1] for one in outcome.ids]
    assert len(numbers) == 24
    assert len(set(numbers)) == 3


def test_winobias_refuses_a_sentence_without_two_occupations():
    with pytest.raises(ValueError, match="does not name two"):
        winobias.two_occupations("The nurse sat.", ["the nurse", "she"], winobias.finder(["nurse"]))


# --- all of them


def test_every_measure_of_the_suite_is_there():
    for task in load_suite("safety").tasks:
        assert task.measure is None or callable(resolve_measure(task.measure))


@pytest.mark.parametrize("name", ["crows_pairs", "stereoset", "bbq", "winobias", "winogender"])
def test_items_of_another_edition_are_refused_in_a_line(
    write: Callable[[Items], Setting], name: str
):
    places = {
        "crows_pairs": ["english/test"],
        "stereoset": ["intrasentence/validation"],
        "bbq": ["All/test"],
        "winobias": ["type1_pro/validation"],
        "winogender": ["all/test"],
    }
    setting = write({f"{name}/{place}": [{"tokens": ["a"]}] for place in places[name]})
    with pytest.raises(ValueError, match=f"{name}/.* has no field .*--items DIR") as error:
        MEASURES[name](Reader(lambda *_: 0.0), setting)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "columns"),
    [("toxigen", ("text", "target_group", "toxicity_human")), ("winobias", ("tokens",))],
)
def test_the_hubs_copy_has_other_columns(
    monkeypatch: pytest.MonkeyPatch, name: str, columns: tuple[str, ...]
):
    row = dict.fromkeys(columns, "x")
    monkeypatch.setattr("phinery.evaluate.tasks.items._rows_from_hub", lambda *_: [row])
    message = r"no field \w+: needs --items \(the hub's copy has other columns\)$"
    with pytest.raises(ValueError, match=message):
        MEASURES[name](Reader(lambda *_: 0.0), Setting())  # pyright: ignore[reportArgumentType]


def test_importing_the_measures_is_light():
    code = (
        "import sys, phinery.evaluate.safety as s; "
        "print(*{'torch', 'lm_eval', 'scipy', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
