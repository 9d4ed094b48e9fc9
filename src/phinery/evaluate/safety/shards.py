"""The token shards that a model was trained on, of one source or of all a run's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phinery.data.shards import TokenShards
from phinery.evaluate.safety.copies import Ints
from phinery.evaluate.safety.missing import Missing
from phinery.evaluate.setting import Setting
from phinery.files import MANIFEST

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel


class TrainingText:
    """One split of several sets of shards, one after the other, read as if they were one."""

    def __init__(self, parts: list[TokenShards]) -> None:
        assert parts
        self._parts = parts
        self._ends = np.cumsum([part.num_tokens for part in parts])
        self.num_tokens = int(self._ends[-1])
        self.eos_token_id = parts[0].eos_token_id

    def read(self, start: int, stop: int) -> Ints:
        """Tokens from `start` to before `stop`, which must not be beyond the end."""
        assert 0 <= start <= stop <= self.num_tokens
        pieces: list[Ints] = []
        for part, end in zip(self._parts, self._ends.tolist(), strict=True):
            begin = end - part.num_tokens
            low, high = max(start, begin), min(stop, end)
            if low < high:
                pieces.append(part.read(low - begin, high - begin))
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def training_shards(model: HarnessModel, setting: Setting, split: str) -> TrainingText:
    """The setting's shards, or, where a split has none, those of a mixture's sources below.

    Raises `Missing` without shards, ValueError when another tokenizer made them. Of their files
    only the sizes are checked: they were verified when the model was trained.
    """
    if setting.shards is None:
        raise Missing("needs the token shards that the model was trained on (--shards DIR)")
    folders = [setting.shards]
    parts = [TokenShards.open(setting.shards, split, verify=False)]
    if not parts[0].num_tokens:
        folders += sorted(file.parent for file in setting.shards.glob(f"*/{MANIFEST}"))
        parts += [TokenShards.open(folder, split, verify=False) for folder in folders[1:]]
    for folder, part in zip(folders, parts, strict=True):
        if part.manifest.get("tokenizer_sha256") != model.tokenizer.sha256:
            raise ValueError(
                f"{folder} was encoded with another tokenizer: give the shards that this model "
                "was trained on"
            )
    return TrainingText(parts)
