"""What a teacher says of every token of a split, kept on the disk beside the token shards.

A store is the directory of one split's shards and one teacher, with

- `plan.json`: what was asked of whom;
- `logprobs-00000.safetensors` and so on: for each token of the split the k likeliest next tokens
  ("ids", uint16 or uint32, (positions, k)), and their log-probabilities and the remainder's
  ("log_probs", float16, (positions, k + 1)), the teacher having seen the tokens up to that one;
- `manifest.json`: kind "teacher logprobs", the plan again, size and checksum of each file.

The teacher reads the split in windows that overlap, so that every token but the first ones has
`overlap` tokens before it at least. What it says of a token is thus a function of the split alone,
and serves every student, order of the samples and number of epochs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from phinery.data import TokenShards
from phinery.data.sampler import shards_sha256
from phinery.files import (
    MANIFEST,
    atomic_file,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
)
from phinery.train.teacher import LogProbSource, TopLogProbs

KIND = "teacher logprobs"
_PLAN = "plan.json"
# Tokens of a file: what a killed writer loses, and what a reader holds of a few files.
_FILE_TOKENS = 2**16
_MOST_LOADED = 64


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What a store holds; two writers with the same plan write the same store."""

    split: str
    tokens: int
    vocab_size: int
    eos_token_id: int
    shards_sha256: str
    top_k: int
    sequence_length: int
    overlap: int
    file_tokens: int
    teacher: Mapping[str, Any]

    @property
    def files(self) -> int:
        return -(-self.tokens // self.file_tokens)

    def bounds(self, number: int) -> tuple[int, int]:
        """First position of file `number`, and the one after its last."""
        start = number * self.file_tokens
        return start, min(start + self.file_tokens, self.tokens)


def write_teacher_logprobs(
    shards: TokenShards,
    teacher: LogProbSource,
    directory: str | Path,
    *,
    sequence_length: int,
    overlap: int | None = None,
    batch_size: int = 8,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Ask `teacher` for every token of `shards` once, and write the store `directory`.

    Stopped and called again it goes on with the file that it was writing.

    Parameters
    ----------
    sequence_length
        Tokens of the teacher's windows.
    overlap
        Tokens that a window has in common with the one before, half of them by default: the least
        that the teacher has seen. More is closer to what it can, and takes longer, by
        sequence_length / (sequence_length - overlap).
    batch_size
        Windows at once.
    on_progress
        Is told the positions done and those there are.

    Raises ValueError when the directory holds something else, or another teacher's store.
    """
    overlap = sequence_length // 2 if overlap is None else overlap
    if not 0 <= overlap < sequence_length:
        raise ValueError(f"overlap must be from 0 to {sequence_length - 1}, not {overlap}")
    if teacher.top_k >= shards.vocab_size:
        raise ValueError(f"top_k is {teacher.top_k}, but there are {shards.vocab_size} tokens")
    directory = Path(directory)
    plan = _Plan(
        split=shards.split,
        tokens=shards.num_tokens,
        vocab_size=shards.vocab_size,
        eos_token_id=shards.eos_token_id,
        shards_sha256=shards_sha256(shards),
        top_k=teacher.top_k,
        sequence_length=sequence_length,
        overlap=overlap,
        file_tokens=_FILE_TOKENS,
        teacher=teacher.fingerprint(),
    )
    _prepare(directory, plan)
    for number in range(plan.files):
        path = _file(directory, number)
        # Written whole or not at all, under a plan that is the same.
        if not path.is_file():
            with atomic_file(path) as temporary:
                save_file(_answers(shards, teacher, plan, number, batch_size), temporary)
        if on_progress is not None:
            on_progress(plan.bounds(number)[1], plan.tokens)
    if not (directory / MANIFEST).is_file():
        write_manifest(directory, kind=KIND, plan=dataclasses.asdict(plan))
    return directory


def _prepare(directory: Path, plan: _Plan) -> None:
    """Make the directory, or check that what stands in it is a part of this store."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / _PLAN
    wanted = json.loads(json.dumps(dataclasses.asdict(plan)))
    if not path.is_file():
        if any(not entry.name.startswith(".") for entry in directory.iterdir()):
            raise ValueError(f"{directory} holds something else: name another place")
        write_json(path, wanted)
        return
    found = read_json(path)
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise ValueError(
            f"{directory} holds what a teacher said under another plan ({', '.join(changed)} "
            "differs): name another place, or delete it"
        )


def _answers(
    shards: TokenShards, teacher: LogProbSource, plan: _Plan, number: int, batch_size: int
) -> dict[str, NDArray[Any]]:
    """The arrays of one file, checked and in the types in which they are kept."""
    first, last = plan.bounds(number)
    ids = np.zeros((last - first, plan.top_k), dtype=np.int64)
    log_probs = np.zeros((last - first, plan.top_k), dtype=np.float32)
    for group in _groups(_windows(plan, first, last), batch_size):
        inputs = np.stack([shards.read(start, stop) for start, stop, _ in group])
        answer_ids, answer = teacher(inputs, plan.eos_token_id)
        _check_answer(answer_ids, answer, (*inputs.shape, plan.top_k), plan.vocab_size)
        for row, (start, stop, wanted) in enumerate(group):
            place = slice(wanted - first, stop - first)
            ids[place] = answer_ids[row, wanted - start :]
            log_probs[place] = answer[row, wanted - start :]
    known = log_probs > -math.inf
    # What is not known is in the remainder: such an entry repeats the first token.
    ids = np.where(known, ids, ids[:, :1])
    total = np.exp(log_probs, dtype=np.float64, where=known, out=np.zeros(log_probs.shape)).sum(1)
    with np.errstate(divide="ignore"):
        remainder = np.log1p(-np.minimum(total, 1.0))
    return {
        "ids": ids.astype(np.uint16 if plan.vocab_size <= 2**16 else np.uint32),
        "log_probs": np.concatenate((log_probs, remainder[:, None]), 1).astype(np.float16),
    }


def _windows(plan: _Plan, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, first position that is wanted) of the windows over positions first to last.

    Every position that is not among the split's first has `overlap` tokens before it at least.
    """
    place = first
    while place < last:
        start = max(0, place - plan.overlap)
        stop = min(start + plan.sequence_length, last)
        yield start, stop, place
        place = stop


def _groups(
    windows: Iterator[tuple[int, int, int]], size: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Windows of equal length, `size` of them at once."""
    group: list[tuple[int, int, int]] = []
    for window in windows:
        if group and (len(group) == size or window[1] - window[0] != group[0][1] - group[0][0]):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def _check_answer(
    ids: NDArray[np.int64], log_probs: NDArray[np.float32], shape: tuple[int, ...], vocab_size: int
) -> None:
    """ValueError unless a teacher's answer is one."""
    if ids.shape != shape or log_probs.shape != shape:
        raise ValueError(f"the teacher gave {ids.shape} and {log_probs.shape} instead of {shape}")
    known = log_probs > -math.inf
    if np.isnan(log_probs).any() or (log_probs > 1e-3).any():
        raise ValueError("the teacher gave log-probabilities that are none")
    assert not (known[..., 1:] > known[..., :-1]).any(), "what is known comes first"
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"the teacher gave ids beyond the {vocab_size} of the tokenizer")
    # Ids that are not known get numbers of their own, as they may repeat others.
    unlike = np.sort(np.where(known, ids, -1 - np.arange(shape[-1])), axis=-1)
    if (np.diff(unlike, axis=-1) == 0).any():
        raise ValueError("the teacher gave a token twice for one position")


class TeacherStore:
    """A finished store, read where it is asked for. Make one with `open`."""

    def __init__(self, directory: Path, plan: _Plan) -> None:
        self.directory = directory
        self.plan = plan
        self._loaded: OrderedDict[int, dict[str, NDArray[Any]]] = OrderedDict()

    @classmethod
    def open(
        cls, directory: str | Path, shards: TokenShards, *, verify: bool = True
    ) -> TeacherStore:
        """Open the store of these shards; `verify` checks all checksums.

        Raises ValueError when it is unfinished, damaged, or of other shards.
        """
        directory = Path(directory)
        manifest = read_manifest(directory, verify=verify)
        if manifest.get("kind") != KIND:
            raise ValueError(f"{directory} does not hold what a teacher said, by its manifest")
        plan = _Plan(**manifest["plan"])
        store = cls(directory, plan)
        store.check_shards(shards)
        return store

    def check_shards(self, shards: TokenShards) -> None:
        """ValueError unless the store is that of these shards."""
        if (self.plan.shards_sha256, self.plan.split) != (shards_sha256(shards), shards.split):
            raise ValueError(
                f"{self.directory} holds what a teacher said of other text than "
                f"{shards.directory}: write it again"
            )

    def read(self, start: int, stop: int) -> TopLogProbs:
        """Ids (positions, k) and log-probabilities (positions, k + 1), the rest last, normalised.

        ValueError when the positions reach out of the split.
        """
        plan = self.plan
        if not 0 <= start <= stop <= plan.tokens:
            raise ValueError(f"positions {start} to {stop} are not in a split of {plan.tokens}")
        ids: list[NDArray[np.int64]] = []
        log_probs: list[NDArray[np.float32]] = []
        while start < stop:
            number, offset = divmod(start, plan.file_tokens)
            part = slice(offset, min(plan.file_tokens, offset + stop - start))
            arrays = self._arrays(number)
            ids.append(arrays["ids"][part].astype(np.int64))
            log_probs.append(arrays["log_probs"][part].astype(np.float32))
            start += part.stop - part.start
        kept = np.concatenate(log_probs)
        # As float16 they add up to 1 no longer.
        kept -= np.log(np.exp(kept).sum(1, keepdims=True))
        return np.concatenate(ids), kept

    def fingerprint(self) -> str:
        """One checksum of what was asked of whom."""
        text = json.dumps(dataclasses.asdict(self.plan), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _arrays(self, number: int) -> dict[str, NDArray[Any]]:
        if number in self._loaded:
            self._loaded.move_to_end(number)
        else:
            if len(self._loaded) >= _MOST_LOADED:
                self._loaded.popitem(last=False)
            self._loaded[number] = load_file(_file(self.directory, number))
        return self._loaded[number]


def _file(directory: Path, number: int) -> Path:
    return directory / f"logprobs-{number:05d}.safetensors"
