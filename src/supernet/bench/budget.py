"""What a run has spent: steps, forwards, backwards, images, time, memory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supernet.bench.resources import Resources
from supernet.errors import RunError
from supernet.io.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run has spent; None where it is not known.

    Attributes:
        steps: Training steps.
        forwards: Forward passes of one path over one batch, ratings included.
        backwards: Backward passes of one path over one batch: what budgets are compared by.
        images: Images that went backward through the supernet, backwards × batch size.
        training_seconds: Of training steps, from the log; evaluations on the way are not in it.
        judging_seconds: Of judging or searching.
        training_memory_bytes: Largest resident memory of the process by the end of training.
        memory_bytes: Larger of that and the memory of the whole process.
        accelerator_memory_bytes: Largest memory that torch allocated on the accelerator.
        threads: Threads of torch.
        workers: Runs made at the same time.
        machine: Processor and accelerator.
    """

    steps: int
    forwards: float | None
    backwards: float | None
    images: int | None
    training_seconds: float | None
    judging_seconds: float | None
    training_memory_bytes: int | None
    memory_bytes: int | None
    accelerator_memory_bytes: int | None
    threads: int | None
    workers: int | None
    machine: str | None

    @property
    def seconds(self) -> float | None:
        """Of the whole run."""
        if self.training_seconds is None:
            return None
        return self.training_seconds + (self.judging_seconds or 0.0)

    @classmethod
    def read(cls, run: Path) -> Budget:
        """What the run directory says.

        Raises:
            UsageError: it holds no training.
            RunError: a file is damaged.
        """
        directory = RunDirectory(run)
        asked = directory.read("training.json")
        machine = directory.read("environment.json")
        took = Resources.read(run) or Resources()
        try:
            rows = [json.loads(line) for line in directory.log.read_text().splitlines()]
            batch, steps = int(asked["batch_size"]), int(rows[-1]["step"])
            forwards, backwards = rows[-1].get("forwards"), rows[-1].get("backwards")
            seconds, before = 0.0, 0
            for row in rows:
                seconds += (row["step"] - before) * batch / row["images_per_s"]
                before = row["step"]
        except (OSError, ValueError, KeyError, IndexError, TypeError, ZeroDivisionError) as error:
            raise RunError(
                f"{directory.log} is not the log of a whole training ({type(error).__name__}: {error}). "
                "Finish the training, or leave the run out."
            ) from error
        return cls(
            steps=steps,
            forwards=forwards,
            backwards=backwards,
            images=None if backwards is None else round(backwards * batch),
            training_seconds=round(seconds, 1),
            judging_seconds=took.judging_seconds,
            training_memory_bytes=took.training_memory_bytes,
            memory_bytes=max(filter(None, (took.training_memory_bytes, took.memory_bytes)), default=None),
            accelerator_memory_bytes=took.accelerator_memory_bytes,
            threads=took.threads or machine.get("threads"),
            workers=took.workers,
            machine=", ".join(filter(None, (machine.get("cpu"), machine.get("accelerator")))) or None,
        )

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)
