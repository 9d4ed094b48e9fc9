"""Benchmarks' items with their ids, from a local folder or from the hub."""

from __future__ import annotations

import difflib
import gzip
import itertools
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from phinery.data.contamination import as_item
from phinery.evaluate.setting import Setting

HUB_IDS: Mapping[str, str] = {
    "arc_challenge": "allenai/ai2_arc",
    "arc_easy": "allenai/ai2_arc",
    "bbh": "SaylorTwift/bbh",
    "bbq": "oskarvanderwal/bbq",
    "bold": "AlexaAI/bold",
    "boolq": "aps/super_glue",
    "crows_pairs": "jannalu/crows_pairs_multilingual",
    "gsm8k": "openai/gsm8k",
    "hellaswag": "Rowan/hellaswag",
    "humaneval": "openai/openai_humaneval",
    "mathqa": "regisss/math_qa",
    "mbpp": "google-research-datasets/mbpp",
    "mmlu": "cais/mmlu",
    "openbookqa": "allenai/openbookqa",
    "piqa": "baber/piqa",
    "realtoxicityprompts": "allenai/real-toxicity-prompts",
    "social_iqa": "lighteval/siqa",
    "squadv2": "lighteval/squad_v2",
    "stereoset": "McGill-NLP/stereoset",
    "toxigen": "skg/toxigen-data",
    "truthfulqa": "truthfulqa/truthful_qa",
    "winobias": "wino_bias",
    "winogender": "oskarvanderwal/winogender",
    "winogrande": "allenai/winogrande",
    "wsc273": "lighteval/winograd_wsc",
}
"""Names of benchmarks' folders to the data sets on the Hugging Face hub that hold the items."""

_SEVERAL = frozenset({"bbh", "mmlu", "stereoset", "truthfulqa", "winobias", "winogender"})
"""Benchmarks of which several configurations are used, so that ids name the configuration."""

_PARQUET = "refs/convert/parquet"
_GIVE_ITEMS = "give a folder of benchmarks' items (--items DIR)"
_ENDINGS = (".jsonl", ".jsonl.gz")

Rows = list[dict[str, Any]]


def read_split(
    benchmark: str, config: str | None, split: str, setting: Setting
) -> tuple[list[str], Rows]:
    """All items of one split of a benchmark: their ids, and their rows.

    The ids are those of `phinery.data.contamination.read_items`: a field of the item, or
    "SPLIT:ROW", or "CONFIG/SPLIT:ROW" where the benchmark has several configurations. The items are
    `NAME/[CONFIG/]SPLIT.jsonl[.gz]` in `setting.items`. Without a folder they come from the hub's
    conversion of the data set to Parquet, through huggingface_hub's cache. Without `config` it is
    the folder's only one, or the one that the hub calls "default".

    Raises ValueError, in one line, for what is not there or cannot be read.
    """
    if setting.items is None:
        if setting.offline:
            raise ValueError(f"the items of {benchmark} are not here: {_GIVE_ITEMS}")
        rows = _rows_from_hub(benchmark, config or "default", split)
    else:
        files = local_splits(benchmark, config, setting.items)
        if split not in files:
            name = f"{benchmark}/{config}" if config else benchmark
            raise ValueError(f"{setting.items} has no {split} of {name}: it has {', '.join(files)}")
        rows = list(rows_of_file(files[split]))
    return item_ids(rows, benchmark, config, split, setting), rows


def item_ids(
    rows: Iterable[Mapping[str, Any]],
    benchmark: str,
    config: str | None,
    split: str,
    setting: Setting,
) -> list[str]:
    """The ids of a split's rows, all of them in their order; see `read_split`."""
    if setting.items is None:
        place = f"{config}/{split}" if benchmark in _SEVERAL else split
    else:
        folder = _folder(benchmark, setting.items)
        own = local_splits(benchmark, config, setting.items)[split].parent.relative_to(folder)
        several = len({file.parent for file in _files(folder)}) > 1
        place = (own / split).as_posix() if several else split
    return [as_item(row, benchmark, f"{place}:{number}").id for number, row in enumerate(rows)]


