"""One shifted search: the gradients, the updates, and the way back after a kill."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from supernet.data import ImageData
from supernet.errors import RunError, UsageError
from supernet.io.files import write_atomically
from supernet.nn import Supernet
from supernet.nn.precision import Precision
from supernet.search.archive import FILE_NAME
from supernet.search.evaluation import Evaluation
from supernet.search.evaluator import Evaluator
from supernet.search.shifting import FOLDER
from supernet.space import Arch
from supernet.train import Backpropagation, CrossEntropy, Move, Step, Updates, checkpoint
from supernet.train import Path as NetPath
from supernet.train.executor import Executor
from supernet.train.processes import launch
from supernet.train.state import TrainingState
from supernet.train.updates import Stepper

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from supernet.search.shifting import Shifting


class ShiftingRun:
    """Trains a supernet on the candidates of one search; a `Companion`.

    Everything random about candidate n is a function of the seed and n. Checkpoints hold the state between two
    generations. A resumed search replays its record; from the newest checkpoint on, the candidates on record are
    trained on again, which needs no evaluation and gives bitwise the weights that were lost.
    """

    def __init__(self, shifting: Shifting, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> None:
        net, data = getattr(evaluator, "net", None), getattr(evaluator, "data", None)
        if not isinstance(net, Supernet) or not isinstance(data, ImageData):
            raise UsageError(
                f"Shifting trains the supernet that is searched, but a {type(evaluator).__name__} has none. Search a "
                "Supernet with its data, or a measure.NetEvaluator."
            )
        shifting.check_images(data)
        self.shifting, self.net, self._seed = shifting, net, seed
        net.statistics_belong_to()  # its weights are about to change
        self._objective = CrossEntropy(shifting.label_smoothing)
        self._stepper = Stepper(_updates(shifting), net.parameters(), batch_size=shifting.batch_size)
        precision: Precision = getattr(evaluator, "precision", "32-true")
        fabric = _fabric(next(net.parameters()).device, precision)
        self._executor = Executor(
            fabric, net, {"weights": self._stepper}, data, batch_size=shifting.batch_size, seed=seed, draws={}
        )
        self._state = TrainingState(
            net, None, self._executor.steppers, done=0, draws=self._executor.draws, losses={}, memory={"log": []}
        )
        self._identity = {
            "shifting": shifting.describe(),
            "precision": precision,
            "seed": seed,
            "space": net.space.fingerprint,
            "data": data.fingerprint(),
        }
        self._generation = 0
        self._losses: list[float] = []
        self._open = False  # whether the present generation has had a candidate
        self._start = 0  # evaluations up to which a resumed search only replays
        self._folder = None if out is None else out / FOLDER
        if self._folder is not None and recorded:
            self._go_back(self._folder, recorded)
        elif self._folder is not None:
            for path in self._folder.glob("*/step-*.safetensors"):
                path.unlink()  # of a search whose record is gone

    def begin_generation(self, generation: int, evaluations: int) -> None:
        """Close the generation before; at the beginning, look at the supernet as it is.

        Raises:
            RunError: a weight is not finite, or a file cannot be written.
        """
        self._generation = generation
        if evaluations < self._start or (evaluations == self._start > 0):
            return
        if evaluations == 0 and not self._state.memory["log"]:
            self._note(0, evaluations)
            self._save(evaluations)
        elif self._open:
            self._close(generation, evaluations)
            if evaluations - self._state.done >= self.shifting.checkpoint_every:
                self._save(evaluations)

    def candidate(self, arch: Arch, number: int, evaluate: Callable[[], Evaluation]) -> Evaluation:
        """Evaluate a candidate and train on it, in the order that the settings say.

        Raises:
            RunError: the training loss is not finite.
        """
        if number < self._start:
            return evaluate()
        self._open = True
        trains = self.shifting.initial or self._generation > 0
        if self.shifting.evaluate == "before":
            evaluation = evaluate()
            if trains:
                self._train(arch, number)
            return evaluation
        if trains:
            self._train(arch, number)
        return evaluate()

    def end(self, evaluations: int) -> None:
        """Close the last generation and keep the shifted weights.

        A generation that the budget cut short is closed here, but not in the checkpoints to resume from: with a larger
        budget it goes on.
        """
        if self._open:
            self._close(self._generation + 1, evaluations)
        if self._folder is not None:
            self._write(self._folder / "checkpoints", evaluations, count=1)

    def _train(self, arch: Arch, number: int) -> None:
        """Add the gradient of a candidate's mean loss on its images to what is there, or step on each batch."""
        shifting, net = self.shifting, self.net
        rng = np.random.default_rng([self._seed, number])
        step = Step(number, number + 1, net, rng)
        share = 1.0 if shifting.update == "batch" else 1.0 / shifting.batches
        path = NetPath(arch, self._objective, weight=share)
        losses = []
        mode, random_state = net.training, torch.get_rng_state()
        net.train()
        try:
            torch.manual_seed(int(rng.integers(2**63 - 1)))
            for _ in range(shifting.batches):
                self._executor.begin()
                losses += Backpropagation()(self._executor, Move(paths=[path]), step)
                if shifting.update == "batch":
                    self._update(step, path)
        finally:
            net.train(mode)
            torch.set_rng_state(random_state)
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            raise RunError(
                f"The training loss of {arch} became {loss} while shifting at the learning rate {shifting.lr:g}. Lower "
                "it and search anew; an earlier state is not affected."
            )
        self._losses.append(loss)
        if shifting.update == "candidate":
            self._update(step, path)

    def _update(self, step: Step, path: NetPath) -> None:
        self._stepper.step(step, [path])
        self._stepper.clear()

    def _close(self, generation: int, evaluations: int) -> None:
        if self.shifting.update == "generation" and self._losses:
            # Algorithm 1, line 9. Neither step nor path matters to a constant learning rate.
            rng = np.random.default_rng([self._seed, evaluations])
            path = NetPath(self.net.space.smallest(), self._objective)
            self._update(Step(evaluations, evaluations + 1, self.net, rng), path)
        self._note(generation, evaluations)
        self._losses, self._open = [], False

    def _note(self, generation: int, evaluations: int) -> None:
        """A line of the log: what was trained, and whatever the callbacks tell."""
        row: dict[str, Any] = {"generation": generation, "evaluations": evaluations}
        if self._losses:
            row["loss"] = sum(self._losses) / len(self._losses)
        for call in self.shifting.on_generation:
            row |= call(self.net, generation) or {}
        self._state.memory["log"] = [*self._state.memory["log"], row]
        if self._folder is None:
            self._state.check_finite()
        else:
            lines = [json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in self._state.memory["log"]]
            write_atomically(self._folder / "shifting.jsonl", "".join(lines).encode())

    def _save(self, evaluations: int) -> None:
        """A state to resume from."""
        if self._folder is not None:
            self._write(self._folder / "generations", evaluations, count=2)

    def _write(self, folder: Path, evaluations: int, *, count: int) -> None:
        self._state.done = evaluations
        self._state.save(folder / f"step-{evaluations:09d}.safetensors", self._identity)
        checkpoint.keep_last(folder, count)

    def _go_back(self, folder: Path, recorded: int) -> None:
        """Load the newest state that the record reaches.

        Raises:
            UsageError: the record is that of a plain search, or of one that was shifted otherwise.
            RunError: the record is shorter than the oldest state, or a state is damaged.
        """
        states = sorted((folder / "generations").glob("step-*.safetensors"))
        if not states:
            raise UsageError(
                f"{folder.parent / FILE_NAME} was begun without shifting. Resume it without, or search anew in another "
                "folder."
            )
        reached = [path for path in states if int(path.stem.removeprefix("step-")) <= recorded]
        if not reached:
            raise RunError(
                f"{folder.parent / FILE_NAME} holds {recorded} evaluations, fewer than any state of the weights in "
                f"{folder}: lines are missing. Restore the record, or search anew in another folder."
            )
        self._state.load(reached[-1], self._identity)
        self._executor.draws = self._state.draws
        self._start = self._state.done


def _updates(shifting: Shifting) -> Updates:
    sgd = partial(torch.optim.SGD, lr=shifting.lr, momentum=shifting.momentum, weight_decay=shifting.weight_decay)
    return Updates(optimizer=sgd, decay_vectors=False)


def _fabric(device: torch.device, precision: Precision) -> Fabric:
    fabric = launch(accelerator=device.type, devices=1, strategy="auto", precision=precision)
    if fabric.device.type != device.type or (fabric.device.index or 0) != (device.index or 0):
        raise UsageError(f"The supernet is on {device}, but shifting trains on {fabric.device}; move it there.")
    return fabric
