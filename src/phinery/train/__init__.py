"""Training: one Trainer, its callbacks, and checkpoints that resume bit for bit."""

from phinery.train.callbacks import (
    Callback,
    Evaluation,
    ProgressBar,
    Samples,
    TimeLeft,
    format_seconds,
    progress_text,
)
from phinery.train.config import TrainConfig
from phinery.train.distillation import Distillation, StoredDistillation
from phinery.train.evaluation import HeldOutScore, held_out_loss
from phinery.train.interruption import Interrupted
from phinery.train.limits import measure_matmul_rate
from phinery.train.objective import LossSum, Objective
from phinery.train.optimizer import make_optimizer
from phinery.train.results import StepMetrics, TrainResult
from phinery.train.schedule import learning_rate_scale
from phinery.train.teacher import LogProbSource, ModelSource, load_teacher
from phinery.train.teacher_endpoint import EndpointSource
from phinery.train.teacher_samples import TaughtSampler
from phinery.train.teacher_store import TeacherStore, write_teacher_logprobs
from phinery.train.trainer import Trainer, TrainingDiverged

__all__ = [
    "Callback",
    "Distillation",
    "EndpointSource",
    "Evaluation",
    "HeldOutScore",
    "Interrupted",
    "LogProbSource",
    "LossSum",
    "ModelSource",
    "Objective",
    "ProgressBar",
    "Samples",
    "StepMetrics",
    "StoredDistillation",
    "TaughtSampler",
    "TeacherStore",
    "TimeLeft",
    "TrainConfig",
    "TrainResult",
    "Trainer",
    "TrainingDiverged",
    "format_seconds",
    "held_out_loss",
    "learning_rate_scale",
    "load_teacher",
    "make_optimizer",
    "measure_matmul_rate",
    "progress_text",
    "write_teacher_logprobs",
]
