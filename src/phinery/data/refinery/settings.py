"""What a refining is told: which steps run, and how strict they are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class RefineSettings:
    """The steps of the refinery and their limits. ValueError for a value that makes no sense."""

    languages: tuple[str, ...] = ("en",)
    """ISO 639-1 codes of the languages to keep; empty keeps all and detects none."""
    heuristics: bool = True
    """Drop what the rules of Gopher, C4 and FineWeb find to be no prose, and no code."""
    repetition: bool = True
    """Drop texts that repeat their lines, paragraphs or phrases, by Gopher's rules."""
    privacy: bool = True
    """Mask addresses, numbers and keys that belong to people."""
    quality: bool = True
    """Rate educational value and teachability."""
    scorer: str | None = None
    """A scorer's file, as `retrain` writes it; by default the one that ships with the package."""
    keep: float = 0.6
    """Share of every source that is kept, the best by the mean of its two scores."""
    floor: float = 0.0
    """Least mean score of a kept document, 0 to 5; source code is not held to it."""
    exact: bool = True
    """Drop texts that occur before, to the letter."""
    near: bool = True
    """Drop near-duplicates, the best of each cluster excepted."""
    agreement: float = 0.6
    """Share of the MinHash signature in which near-duplicates agree, at least."""
    benchmarks: str | None = None
    """A folder of benchmarks' items; documents that hold one are dropped."""
    extractor: Literal["fast", "precise"] = "fast"
    """How text is taken out of web pages; precise needs trafilatura."""
    shard_bytes: int = 16_000_000
    """Text of a shard: the unit that is held in memory and committed at once."""

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("keep", "agreement"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}: it is a share, more than 0 and at most 1")
        if not 0 <= self.floor <= 5:
            raise ValueError(f"floor is {self.floor}: scores go from 0 to 5")
        if self.shard_bytes < 1:
            raise ValueError(f"shard_bytes is {self.shard_bytes}: a shard holds text")
        if self.extractor not in ("fast", "precise"):
            raise ValueError(f"extractor is {self.extractor!r}: there are fast and precise")
        for code in self.languages:
            if len(code) != 2 or not code.isascii() or not code.islower():
                raise ValueError(f"{code!r} is no ISO 639-1 code: write two letters, such as en")
        if self.scorer is not None and not Path(self.scorer).expanduser().is_file():
            raise ValueError(f"there is no scorer at {self.scorer}: name a .safetensors file")
        if self.benchmarks is not None and not Path(self.benchmarks).expanduser().exists():
            raise ValueError(f"there are no benchmarks at {self.benchmarks}: name a folder of them")
        for name in ("scorer", "benchmarks"):
            if (path := getattr(self, name)) is not None:
                # A worker may stand elsewhere.
                object.__setattr__(self, name, str(Path(path).expanduser().resolve()))

    def values(self) -> dict[str, object]:
        """Name -> value, as JSON holds it."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**shown, "languages": list(self.languages)}

    @classmethod
    def from_values(cls, values: dict[str, object]) -> RefineSettings:
        """The settings that `values` gave."""
        known = dict(values)
        languages = known.pop("languages")
        assert isinstance(languages, list)
        return cls(**known, languages=tuple(languages))  # pyright: ignore[reportArgumentType]
