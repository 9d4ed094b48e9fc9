"""The harness's tasks, unmodified but for where their items come from.

Local files go through the JSON reader of the library that the harness reads with. It keeps
converted copies and does not notice when a file has changed, so each content has its own folder.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Before the harness's libraries are imported, which read these once: neither counts of use are
# sent, nor is each reading of a file a bar on the terminal. What the user set stays.
for _name, _value in (
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("HF_UPDATE_DOWNLOAD_COUNTS", "0"),
    ("HF_DATASETS_DISABLE_PROGRESS_BARS", "1"),
):
    os.environ.setdefault(_name, _value)

from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from lm_eval.tasks._factory import TaskFactory  # noqa: E402

from phinery.evaluate.tasks import squad  # noqa: E402
from phinery.evaluate.tasks.code import CodeJudge  # noqa: E402
from phinery.evaluate.tasks.items import (  # noqa: E402
    HUB_IDS,
    local_benchmarks,
    local_splits,
    rows_of_file,
)
from phinery.evaluate.tasks.names import harness_names, task_folder, tasks_folder  # noqa: E402

if TYPE_CHECKING:
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import Task

# What the harness's own command line uses.
FEW_SHOT_SEED = 1234


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a task's items are: `benchmark` is empty when its data set is none that we know."""

    benchmark: str
    config: str | None


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The harness's tasks by name, the places of their items, and the group when it is one."""

    tasks: dict[str, Any]
    places: dict[str, Place]
    group: Any | None


def unfit(error: Exception, task: str, place: Place | None, setting: Setting) -> ValueError | None:
    """What to say when items lack what a task asks of them; None for errors of other kinds."""
    is_template = type(error).__module__.startswith("jinja2.")
    # What ast.literal_eval says of a list of choices in which a field is missing.
    is_list = isinstance(error, ValueError) and str(error).startswith("malformed node")
    if not (is_template or is_list or isinstance(error, LookupError | TypeError | AttributeError)):
        return None
    folder = "the hub"
    if setting.items is not None:
        folder = str(setting.items / (place.benchmark if place else ""))
    what = f"the items of {task} in {folder}"
    if is_list:
        return ValueError(f"{what} have no choices: a field that the task reads is missing, add it")
    reason = _first_line(error)
    missing = re.fullmatch(
        r"'(\w+)'" if isinstance(error, KeyError) else r"'(\w+)' is undefined", reason
    ) or re.search(r"has no attribute '(\w+)'$", reason if is_template else "")
    if missing:
        return ValueError(f"{what} have no field {missing[1]!r}, which the task reads: add it")
    return ValueError(f"{what} are not as the task reads them: {reason}")


def load(task: Task, setting: Setting, judge: CodeJudge) -> Loaded:
    """The harness's task or group, with the examples that `task` asks for.

    Raises ValueError, in one line, when its items or a library that it needs are not there, or
    when it runs programs that the judge does not see.
    """
    assert task.harness is not None
    folder = task.folder or task_folder(task.harness) or harness_names().get(task.harness)
    if folder is None:
        setting.tell("reading the harness's list of tasks")
        manager = TaskManager()
    else:
        manager = TaskManager(include_path=[tasks_folder() / folder], include_defaults=False)
    if task.harness not in manager.task_index:
        near = difflib.get_close_matches(task.harness, manager.all_tasks, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"lm-evaluation-harness has no task {task.harness!r}{hint}")
    factory = _LocalFactory(task, setting)
    manager._factory = factory
    try:
        with judge.standing_in():
            loaded = manager.load([task.harness])
    except ImportError as error:
        raise ValueError(f"{task.name} needs a library that is not installed: {error}") from error
    except OSError as error:  # the hub is out of reach, or there is no sandbox
        raise ValueError(f"{task.name} cannot run here: {_first_line(error)}") from error
    except Exception as error:
        name = factory.building or task.harness
        told = unfit(error, name, factory.places.get(name), setting)
        if told is not None:
            raise told from error
        # The library that reads the files is the harness's, not ours to import: rows of different
        # shapes are an error of its own.
        if not type(error).__module__.startswith("datasets."):
            raise
        reason = _first_line(error.__cause__ or error)
        raise ValueError(f"the items of {task.name} cannot be read: {reason}") from error
    tasks: dict[str, Any] = dict(loaded["tasks"])
    for name, one in tasks.items():
        _check_fields(name, one, factory.places.get(name), setting)
        if getattr(one, "UNSAFE_CODE", False) and not judge.is_used:
            raise ValueError(
                f"{name} would run programs in this process, without a sandbox: use lm_eval itself"
            )
        # As in `lm_eval.simple_evaluate`: a task that says 0 itself has no examples.
        if one.get_config("num_fewshot") is None or (
            task.shots is not None and one.get_config("num_fewshot") != 0
        ):
            one.set_config("num_fewshot", task.shots or 0)
        one.set_fewshot_seed(FEW_SHOT_SEED)
    return Loaded(tasks, factory.places, loaded.get("groups", {}).get(task.harness))


