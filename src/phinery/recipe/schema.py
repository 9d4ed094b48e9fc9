"""What a recipe may say: one frozen pydantic model a table, unknown and wrong keys are errors."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

_MAGNITUDES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_COUNT = re.compile(r"(?P<number>\d[\d_]*(\.\d+)?)\s*(?P<magnitude>[kKmMbBtT]?)")


def parse_count(value: object) -> object:
    """Turn "300k", "2M", "1.4T" into the whole number it means; a number passes as it is.

    Raises ValueError for text that is no such count.
    """
    if not isinstance(value, str):
        return value
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a count: write a number such as 250000, '300k' or '2M'")
    number = float(match["number"].replace("_", "")) * _MAGNITUDES[match["magnitude"].lower()]
    return round(number)


def format_count(count: float) -> str:
    """The short form of a count: 1_234_567 becomes "1.23M"."""
    for magnitude, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= 0.9995 * magnitude:
            return f"{count / magnitude:.3g}{letter}"
    return f"{count:.0f}"


Count = Annotated[int, BeforeValidator(parse_count), Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]


Weights = (
    Annotated[float, Field(ge=0)]
    | Annotated[tuple[Share, Annotated[float, Field(ge=0)]], Field(strict=False)]
)
PROCEDURAL = "procedural"
"""The teacher that needs neither network nor model."""
HUB = "hub"
"""Where benchmarks' items are that no folder holds."""
SOURCES = ("corpus", "refine", "synthesize", "primer")
"""What a mixture can draw on."""


