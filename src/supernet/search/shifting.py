"""Supernet shifting (Zhang et al., CVPR 2024): the supernet is trained on the candidates of the search."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from supernet.data import Data
from supernet.errors import RunError, UsageError
from supernet.io.files import write_atomically
from supernet.io.section import NotNegative, Positive, Probability, Section
from supernet.nn import Supernet
from supernet.paper import Paper
from supernet.precision import Precision
from supernet.search.evaluation import Evaluation, Evaluator
from supernet.space import Arch
from supernet.space.text import in_shell
from supernet.train import (
    Backpropagation,
    CrossEntropy,
    Move,
    Recipe,
    Step,
    TrainPaths,
    Uniform,
    checkpoint,
    load_weights,
    sgd,
)
from supernet.train import Path as NetPath
from supernet.train.executor import Executor
from supernet.train.processes.launch import Processes, launch
from supernet.train.processes.seeds import seed_torch
from supernet.train.state import TrainingState

__all__ = ["Shifting", "load_shifted"]

Update: TypeAlias = Literal["generation", "candidate", "batch"]
"""When the weights change: once for all candidates of a generation, after each candidate, after each batch."""

OnGeneration: TypeAlias = Callable[[Supernet, int], Mapping[str, float] | None]
"""Called as `f(net, generation)`; scalars it returns go to the log."""

FOLDER = "shifted"


PAPER = Paper(
    name="Supernet Shifting",
    title="Boosting Order-Preserving and Transferability for Neural Architecture Search: "
    "a Joint Architecture Refined Search and Fine-tuning Approach",
    authors=("Zhang", "Wang", "Qin", "Yan"),
    venue="CVPR",
    year=2024,
    arxiv="2403.11380",
    provenance="reconstruction",
)


@dataclass(frozen=True, kw_only=True)
class Shifting(Section, place="shifting.", without=("on_generation",)):
    """Train the supernet while it is searched, on the architectures that the searcher proposes.

    Zhang, Wang, Qin, Yan: *Boosting Order-Preserving and Transferability for Neural Architecture Search*, CVPR 2024,
    algorithm 1 ([arXiv 2403.11380](https://arxiv.org/abs/2403.11380)).

    A value for `wrap=` of any search of a supernet:
    `search.evolution(net, data, wrap=Shifting(lr=1e-4, images=640))`. Good architectures are proposed more often,
    so the weights shift towards them, and the order among the good ones improves.

    The defaults are the paper's algorithm 1: a candidate is validated, the gradient of its training loss on `images`
    training images is added up over the candidates of a generation, and then W ← W − lr·∇W, once. The initial
    population is only validated. Accuracies go stale as the weights move, so an architecture may be
    proposed again in a later generation; the latest accuracy counts, and the best `keep` distinct ones are remembered.
    The released code differs in every one of these points, see `released`.

    The paper does not say how the 640 images are cut into batches, nor whether the loss is their mean; here batches
    of 64 and the mean are a reconstruction. BatchNorm follows the network's own policy while it trains on
    candidates, and arithmetic the precision of the evaluator.

    The weights of the supernet change in place. With `out=` they are kept there (`load_shifted`), with the log
    `shifted/shifting.jsonl` and what is needed to resume.

    Args:
        lr: Learning rate of SGD; 0 shifts nothing.
        images: Number of training images per candidate, a multiple of the batch size.
        batch_size: Number of images per forward and backward pass.
        update: When the weights change, see `Update`. With `"batch"` a candidate is `images / batch_size` steps.
        evaluate: Whether a candidate is validated before or after the training on it.
        initial: Whether the initial generation is trained on too.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD on weights; biases and norms have none.
        label_smoothing: Label smoothing of the cross-entropy.
        keep: Number of architectures that are remembered. None: all, and none is evaluated twice, as in a plain search.
        checkpoint_every: Least number of candidates between two checkpoints; they are written between generations.
        on_generation: Functions that are called with the supernet and the number of generations done: 0 before the
            first update, then after each one. Not called again for generations that a resumed search replays.

    Raises:
        UsageError: a number outside its range, or `evaluate="after"` where nothing is trained before the generation
            ends.

    >>> Shifting().batches, Shifting.released().batches
    (10, 20)
    """

    lr: NotNegative = 1e-4
    images: Positive = 640
    batch_size: Positive = 64
    update: Update = "generation"
    evaluate: Literal["before", "after"] = "before"
    initial: bool = False
    momentum: NotNegative = 0.0
    weight_decay: NotNegative = 0.0
    label_smoothing: Probability = 0.0
    keep: Positive | None = 50
    checkpoint_every: Positive = 50
    on_generation: tuple[OnGeneration, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images % self.batch_size:
            raise UsageError(
                f"{self.images} examples per candidate cannot be cut into batches of {self.batch_size}; give a "
                "multiple of the batch size."
            )
        if self.update == "generation" and self.evaluate == "after":
            raise UsageError(
                "With update='generation' the weights change when all candidates have been validated, so none can be "
                "validated after it was trained on. Use evaluate='before', or update='candidate' or 'batch'."
            )

    @classmethod
    def released(cls, *, on_generation: tuple[OnGeneration, ...] = ()) -> Shifting:
        """What the paper's released code does.

        It trains on each candidate of each generation, the initial one too, by 20 steps of SGD with momentum and weight
        decay on batches of 150, and validates it afterwards; nothing is accumulated. That biases and norms have no
        weight decay is SPOS's code, on which it is built. It validates without calibrating BatchNorm, with statistics
        that the training on candidates moves: for that too, search a `NetEvaluator(net, data, calibration=None)` of a
        network that tracks them.
        """
        return cls(
            lr=1e-4,
            images=3000,
            batch_size=150,
            update="batch",
            evaluate="after",
            initial=True,
            momentum=0.9,
            weight_decay=4e-5,
            label_smoothing=0.1,
            on_generation=on_generation,
        )

    @property
    def batches(self) -> int:
        """Number of batches per candidate."""
        return self.images // self.batch_size

    def check_images(self, data: Data) -> None:
        """Check that there are images enough for a batch.

        Raises:
            UsageError: there are not.
        """
        if self.batch_size > len(data.train):
            raise UsageError(
                f"Shifting was to train on batches of {self.batch_size} examples, but {data.name} has only "
                f"{len(data.train)} training examples. Lower batch_size, and images to a multiple of it."
            )

    def describe(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON."""
        left_out = ("checkpoint_every", "on_generation")
        return {"piece": "Shifting"} | {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    def begin(self, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> _ShiftingRun:
        """Start beside a search, see `Wrap`.

        Raises:
            UsageError: the evaluator has no supernet and training images, there are too few of these, or `out` holds
                a search that was begun otherwise.
        """
        return _ShiftingRun(self, evaluator, seed=seed, out=out, recorded=recorded)


def load_shifted(net: Supernet, out: Path | str) -> None:
    """Load the weights that a shifted search left in its folder.

    Raises:
        UsageError: there are none, or they are those of another network.
        RunError: the file is damaged.
    """
    folder = Path(out) / FOLDER
    if not (folder / "checkpoints").is_dir():
        raise UsageError(
            f"{out} holds no shifted weights: they are written when a search with wrap=Shifting(…) and out=… ends. "
            "Finish it (resume=True), or use the weights of the training (load_weights)."
        )
    load_weights(net, folder)


class _ShiftingRun:
    """Trains a supernet on the candidates of one search; a `Companion`.

    Everything random about candidate n is a function of the seed and n. Checkpoints hold the state between two
    generations. A resumed search replays its record; from the newest checkpoint on, the candidates on record are
    trained on again, which needs no evaluation and gives bitwise the weights that were lost.
    """

    def __init__(self, shifting: Shifting, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> None:
        net, data = getattr(evaluator, "net", None), getattr(evaluator, "data", None)
        if not isinstance(net, Supernet) or not isinstance(data, Data):
            raise UsageError(
                f"Shifting trains the supernet that is searched, but a {type(evaluator).__name__} has none. Search a "
                "Supernet with its data, or a measure.NetEvaluator."
            )
        shifting.check_images(data)
        self.shifting, self.net, self._seed = shifting, net, seed
        net.statistics_belong_to()  # its weights are about to change
        self._objective = CrossEntropy(shifting.label_smoothing)
        size = shifting.batch_size
        precision: Precision = getattr(evaluator, "precision", "32-true")
        updates = sgd(shifting.lr, momentum=shifting.momentum, weight_decay=shifting.weight_decay, decay_vectors=False)
        recipe = Recipe(name=FOLDER, program=TrainPaths(sampler=Uniform()), weights=updates)
        self._state = TrainingState(net, recipe, seed=seed, batch_size=size)
        fabric, steppers = _fabric(next(net.parameters()).device, precision), self._state.steppers
        self._executor = Executor(fabric, net, steppers, data, batch_size=size, seed=seed, draws={})
        self._count_together()
        self._state.memory["log"] = []
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
        """Close the generation before; at the beginning, look at the supernet as it is."""
        self._generation = generation
        if evaluations < self._start or (evaluations == self._start > 0):
            return
        if evaluations == 0 and not self._state.memory["log"]:
            self._note(0, evaluations)
            self._write("generations", evaluations, count=2)
        elif self._open:
            self._close(generation, evaluations)
            if evaluations - self._state.done >= self.shifting.checkpoint_every:
                self._write("generations", evaluations, count=2)

    def candidate(self, arch: Arch, number: int, evaluate: Callable[[], Evaluation]) -> Evaluation:
        """Evaluate a candidate and train on it, in the order that the settings say."""
        if number < self._start:
            return evaluate()
        self._open = True
        trains = self.shifting.initial or self._generation > 0
        if trains and self.shifting.evaluate == "after":
            self._train(arch, number)
        evaluation = evaluate()
        if trains and self.shifting.evaluate == "before":
            self._train(arch, number)
        return evaluation

    def end(self, evaluations: int) -> None:
        """Close the last generation and keep the shifted weights.

        A generation that the budget cut short is closed here, but not in the checkpoints to resume from: with a larger
        budget it goes on.
        """
        if self._open:
            self._close(self._generation + 1, evaluations)
        self._write("checkpoints", evaluations, count=1)

    def _train(self, arch: Arch, number: int) -> None:
        """Add the gradient of a candidate's mean loss on its images to what is there, or step on each batch."""
        shifting, net = self.shifting, self.net
        rng = np.random.default_rng([self._seed, number])
        step = Step(number, number + 1, net, rng, task=self._executor.feed.data.task)
        share = 1.0 if shifting.update == "batch" else 1.0 / shifting.batches
        path = NetPath(arch, self._objective, weight=share)
        losses = []
        mode, random_state = net.training, torch.get_rng_state()
        net.train()
        try:
            seed_torch(int(rng.integers(2**63 - 1)))
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
                f"The training loss of {in_shell(arch)} became {loss} while shifting at the learning rate "
                f"{shifting.lr:g}. Lower it and search anew; an earlier state is not affected."
            )
        self._losses.append(loss)
        if shifting.update == "candidate":
            self._update(step, path)

    def _update(self, step: Step, path: NetPath) -> None:
        stepper = self._state.steppers["weights"]
        stepper.step(step, [path])
        stepper.clear()

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

    def _count_together(self) -> None:
        """Have the state hold what the executor counts."""
        self._state.draws, self._state.passed = self._executor.feed.draws, self._executor.passed

    def _write(self, name: str, evaluations: int, *, count: int) -> None:
        """Keep the state, and of those before it as many as make `count`."""
        if self._folder is not None:
            self._state.done = evaluations
            self._state.save(self._folder / name / f"step-{evaluations:09d}.safetensors", self._identity)
            checkpoint.keep_last(self._folder / name, count)

    def _go_back(self, folder: Path, recorded: int) -> None:
        """Load the newest state that the record reaches."""
        states = sorted((folder / "generations").glob("step-*.safetensors"))
        reached = [path for path in states if int(path.stem.removeprefix("step-")) <= recorded]
        if not reached:
            raise RunError(
                f"{folder.parent} records {recorded} evaluations, but {folder / 'generations'} holds no state of the "
                "weights from before: files are missing. Restore them, or search anew in another folder."
            )
        self._state.load(reached[-1], self._identity)
        self._executor.feed.draws.update(self._state.draws)
        self._executor.passed.update(self._state.passed)
        self._count_together()
        self._start = self._state.done


def _fabric(device: torch.device, precision: Precision) -> Processes:
    fabric = launch(accelerator=device.type, devices=1, strategy="auto", precision=precision)
    if fabric.device.type != device.type or (fabric.device.index or 0) != (device.index or 0):
        raise UsageError(f"The supernet is on {device}, but shifting trains on {fabric.device}; move it there.")
    return fabric