def local_splits(benchmark: str, config: str | None, items: Path) -> dict[str, Path]:
    """The files of a benchmark's configuration by split. Raises ValueError when there is none."""
    folder = _folder(benchmark, items)
    by_config: dict[str, dict[str, Path]] = {}
    for file in sorted(_files(folder)):
        splits = by_config.setdefault(file.parent.relative_to(folder).as_posix(), {})
        splits[file.name.split(".")[0]] = file
    # The configuration called "default" has no folder of its own; without a name it is the only
    # one, beside which loose files may lie.
    if config in (None, "default") and "." in by_config:
        own = "."
    elif config is None:
        own = min(by_config.keys() - {"."}) if len(by_config.keys() - {"."}) == 1 else None
    else:
        own = config
    if own is None or own not in by_config:
        names = [f"{one}" for one in by_config if one != "."]
        there = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        wanted = f"configuration {config!r}" if config else "single configuration"
        raise ValueError(f"{folder} has no {wanted}: it has {there or 'no configurations'}")
    return by_config[own]


def local_benchmarks(items: Path) -> list[str]:
    """Names of the benchmarks in a folder of items. Raises ValueError when there is none."""
    root = items.expanduser()
    if not root.is_dir():
        raise ValueError(f"there is no folder {items}: name a folder of benchmarks' items")
    names = sorted(folder.name for folder in root.iterdir() if next(_files(folder), None))
    if not names:
        raise ValueError(f"{items} has no benchmarks: it needs NAME/[CONFIG/]SPLIT.jsonl[.gz]")
    return names


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.name.endswith(_ENDINGS))


def _folder(benchmark: str, items: Path) -> Path:
    root = items.expanduser()
    folder = root / benchmark
    if next(_files(folder), None) is None:
        names = local_benchmarks(root)
        near = difflib.get_close_matches(benchmark, names, 1)
        hint = f"; did you mean {near[0]}?" if near else f": it has {', '.join(names)}"
        raise ValueError(f"{items} has no items of {benchmark}{hint}")
    return folder


def rows_of_file(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a .jsonl or .jsonl.gz file. Raises ValueError for what is none."""
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("it is not an object")
                yield row
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is not JSON, an object a line ({error}): mend it") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}): name another") from error


def _rows_from_hub(benchmark: str, config: str, split: str) -> Rows:
    if benchmark not in HUB_IDS:
        near = difflib.get_close_matches(benchmark, HUB_IDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(HUB_IDS))}"
        raise ValueError(f"no data set on the hub is known for {benchmark}; {hint}")
    import pyarrow.parquet

    rows: Rows = []
    for number in itertools.count():
        file = _hub_file(HUB_IDS[benchmark], f"{config}/{split}/{number:04d}.parquet", number > 0)
        if file is None:
            break
        rows += pyarrow.parquet.read_table(file).to_pylist()
    return rows


def _hub_file(hub_id: str, name: str, may_lack: bool) -> str | None:
    """A file of a data set; None where there is none and it may lack."""
    # huggingface_hub reads this once, when it is imported; what the user set stays.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return huggingface_hub.hf_hub_download(hub_id, name, repo_type="dataset", revision=_PARQUET)
    except (OSError, ValueError, errors.EntryNotFoundError, errors.HTTPError) as error:  # pyright: ignore[reportPrivateImportUsage]
        if may_lack and isinstance(error, errors.EntryNotFoundError):
            # Without the network, what is not in the cache may still be on the hub. The cache
            # remembers the names that the hub said it has not.
            is_offline = isinstance(error, errors.LocalEntryNotFoundError)
            known = huggingface_hub.try_to_load_from_cache(
                hub_id, name, repo_type="dataset", revision=_PARQUET
            )
            if not is_offline or known is huggingface_hub._CACHED_NO_EXIST:
                return None
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{name} of {hub_id} is neither in the hub's cache on this machine nor can it be "
            f"fetched ({reason}): {_GIVE_ITEMS}"
        ) from error