class Table(BaseModel):
    """A table of the recipe: frozen, typed strictly, closed against unknown keys."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Corpus(Table):
    """Where the documents come from."""

    path: str = Field(
        min_length=1,
        description='a file or folder of documents, or "machine": the text every machine has',
    )
    held_out: float = Field(
        0.01, gt=0, le=0.5, description="share of the documents that is kept for scoring"
    )


class Refine(Table):
    """Which documents of the corpus are worth training on."""

    languages: Texts = Field(
        ("en",), description="ISO 639-1 codes of the languages to keep; an empty list keeps all"
    )
    heuristics: bool = Field(
        True, description="drop what is no prose, and no source code, by published rules"
    )
    repetition: bool = Field(True, description="drop texts that repeat themselves")
    privacy: bool = Field(True, description="mask addresses, numbers and keys that are private")
    quality: bool = Field(True, description="rate educational value and teachability")
    scorer: str | None = Field(
        None, description="a scorer's file that `phinery refine --annotate` made"
    )
    keep: float = Field(
        0.6, gt=0, le=1, description="share of each source that is kept, the best by both scores"
    )
    floor: float = Field(0.0, ge=0, le=5, description="least mean score; code is not held to it")
    exact: bool = Field(True, description="drop texts that occur twice")
    near: bool = Field(True, description="drop near-duplicates, the best of each cluster excepted")
    agreement: float = Field(
        0.6, gt=0, le=1, description="share of the signature in which near-duplicates agree"
    )
    benchmarks: str | None = Field(
        None, description="a folder of benchmarks' items: documents that hold one are dropped"
    )
    engine: str = Field("embedded", description="embedded, ray, or the address of a Ray cluster")
    workers: int | None = Field(None, ge=1, description="processes; by default one for each core")


class Synthesize(Table):
    """Textbooks from a teacher: the procedural one that comes with us, or a language model."""

    teacher: str = Field(
        "procedural", min_length=1, description="procedural, or the URL of an OpenAI-compatible API"
    )
    tokens: Count = Field(description="about how much to write, at 4 bytes a token")
    model: str | None = Field(None, description="the model to ask at the teacher's URL")
    run_code: bool = Field(
        False, description="run the tests of the teacher's code exercises, and so accept them"
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="limit of the teacher's endpoint"
    )
    tokens_per_minute: int | None = Field(None, ge=1, description="limit of the teacher's endpoint")
    concurrency: int = Field(8, ge=1, description="requests under way at once")
    input_price: float | None = Field(None, ge=0, description="per million tokens of prompts")
    output_price: float | None = Field(None, ge=0, description="per million tokens of answers")
    keep: float = Field(1.0, gt=0, le=1, description="share that is kept, the best by both scores")
    benchmarks: str | None = Field(
        None, description="a folder of benchmarks' items: documents that hold one are dropped"
    )

    @model_validator(mode="after")
    def _a_model_is_named(self) -> Synthesize:
        if self.teacher != PROCEDURAL and self.model is None:
            raise ValueError("name the model to ask at the teacher's URL: model = ...")
        return self


class Tokenizer(Table):
    """How text becomes tokens: train a tokenizer, or take one."""

    vocab_size: int | None = Field(
        None, ge=257, le=2**20, description="tokens of the byte-level BPE tokenizer to train"
    )
    sample: Count = Field(
        20_000_000, description="characters of the corpus that the tokenizer is trained on, at most"
    )
    path: str | None = Field(None, description="a folder of tokenizer files to use instead")

    @model_validator(mode="after")
    def _one_of_two(self) -> Tokenizer:
        if (self.vocab_size is None) == (self.path is None):
            raise ValueError("give either vocab_size (train a tokenizer) or path (use one)")
        return self


Weight = Annotated[float, Field(ge=0)] | Annotated[tuple[Weights, ...], Field(strict=False)]


class Mixture(Table):
    """What training draws on: a weight for each source, or weights that change on the way.

    A weight is a number; or [first, last], between which it goes in a straight line; or a list of
    [progress, weight] points.
    """

    corpus: Weight | None = Field(None, description="weight of the corpus as it was read")
    refine: Weight | None = Field(None, description="weight of the refined corpus")
    synthesize: Weight | None = Field(None, description="weight of the synthetic text")
    primer: Weight | None = Field(
        None, description="weight of the Primer, the textbook that comes with Phinery"
    )
    epochs: float | None = Field(
        None, gt=0, description="most times that a source is seen; others make up for it"
    )
    anneal: Share = Field(0.0, description="last share of the training that is on `best` alone")
    best: Texts = Field(("primer",), description="sources of the last share, by their weights")
    by_difficulty: Texts = Field((), description="sources that go from easy to hard")

    @property
    def weights(self) -> dict[str, Any]:
        """Source -> weight, for the sources that have one, in the order of SOURCES."""
        found = {name: getattr(self, name) for name in SOURCES}
        return {name: weight for name, weight in found.items() if weight is not None}

    @model_validator(mode="after")
    def _sources_have_weights(self) -> Mixture:
        if self.corpus is not None and self.refine is not None:
            raise ValueError(
                "corpus holds what refine keeps, held-out documents among it: give a weight to one"
            )
        if not self.weights:
            raise ValueError(f"give a weight to one source at least: {', '.join(SOURCES)}")
        named = {"by_difficulty": self.by_difficulty, "best": self.best if self.anneal else ()}
        for key, names in named.items():
            for name in names:
                if name not in self.weights:
                    raise ValueError(f"{key} names {name!r}, which has no weight")
        return self


class Training(Table):
    """How a phase of training goes, whatever model it begins with."""

    tokens: Count = Field(description="tokens to train on; more than the corpus has means epochs")
    sequence_length: int = Field(256, ge=8, description="tokens of a training window")
    batch_size: int = Field(16, ge=1, description="windows of an optimiser step")
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="windows in memory at once; by default the whole batch on a GPU, "
        "about 2,048 tokens on a CPU",
    )
    learning_rate: float = Field(1e-3, gt=0, description="the peak of the schedule")
    schedule: Literal["constant", "linear", "cosine", "warmup-stable-decay"] = Field(
        "warmup-stable-decay", description="how the learning rate goes after the warm-up"
    )
    warmup: Share = Field(0.02, description="share of the steps in which the rate rises from 0")
    decay: Share = Field(0.2, description="share of the steps in which warmup-stable-decay falls")
    floor: Share = Field(0.0, description="where the rate ends, as a share of the peak")
    weight_decay: float = Field(0.1, ge=0, description="AdamW's, on matrices only")
    betas: Annotated[tuple[float, float], Field(strict=False)] = Field(
        (0.9, 0.98), description="AdamW's"
    )
    eps: float = Field(1e-7, gt=0, description="AdamW's")
    gradient_clip: float = Field(1.0, gt=0, description="largest norm of a step's gradient")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the matrix products; auto measures which is faster here"
    )
    compile: bool | Literal["auto"] = Field(
        "auto", description="compile the element-wise arithmetic; auto does for long trainings"
    )
    separate_documents: bool = Field(
        False, description="keep documents in a window from attending to each other"
    )
    evaluations: int = Field(10, ge=0, description="held-out scores taken during the training")
    evaluation_tokens: Count = Field(32_768, description="held-out tokens of such a score, at most")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")


class _NewModel(Table):
    model: str = Field(description="the model's preset: nano, micro, mini, small, phi-1, ...")
    vocab_size: Count | None = Field(
        None, description="rows of the embedding; by default as many as the tokenizer has tokens"
    )


class _TaughtModel(Table):
    teacher: str | None = Field(
        None,
        min_length=1,
        description="a model with the same tokenizer to learn from as well: a folder, a run, a hub "
        "id, or an earlier phase",
    )
    teacher_weight: Share = Field(
        0.5, description="share of the loss that is the divergence from the teacher"
    )
    teacher_temperature: float = Field(
        1.0, gt=0, description="above 1 the teacher's unlikely tokens count for more"
    )

    @model_validator(mode="after")
    def _there_is_a_teacher(self) -> _TaughtModel:
        if self.teacher is None and (self.teacher_weight, self.teacher_temperature) != (0.5, 1.0):
            raise ValueError("teacher_weight and teacher_temperature do nothing without a teacher")
        return self


class Pretrain(_TaughtModel, Training, _NewModel):
    """One phase of training on the corpus; a recipe may have several, run in file order."""


class _GrownModel(Table):
    to: str = Field(
        min_length=1,
        description="the larger shape: a preset, or a JSON file with the keys of a config.json",
    )
    method: Literal["lossless", "tile", "stack", "random"] = Field(
        "lossless", description="how the phase before lives on in it: see growth.md"
    )
    moments: Literal["fresh", "carried"] = Field(
        "fresh", description="AdamW's moments: from zero, or grown as the weights are"
    )


class Grow(Training, _GrownModel):
    """The model of the phase before made larger, and trained on; there may be several.

    The learning rate warms up again, as in every phase: `warmup = 0` leaves that out.
    """


class Evaluate(Table):
    """What is measured at the end."""

    suites: Texts = Field(
        (), description="nano, safety, phi2, or tasks of lm-evaluation-harness by their names"
    )
    items: str | None = Field(
        None,
        min_length=1,
        description='a folder of benchmarks\' items, or "hub"; without, what needs them is skipped',
    )
    sample: int | None = Field(
        None, ge=1, description="items of each task, drawn by the seed; by default all"
    )
    every_phase: bool = Field(
        True, description="ask the suites before training and after each phase, not only at the end"
    )
    prompts: Texts = Field(
        ("def", "import", "class", "The"), description="texts that the model continues"
    )
    max_tokens: int = Field(96, ge=1, description="tokens of each continuation, at most")
    temperature: float = Field(0.8, ge=0, description="0 always takes the likeliest token")
    top_p: float = Field(0.95, gt=0, le=1, description="probability mass that is sampled from")
    baseline: Count = Field(
        64_000_000, description="bytes of training text up to which `xz -9` is compared"
    )


class Recipe(Table):
    """A model's whole life. A table that is absent is a stage that doesn't run."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the run directory, runs/NAME"
    )
    seed: int = Field(1, ge=0, lt=2**63, description="decides every random choice")
    corpus: Corpus
    refine: Refine | None = None
    synthesize: Synthesize | None = None
    tokenizer: Tokenizer | None = None
    mixture: Mixture | None = None
    pretrain: Annotated[tuple[Pretrain, ...], Field(strict=False)] = ()
    grow: Annotated[tuple[Grow, ...], Field(strict=False)] = ()
    evaluate: Evaluate | None = None

    # Dotted key -> where its value came from: "default", the file's name or "--set".
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> Recipe:
        if self.pretrain and self.tokenizer is None:
            raise ValueError("[[pretrain]] needs a [tokenizer] table")
        if self.evaluate is not None and not self.pretrain:
            raise ValueError("[evaluate] needs a [[pretrain]] table")
        if self.grow and not self.pretrain:
            raise ValueError("[[grow]] needs a [[pretrain]] table: what is to grow must be there")
        if self.mixture is not None:
            for name in ("refine", "synthesize"):
                if name in self.mixture.weights and getattr(self, name) is None:
                    raise ValueError(f"[mixture] gives a weight to {name}: add a [{name}] table")
        if self.synthesize is not None and "synthesize" not in self.sources:
            raise ValueError("nothing reads what [synthesize] makes: give it a weight in [mixture]")
        models = {phase.model for phase in self.pretrain}
        if len(models) > 1:
            names = ", ".join(sorted(models))
            raise ValueError(f"every [[pretrain]] goes on with the same model, not with {names}")
        names = list(self.phases)
        for number, phase in enumerate(self.pretrain):
            if phase.teacher in names[number:]:
                raise ValueError(
                    f"[[pretrain]] teacher = {phase.teacher!r} is not an earlier phase of "
                    f"{names[number]}"
                )
        return self

    @property
    def phases(self) -> dict[str, Pretrain | Grow]:
        """Directory of a phase of training -> its table, in order: pretrain, pretrain-2, grow."""
        found: dict[str, Pretrain | Grow] = {}
        for name, tables in (("pretrain", self.pretrain), ("grow", self.grow)):
            for number, table in enumerate(tables):
                found[f"{name}-{number + 1}" if number else name] = table
        return found

    @property
    def sources(self) -> tuple[str, ...]:
        """What tokenizer and training draw on: the mixture's sources, or the last stage of text."""
        if self.mixture is not None:
            return tuple(self.mixture.weights)
        return ("refine",) if self.refine is not None else ("corpus",)

    @classmethod
    def load(cls, source: str, overrides: tuple[str, ...] | list[str] = ()) -> Recipe:
        """Read a recipe: a shipped one by name, or a TOML file by path; see `load.load_recipe`."""
        from phinery.recipe.load import load_recipe

        return load_recipe(source, overrides)

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key -> "default", the file's name or "--set"."""
        return dict(self._origins)

    def with_origins(self, origins: dict[str, str]) -> Recipe:
        """The same recipe that remembers where its values came from."""
        copy = self.model_copy()
        copy._origins = origins
        return copy

    def flat(self) -> dict[str, Any]:
        """Dotted key -> value for every key of every table present, None where there is none."""
        tables = {key: value for key, value in self.model_dump().items() if value is not None}
        return flatten(tables)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted paths of a recipe's leaves; entries of an array of tables are numbered from 0."""
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return {prefix: value}
    return {
        path: leaf
        for key, item in items
        for path, leaf in flatten(item, f"{prefix}.{key}" if prefix else key).items()
    }
