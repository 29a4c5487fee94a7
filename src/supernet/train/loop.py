"""The training loop: it executes moves, logs, checkpoints and resumes. It knows no method by name."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from supernet.errors import RunError
from supernet.io.progress import ProgressBar
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.train import checkpoint
from supernet.train.counts import UpdateCounts
from supernet.train.executor import Executor
from supernet.train.interruption import Interruption
from supernet.train.move import FINISHED, Step
from supernet.train.phases import Entry, Stretch
from supernet.train.processes import seeded
from supernet.train.state import TrainingState

__all__ = ["Monitor"]


class Monitor(Protocol):
    """Measures something while training, without touching it."""

    @property
    def every(self) -> int:
        """Steps between measurements."""
        ...

    def __call__(self, net: Supernet, step: int) -> Mapping[str, float]:
        """Scalars for the log, by name."""
        ...


class Loop:
    """Carries a training from where its state stands to its end.

    Args:
        state: Everything that a step changes.
        executor: The executor that carries out the moves.
        stretches: The phases with their places.
        seed: The seed of everything random in the training.
        steps: Number of steps of the whole training.
        directory: Where log and checkpoints go; None keeps nothing.
        identity: What the training is, for its checkpoints.
        log_every: Number of steps between two lines of the log.
        checkpoint_every: Number of steps between two checkpoints.
        monitors: Measurements to take along the way.
    """

    def __init__(
        self,
        state: TrainingState,
        executor: Executor,
        stretches: Sequence[Stretch],
        *,
        seed: int,
        steps: int,
        directory: RunDirectory | None,
        identity: Mapping[str, Any],
        log_every: int,
        checkpoint_every: int,
        monitors: Sequence[Monitor],
    ) -> None:
        self.state, self.executor, self.stretches = state, executor, stretches
        self.seed, self.steps, self.directory, self.identity = seed, steps, directory, identity
        self.log_every, self.checkpoint_every, self.monitors = log_every, checkpoint_every, monitors
        self.counts = UpdateCounts(state.net.space, state.counts)
        state.draws, state.passed = executor.draws, executor.passed
        state.losses = defaultdict(list, state.losses)
        self._history: list[dict[str, float]] = []
        self._seconds, self._drawn = 0.0, self._images()

    @property
    def complete(self) -> bool:
        """Whether all steps are done, or the program saw no use in more."""
        return self.state.done >= self.steps or FINISHED in self.state.memory

    def run(self, last: int, *, progress: bool) -> tuple[Mapping[str, float], ...]:
        """Train until `last` steps of the whole are done, and return the log of this call.

        Raises:
            RunError: a loss or a weight is not finite, a file cannot be written, or the training was interrupted.
        """
        state = self.state
        random_state = torch.get_rng_state()
        try:
            with (
                Interruption() as interruption,
                ProgressBar("train", self.steps, start=state.done, enabled=progress) as bar,
            ):
                while state.done < last and not self.complete:
                    began = time.perf_counter()
                    row = self._step()
                    self._seconds += time.perf_counter() - began
                    losses = (f"{name} {values[-1]:.3f}" for name, values in state.losses.items())
                    bar.update(state.done, ", ".join(losses))
                    ended = self.complete or state.done == last
                    measured = self._measure()
                    if state.done % self.log_every == 0 or ended or measured:
                        self._log(row | measured)
                    interrupted = not ended and interruption.agreed(self.executor.fabric)
                    if state.done % self.checkpoint_every == 0 or ended or interrupted:
                        self._save()
                    if interrupted:
                        where = f"; resume to go on from {self.directory.path}" if self.directory is not None else ""
                        raise RunError(f"Training was interrupted after {state.done} of {self.steps} steps{where}.")
                if state.done < last:
                    bar.say(f"training ended after {state.done} of {self.steps} steps: {state.memory[FINISHED]}")
        finally:
            torch.set_rng_state(random_state)
        if self.complete:
            self._finish()
        return tuple(self._history)

    def _step(self) -> dict[str, float]:
        """One training step; returns the learning rate of its last move on the weights, if it made one, for the log."""
        state, executor = self.state, self.executor
        rng = np.random.default_rng([self.seed, state.done])
        # The paths come from `rng` and are the same on all processes; dropout is not.
        torch.manual_seed(int(rng.integers(2**63 - 2**31)) + executor.fabric.global_rank)
        number, stretch = next((n, s) for n, s in enumerate(self.stretches) if state.done < s.start + s.steps)
        if state.done == stretch.start:
            self._enter(number, stretch)
        index, total = stretch.place(state.done)
        step = Step(
            index=index,
            total=total,
            net=state.net,
            rng=rng,
            architecture=state.architecture,
            start=state.done - index,
            seed=self.seed,
            memory=state.memory,
            rater=executor.rate,
        )
        executor.begin()
        row: dict[str, float] = {}
        for move in stretch.phase.program.moves(step):
            name = "loss" if move.updates == "weights" else f"loss/{move.updates}"
            state.losses[name].append(executor.execute(move, step))
            if move.updates == "weights":
                for path in move.paths:
                    self.counts.observe(path.decisions)
                row["lr"] = state.steppers["weights"].lr(step, move.paths)
        state.done += 1
        if state.average is not None:
            state.average.update(state.done)
        return row

    def _enter(self, number: int, stretch: Stretch) -> None:
        state, executor = self.state, self.executor
        if stretch.phase.restart:
            for stepper in state.steppers.values():
                stepper.restart()
        if stretch.phase.enter is not None:
            seed = self.seed + 1_000_003 * (number + 1)
            with seeded(seed):  # not by rank, as the rest of the step: every process must make the same of its weights
                stretch.phase.enter(Entry(executor, seed))
            if state.average is not None:
                state.average.restart()
        state.net.train()

    def _measure(self) -> dict[str, float]:
        measured: dict[str, float] = {}
        for monitor in self.monitors:
            if self.state.done % monitor.every == 0 or self.complete:
                measured |= monitor(self.state.net, self.state.done)
                self.state.net.train()
        return measured

    def _log(self, row: Mapping[str, float]) -> None:
        state, drawn = self.state, self._images()
        line: dict[str, float] = {"step": state.done}
        line |= {"lr": row["lr"]} if "lr" in row else {}
        line |= {name: sum(values) / len(values) for name, values in state.losses.items()}
        line |= {"forwards": self.executor.forwards, "backwards": self.executor.backwards}
        line |= {"images_per_s": round((drawn - self._drawn) / self._seconds, 1), **row}
        self._history.append(line)
        if self.directory is not None:
            self.directory.append(line)
        state.losses.clear()
        self._seconds, self._drawn = 0.0, drawn

    def _images(self) -> int:
        """Training images drawn so far, over all processes."""
        return self.executor.draws["train"] * self.executor.batch_size * self.executor.fabric.world_size

    def _save(self) -> None:
        if self.directory is None:
            self.state.check_finite()
            return
        path = self.directory.checkpoints / f"step-{self.state.done:09d}.safetensors"
        self.state.save(path, self.identity)
        checkpoint.keep_last(self.directory.checkpoints, 2)

    def _finish(self) -> None:
        if self.state.average is not None:
            self.state.average.write()
        if self.directory is not None:
            self.directory.write("counts.json", self.counts.to_json())
