"""What a run has spent: steps, passes, time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from supernet.errors import RunError
from supernet.io import schema
from supernet.io.lines import read_lines
from supernet.io.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run has spent; None where it is not known.

    Attributes:
        steps: Number of training steps that were done.
        asked_steps: Number of training steps that were asked for; more than `steps` where the training was stopped.
        forwards: Number of forwards, each of one path over one batch, ratings included.
        backwards: Number of backwards, each of one path over one batch: what budgets are compared by.
        images: Number of images that went backward through the supernet, backwards × batch size.
        images_forward: Number of images that went forward through it.
        training_seconds: Seconds of training steps, from the log; evaluations on the way are not in it.
        judging_seconds: Seconds of judging or searching.
        training_memory_bytes: Largest resident memory of the process by the end of training.
        memory_bytes: Larger of that and the memory of the whole process.
        accelerator_memory_bytes: Largest memory that torch allocated on the accelerator.
        threads: Number of CPU threads of torch.
        workers: Number of runs that were made at the same time.
        machine: Processor and accelerator, in words.
    """

    steps: int
    asked_steps: int
    forwards: float | None
    backwards: float | None
    images: int | None
    images_forward: int | None
    training_seconds: float
    judging_seconds: float | None
    training_memory_bytes: int | None
    memory_bytes: int | None
    accelerator_memory_bytes: int | None
    threads: int | None
    workers: int | None
    machine: str | None

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.training_seconds + (self.judging_seconds or 0.0)

    @classmethod
    def read(cls, run: Path) -> Spent:
        """What the run directory says.

        Raises:
            UsageError: it holds no training.
            RunError: a file is damaged.
        """
        directory = RunDirectory(run)
        asked = directory.read("training.json", schema.Training)
        machine = directory.read("environment.json", schema.Environment)
        took = read_resources(run)
        log = read_lines(directory.log, schema.Logged).rows
        if not log:
            raise RunError(
                f"{directory.log} is empty, so it is not the log of a training. Finish the training, or leave the run "
                "out."
            )
        last, batch = log[-1], asked.batch_size
        rows = [schema.Logged(step=0, seconds=0.0), *log]
        seconds = sum(_seconds(row, (row.step - before.step) * batch) for before, row in pairwise(rows))
        stopped = not (run / "counts.json").is_file()  # written by a training that ends, if before its last step
        memory = [took.training_memory_bytes, took.memory_bytes]
        return cls(
            steps=last.step,
            asked_steps=asked.steps if stopped else last.step,
            forwards=last.forwards,
            backwards=last.backwards,
            images=None if last.backwards is None else round(last.backwards * batch),
            images_forward=None if last.forwards is None else round(last.forwards * batch),
            training_seconds=round(seconds, 1),
            judging_seconds=took.judging_seconds,
            training_memory_bytes=took.training_memory_bytes,
            memory_bytes=max((count for count in memory if count), default=None),
            accelerator_memory_bytes=took.accelerator_memory_bytes,
            threads=took.threads or machine.threads,
            workers=took.workers,
            machine=", ".join(filter(None, (machine.cpu, machine.accelerator))) or None,
        )


def read_resources(run: Path) -> schema.Resources:
    """What a run of a study took; nothing is known of one that was made by hand."""
    known = (run / "resources.json").is_file()
    return RunDirectory(run).read("resources.json", schema.Resources) if known else schema.Resources()


def _seconds(row: schema.Logged, images: int) -> float:
    """How long the steps before a line of the log took; older logs tell the images per second alone."""
    if row.seconds is not None:
        return row.seconds
    return images / row.per_second if row.per_second else 0.0