def _check_fields(name: str, task: Any, place: Place | None, setting: Setting) -> None:
    """Refuse a task whose description names a field that its items lack.

    The harness takes such a name for the text itself: every item would have the answer "label".
    """
    fields = getattr(task, "features", None)
    if place is None or fields is None:
        return
    for key in ("doc_to_text", "doc_to_target", "doc_to_choice"):
        value = task.config[key]
        if isinstance(value, str) and value.isidentifier() and value not in fields:
            told = unfit(KeyError(value), name, place, setting)
            assert told is not None
            raise told


class _LocalFactory(TaskFactory):
    """Builds tasks that read local files; without a folder of items, those that it would anyway."""

    def __init__(self, task: Task, setting: Setting) -> None:
        super().__init__()
        self._task, self._setting = task, setting
        self.places: dict[str, Place] = {}
        self.building = ""

    def _load_full_config(
        self, entry: Any, overrides: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        if isinstance(config.get("task"), list):  # a group
            return config
        self.building = config["task"]
        task_class: Any = config.get("class")
        if getattr(task_class, "__name__", None) == "SQuAD2":
            task_class = config["class"] = squad.corrected(task_class)
        data_set = config.get("dataset_path") or getattr(task_class, "DATASET_PATH", None)
        name = config.get("dataset_name") or getattr(task_class, "DATASET_NAME", None)
        if not data_set or config.get("custom_dataset"):
            return config
        benchmark = self._benchmark(config["task"], str(data_set), name)
        self.places[config["task"]] = Place(benchmark, name)
        if self._setting.items is None:
            return config
        files = local_splits(benchmark, name, self._setting.items)
        if task_class is not None:
            config["class"] = _reading_locally(task_class, _reading(files))
            return config
        splits = _splits_of(config)
        for split in splits:
            if split not in files:
                raise ValueError(
                    f"{config['task']} needs {split}, but {self._setting.items / benchmark} has "
                    f"only {', '.join(files)}"
                )
        reading = _reading({split: files[split] for split in splits})
        return {**config, "dataset_path": "json", "dataset_kwargs": reading}

    def _benchmark(self, task: str, data_set: str, config: str | None) -> str:
        """The name of the folder with the items of a data set."""
        if self._task.items is not None:
            return self._task.items
        known = [name for name, hub_id in HUB_IDS.items() if hub_id == data_set]
        # Two benchmarks are configurations of one data set: ARC-Easy and ARC-Challenge.
        own = [name for name in known if name == str(config).lower().replace("-", "_")]
        if own or known:
            return (own or known)[0]
        if self._setting.items is None:
            return ""
        names = [data_set.rpartition("/")[2], task]
        there = local_benchmarks(self._setting.items)
        found = [name for name in names if name in there]
        if not found:
            raise ValueError(
                f"{self._setting.items} has no items of {task}: its data set is {data_set}, "
                f"looked for as {' or '.join(dict.fromkeys(names))}/[CONFIG/]SPLIT.jsonl[.gz]"
            )
        return found[0]


def _splits_of(config: Mapping[str, Any]) -> list[str]:
    """The splits that a task reads: of its items, and of its examples even if there are none."""
    asked = config.get("test_split") or config.get("validation_split")
    examples = config.get("fewshot_split")
    if examples is None and "samples" not in (config.get("fewshot_config") or {}):
        examples = config.get("training_split")
    return list(dict.fromkeys(split for split in (asked, examples) if split))


def _reading(files: Mapping[str, Path]) -> dict[str, Any]:
    """How the harness's library reads these files."""
    return {
        "data_files": {split: str(file) for split, file in files.items()},
        "cache_dir": str(_converted(files)),
    }


def _reading_locally(task_class: type[Any], reading: Mapping[str, Any]) -> type[Any]:
    """A task that is a class, with local files instead of its data set."""
    if not issubclass(task_class, ConfigurableTask):
        raise ValueError(f"{task_class.__name__} reads its data set itself: without --items only")

    class Local(task_class):
        DATASET_PATH = "json"

        def download(self, dataset_kwargs: Any = None, **settings: Any) -> None:
            super().download(dict(reading))

    return Local


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _converted(files: Mapping[str, Path]) -> Path:
    """A folder for the converted copies of these files with this content. Checks them once."""
    digest = hashlib.sha256()
    for split, file in sorted(files.items()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{split} {file} {content}\n".encode())
    home = os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_DATASETS_CACHE", Path(home) / "datasets"))
    folder = cache.expanduser() / "phinery" / digest.hexdigest()[:32]
    if not folder.is_dir():
        for file in files.values():
            for _ in rows_of_file(file):
                pass
    return folder
