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


class Pretrain(Table):
    """One phase of training on the corpus; a recipe may have several, run in file order."""

    model: str = Field(description="the model's preset: nano, micro, mini, small, phi-1, ...")
    tokens: Count = Field(description="tokens to train on; more than the corpus has means epochs")
    vocab_size: Count | None = Field(
        None, description="rows of the embedding; by default as many as the tokenizer has tokens"
    )
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


class Evaluate(Table):
    """What is measured at the end."""

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
    tokenizer: Tokenizer | None = None
    pretrain: Annotated[tuple[Pretrain, ...], Field(strict=False)] = ()
    evaluate: Evaluate | None = None

    # Dotted key -> where its value came from: "default", the file's name or "--set".
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> Recipe:
        if self.pretrain and self.tokenizer is None:
            raise ValueError("[[pretrain]] needs a [tokenizer] table")
        if self.evaluate is not None and not self.pretrain:
            raise ValueError("[evaluate] needs a [[pretrain]] table")
        models = {phase.model for phase in self.pretrain}
        if len(models) > 1:
            names = ", ".join(sorted(models))
            raise ValueError(f"every [[pretrain]] goes on with the same model, not with {names}")
        return self

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
