"""datatrove's pipelines for the same steps: JSON lines, Gopher quality filter, MinHash 14 x 8.

It has no step for exact duplicates of documents (MinHash finds them), so it does one step less.
"""

# The package lives in an environment of its own, where the type checker does not look.
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.filters import GopherQualityFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from refining_worker import serve


def run(source: str, output: str) -> dict[str, int]:
    """The four stages of its MinHash example, one task and one worker each."""
    config = MinhashConfig(
        hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    folder = Path(output)

    def stage(name: str, steps: list[object], tasks: int = 1) -> None:
        LocalPipelineExecutor(
            pipeline=steps, tasks=tasks, workers=1, logging_dir=str(folder / "logs" / name)
        ).run()

    kept = str(folder / "kept")
    stage(
        "filter",
        [JsonlReader(source), GopherQualityFilter(), JsonlWriter(kept, compression="gzip")],
    )
    signatures, buckets, removed = (str(folder / name) for name in ("sig", "buckets", "remove"))
    stage("signature", [JsonlReader(kept), MinhashDedupSignature(signatures, config=config)])
    stage(
        "buckets",
        [MinhashDedupBuckets(signatures, output_folder=buckets, config=config)],
        tasks=config.num_buckets,
    )
    stage("cluster", [MinhashDedupCluster(buckets, output_folder=removed, config=config)])
    stage(
        "dedup",
        [
            JsonlReader(kept),
            MinhashDedupFilter(removed),
            JsonlWriter(str(folder / "out"), compression="gzip"),
        ],
    )
    return {name: _lines(folder / name) for name in ("kept", "out")}


def _lines(folder: Path) -> int:
    import gzip

    total = 0
    for path in folder.glob("*.jsonl.gz"):
        with gzip.open(path, "rb") as lines:
            total += sum(1 for _ in lines)
    return total


if __name__ == "__main__":
    serve(("datatrove", "numpy", "nltk"), run)
