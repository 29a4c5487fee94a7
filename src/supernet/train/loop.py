"""The training loop: it executes moves, logs, checkpoints and resumes. It knows no method by name."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from supernet.data import Data
from supernet.errors import RunError, SupernetError, UsageError
from supernet.io.progress import ProgressBar
from supernet.io.run_directory import RunDirectory
from supernet.train import checkpoint
from supernet.train.context import Context, Edit, carried_out
from supernet.train.counts import UpdateCounts
from supernet.train.executor import Executor
from supernet.train.interruption import Interruption
from supernet.train.mistakes.own_pieces import numbers, title
from supernet.train.part import WEIGHTS
from supernet.train.phases import Phase, Stretch
from supernet.train.processes.seeds import seed_torch, seeded
from supernet.train.processes.sharding import unsuited
from supernet.train.state import TrainingState
from supernet.train.step import FINISHED, Step
from supernet.train.values._protocol import settings_of

__all__ = ["Logger", "Monitor"]

ENDED = "ended"
"""The key of `Step.memory` under which the reasons stand for which phases ended early, by name."""

RESTRICTION = "restriction.json"
"""The file of a run with the options that its training has left, by choice, where these are not all."""

_PHASE = 1_000_003  # between the seeds of two phases


class Monitor(Protocol):
    """Measures something while training, without touching it."""

    @property
    def every(self) -> int:
        """Steps between measurements."""
        ...

    def __call__(self, step: Step) -> Mapping[str, float]:
        """Scalars for the log, by name; `step.done` steps are done."""
        ...


class Logger(Protocol):
    """What takes the lines of the log elsewhere, as the loggers of Lightning Fabric do."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Take a line: numbers by name, and the steps that were done."""
        ...

    def finalize(self, status: str) -> None:
        """Write what is left; the training is over."""
        ...


