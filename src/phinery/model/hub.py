"""From a hub id to a local folder, without ever fetching code or pickles."""

from __future__ import annotations

import os
import re
from pathlib import Path

from phinery.model.stored import CheckpointError

# Names, not endings: a repository may hold the same weights for other programs too.
_WANTED = [
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "manifest.json",
]
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


def resolve(path_or_hub_id: str | Path, *, revision: str | None = None) -> Path:
    """The folder of a model: the one that exists, or a download of `owner/name` from the hub.

    Of a run directory it is the model in it. What is already in huggingface_hub's cache is used
    without the network. `revision` is a branch, tag or commit of a hub model. Raises
    CheckpointError in one line when there is neither.
    """
    folder = Path(path_or_hub_id).expanduser()
    # os.path.exists, unlike Path.exists, is False for names that no file system takes.
    if os.path.exists(folder):
        if revision is not None:
            raise CheckpointError(f"{folder} is a local folder: it has no revision {revision!r}")
        inside = folder / "model"
        return inside if os.path.isfile(inside / "config.json") else folder
    name = str(path_or_hub_id)
    if not _HUB_ID.fullmatch(name):
        raise CheckpointError(
            f"there is no folder {name!r}, and it is not a hub id such as microsoft/phi-2 either"
        )
    return _download(name, revision)


def _download(hub_id: str, revision: str | None) -> Path:
    # huggingface_hub reads this once, when it is imported; what the user set stays.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = Path(
            huggingface_hub.snapshot_download(hub_id, revision=revision, allow_patterns=_WANTED)
        )
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{hub_id} asks for consent on the hub: accept its terms there, then `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"there is no folder {hub_id!r}, and no model {hub_id} on the hub (if it is private: "
            "`hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{hub_id} has no revision {revision!r} on the hub") from error
    # HTTPError is the HTTP client's own; which client that is differs by huggingface_hub's version.
    except (OSError, ValueError, errors.HTTPError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise CheckpointError(
            f"there is no folder {hub_id!r}, and {hub_id} is neither in the hub's cache on this "
            f"machine nor can it be fetched ({_first_line(error)})"
        ) from error
    if not any(folder.glob("model*.safetensors")):
        raise CheckpointError(
            f"{hub_id} has no safetensors weights on the hub, and nothing else is fetched (a .bin "
            "file is a pickle and can run code): give a `revision` that has them"
        )
    return folder


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