class Loop:
    """Carries a training from where its state stands to its end.

    Args:
        state: Everything that a step changes.
        executor: The executor that carries out the moves.
        stretches: The phases with their lengths.
        seed: The seed of everything random in the training.
        steps: Number of steps of the whole training.
        directory: Where log and checkpoints go; None keeps nothing.
        identity: What the training is, for its checkpoints.
        log_every: Number of steps between two lines of the log.
        checkpoint_every: Number of steps between two checkpoints.
        monitors: Measurements to take along the way.
        loggers: What every line of the log goes to as well.
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
        loggers: Sequence[Logger] = (),
    ) -> None:
        self.state, self.executor, self.stretches = state, executor, stretches
        self.seed, self.steps, self.directory, self.identity = seed, steps, directory, identity
        self.log_every, self.checkpoint_every, self.monitors = log_every, checkpoint_every, monitors
        self.loggers = loggers
        self.counts = UpdateCounts(state.net.space, state.counts)
        self._fed = [_fed(stretch.phase, executor) for stretch in stretches]
        state.draws, state.passed = executor.feed.draws, executor.passed
        state.losses = defaultdict(list, state.losses)
        self._history: list[dict[str, float]] = []
        self._seconds, self._drawn = 0.0, executor.passed["drawn"]
        self._configure()
        executor.feed.restore(state.streams)

    @property
    def _number(self) -> int:
        """The present phase; the last one, once all are done."""
        return min(self.state.phase, len(self.stretches) - 1)

    @property
    def complete(self) -> bool:
        """Whether all phases are done, or the program saw no use in more."""
        return self.state.phase >= len(self.stretches) or FINISHED in self.state.memory

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
                for sentence in self._cautions():
                    bar.say(sentence)
                while state.done < last and not self.complete:
                    began = time.perf_counter()
                    try:
                        with self.executor.reading():
                            row = self._step()
                    except SupernetError:
                        raise
                    except (ArithmeticError, RuntimeError, ValueError) as error:
                        if (refusal := unsuited(error)) is not None:
                            raise refusal from error
                        state.check_finite(agreed=False)  # what draws and factorisations say of NaN
                        raise
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
                    bar.say(f"training ended after {state.done} of {self.steps} steps: {self._reason()}")
        finally:
            torch.set_rng_state(random_state)
        self.executor.begin()
        if self.complete:
            self._finish()
        return tuple(self._history)

    def _cautions(self) -> Iterator[str]:
        """What edits and ends of phases have to say of the lengths that the phases have."""
        for stretch, (data, batch_size) in zip(self.stretches, self._fed, strict=True):
            steps_per_epoch = self.executor.feed.steps_of(data, batch_size)
            for change in (*(edit.apply for edit in stretch.phase.edits), stretch.phase.until):
                caution = getattr(change, "caution", None)
                if caution is not None and (sentence := caution(stretch.steps, steps_per_epoch)) is not None:
                    yield sentence

    def _reason(self) -> str:
        ended = (f"phase {name!r}: {reason}" for name, reason in self.state.memory.get(ENDED, {}).items())
        return str(self.state.memory.get(FINISHED) or "; ".join(ended))

    def context(self, seed: int | None = None) -> Context:
        """The training as it stands before its next step, or after its last."""
        state, executor = self.state, self.executor
        stretch = self.stretches[self._number]
        done = state.done - state.began if state.phase == self._number else stretch.steps
        index, total = stretch.place(done)
        step = Step(
            index=index,
            total=total,
            net=state.net,
            rng=np.random.default_rng([self.seed, state.done]),
            parts=state.parts,
            start=state.done - index,
            seed=self.seed,
            memory=state.memory,
            restriction=state.restriction,
            runner=executor,
            steps_per_epoch=executor.feed.steps_per_epoch,
            task=executor.feed.data.task,
        )
        settings = settings_of({**state.recipe.settings, **stretch.phase.settings}, step)
        step = replace(step, settings=settings)
        return Context(step, executor, self.seed if seed is None else seed, state.build, state.rewriter)

    def _step(self) -> dict[str, float]:
        """One training step; for the log the learning rate of its last move on the weights."""
        state, executor = self.state, self.executor
        stretch = self.stretches[state.phase]
        if state.done == state.began:
            self._enter()
        context = self.context()
        step = context.step
        # The paths come from `rng` and are the same on all processes; dropout is not.
        seed_torch(int(step.rng.integers(2**63 - 2**31)) + executor.fabric.global_rank)
        executor.begin()
        row: dict[str, float] = {}
        for act, result in carried_out(stretch.phase.program.moves(step), context):
            if isinstance(act, Edit):
                self._note(result.terms)
                continue
            name = "loss" if WEIGHTS in act.families else "loss/" + "+".join(act.families)
            state.losses[name].append(result.loss)
            self._note({f"term/{name}": value for name, value in result.terms.items()})
            if WEIGHTS in act.families:
                for path in act.learning:
                    self.counts.observe(path.decisions)
                row["lr"] = state.steppers[WEIGHTS].lr(step, act.learning or act.paths)
        for edit in (*state.recipe.edits, *stretch.phase.edits):
            if edit.due(step):
                with executor.whole():
                    scalars = edit.apply(context)
                self._note({} if scalars is None else numbers(scalars, f"edit {edit.name!r}"))
        for name, values in executor.logged.items():
            self.state.losses[name].extend(values)
        executor.logged.clear()
        state.done += 1
        if state.average is not None:
            state.average.update(state.done)
        self._end(stretch, context)
        return row

    def _note(self, scalars: Mapping[str, float]) -> None:
        """Keep numbers for the next line of the log, which has their means."""
        for name, value in scalars.items():
            self.state.losses[name].append(float(value))

    def _end(self, stretch: Stretch, context: Context) -> None:
        """Go to the next phase, where this one is done or says that it is."""
        state, reason = self.state, None
        if stretch.phase.until is not None and (reason := stretch.phase.until(context)) is not None:
            state.memory.setdefault(ENDED, {})[stretch.phase.name] = reason
        if reason is not None or state.done - state.began == stretch.steps:
            if stretch.phase.leave is not None:
                with self.executor.whole():
                    stretch.phase.leave(context)
            state.phase, state.began = state.phase + 1, state.done

    def _enter(self) -> None:
        """Begin a phase."""
        state, number = self.state, self.state.phase
        phase = self.stretches[number].phase
        if number and self._feeds_from(number) == number:
            self.executor.feed.draws.update(dict.fromkeys(self.executor.feed.draws, 0))
        self._configure()
        if phase.restart:
            for stepper in state.steppers.values():
                stepper.restart()
        if phase.restrict is not None:
            state.restriction.allow_all(phase.restrict(state.net.space))
        if phase.enter is not None:
            seed = self.seed + _PHASE * (number + 1)
            # Not by rank, as the rest of the step: every process must make the same of its weights.
            with self.executor.whole(), seeded(seed):
                phase.enter(self.context(seed))
            if state.average is not None:
                state.average.restart()
        state.net.train()

    def _feeds_from(self, number: int) -> int:
        """The phase whose streams of images a phase goes on with."""
        return max(
            (n for n in range(1, number + 1) if self.stretches[n].feeds or self.stretches[n - 1].feeds), default=0
        )

    def _configure(self) -> None:
        """Give executor and optimisers the images, the batches and the updates of the present phase."""
        state, executor, number = self.state, self.executor, self._number
        phase, origin = self.stretches[number].phase, self._feeds_from(number)
        data, batch_size = self._fed[number]
        if any(stretch.feeds for stretch in self.stretches):
            executor.feed.turn_to(data, batch_size=batch_size, seed=self.seed + _PHASE * (origin + 1) * (origin > 0))
        for family, stepper in state.steppers.items():
            usual = state.recipe.weights if family == WEIGHTS else state.recipe.parts[family].updates
            updates = phase.updates.get(family, usual)
            assert updates is not None
            if updates is not stepper.updates or stepper.batch_size != batch_size * executor.fabric.world_size:
                stepper.configure(updates, batch_size=batch_size * executor.fabric.world_size)

    def _measure(self) -> dict[str, float]:
        measured: dict[str, float] = {}
        due = [monitor for monitor in self.monitors if self.state.done % monitor.every == 0 or self.complete]
        with self.executor.whole() if due else nullcontext():
            for monitor in due:
                measured |= numbers(monitor(self.context().step), f"monitor {title(monitor)}", fresh=True)
                self.state.net.train()
        return measured

    def _log(self, row: Mapping[str, float]) -> None:
        state, drawn = self.state, self.executor.passed["drawn"]
        line: dict[str, float] = {"step": state.done}
        line |= {"lr": row["lr"]} if "lr" in row else {}
        line |= {name: sum(values) / len(values) for name, values in state.losses.items()}
        line |= {"forwards": self.executor.forwards, "backwards": self.executor.backwards}
        rate = (drawn - self._drawn) / self._seconds
        line |= {"seconds": round(self._seconds, 3), "examples_per_s": round(rate, 1), **row}
        self._history.append(line)
        if self.directory is not None:
            self.directory.append(line)
        for logger in self.loggers:
            logger.log_metrics({name: value for name, value in line.items() if name != "step"}, state.done)
        state.losses.clear()
        self._seconds, self._drawn = 0.0, drawn

    def _save(self) -> None:
        if self.directory is None:
            self.state.save(None, self.identity)
            return
        path = self.directory.checkpoints / f"step-{self.state.done:09d}.safetensors"
        self.state.streams = self.executor.feed.standing()
        self.state.save(path, self.identity)
        checkpoint.keep_last(self.directory.checkpoints, 2)
        if self.state.restricted or (self.directory / RESTRICTION).is_file():
            self.directory.write(RESTRICTION, self.state.restriction.to_json())

    def _finish(self) -> None:
        if self.state.average is not None:
            self.state.average.write()
        if self.directory is not None:
            self.directory.write("counts.json", self.counts.to_json())
        for logger in self.loggers:
            logger.finalize("success")


def _fed(phase: Phase, executor: Executor) -> tuple[Data, int]:
    """The data and the batch size of a phase of the training that the executor was made for."""
    data = executor.feed.data if phase.data is None else phase.data(executor.feed.data)
    batch_size = round(executor.feed.batch_size * phase.batch)
    if not 1 <= batch_size <= len(data.train):
        raise UsageError(
            f"The phase {phase.name!r} asks for batches of {batch_size} examples, of {len(data.train)} for training. "
            "Change its factor or the batch size."
        )
    return data, batch_size
