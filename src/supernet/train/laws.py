"""What every sampler and every recipe promises, as tests for yours too.

    @pytest.mark.parametrize("law", RECIPE_LAWS)
    def test_my_recipe(law):
        law(Trial(recipe=my_recipe(), net=small_supernet(), data=supernet.data.digits()))

Each law raises an AssertionError that says what was broken. The supernet that is given stays as it is.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from supernet.data import Data
from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights, Mixture, Supernet
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.nn.selection import as_decisions
from supernet.space import Arch, Space
from supernet.train import checkpoint
from supernet.train.executor import Executor
from supernet.train.fit import Trained, fit
from supernet.train.loop import Loop
from supernet.train.move import Move, Result
from supernet.train.part import WEIGHTS
from supernet.train.phases import Stretch
from supernet.train.processes.launch import launch
from supernet.train.processes.seeds import seeded
from supernet.train.recipe import Recipe, describe
from supernet.train.samplers._protocol import Sampler
from supernet.train.state import TrainingState
from supernet.train.step import Step

SamplerLaw: TypeAlias = Callable[[Sampler, Supernet], None]
RecipeLaw: TypeAlias = Callable[["Trial"], None]

_TOTAL = 40  # steps of the training that samplers are told they are in


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training that is short enough to be repeated.

    Attributes:
        recipe: The recipe under test.
        net: A supernet small enough for a few seconds of training; every law works on a copy of it.
        data: Images that it can learn from in `steps`.
        steps: Steps of the training.
        batch_size: Number of images in the batch of a move.
        watched: Number of steps in which every family moves at least once, all phases together.
        measure: What the training has to make better; None: the accuracy of its architectures is asked for.
        least: What `measure` has to be at least.
    """

    recipe: Recipe
    net: Supernet
    data: Data
    steps: int = 60
    batch_size: int = 32
    watched: int = 4
    measure: Callable[[Trained], float] | None = None
    least: float = 0.0

    def train(
        self,
        *,
        seed: int = 0,
        steps: int | None = None,
        out: Path | None = None,
        stop_after: int | None = None,
    ) -> Trained:
        """Train a copy of the supernet; in a directory that holds a training, go on with it."""
        steps = self.steps if steps is None else steps
        return fit(
            copy.deepcopy(self.net),
            self.recipe,
            self.data,
            steps=steps,
            batch_size=self.batch_size,
            seed=seed,
            out=out,
            resume=True,
            accelerator="cpu",
            log_every=max(1, steps // 5),
            stop_after=stop_after,
            progress=False,
        )


# -- samplers --------------------------------------------------------------------------------------------


def same_seed_same_paths(sampler: Sampler, net: Supernet) -> None:
    """The paths depend on the seed and the step alone, whatever was drawn before."""
    for index in (7, 0, _TOTAL - 1):
        first = [_plain(path) for path in sampler.paths(_step(net, index))]
        sampler.paths(_step(net, 3))
        again = [_plain(path) for path in sampler.paths(_step(net, index))]
        assert first == again, f"{describe(sampler)} drew other paths at step {index} when asked again"


def randomness_is_the_steps(sampler: Sampler, net: Supernet) -> None:
    """No global random generator decides the paths, and none is advanced."""
    with torch.random.fork_rng(devices=()):
        drawn = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            drawn.append([_plain(path) for path in sampler.paths(_step(net, 5))])
            assert torch.equal(before, torch.get_rng_state()), f"{describe(sampler)} used torch's global generator"
    assert drawn[0] == drawn[1], f"{describe(sampler)} depends on torch's global generator"


def paths_fit_the_net(sampler: Sampler, net: Supernet) -> None:
    """Every path decides every choice of the supernet, and no block is left without an operation."""
    sampler.check(net)
    for index in range(_TOTAL):
        paths = sampler.paths(_step(net, index))
        assert paths, f"{describe(sampler)} drew no path at step {index}"
        for path in paths:
            decisions = as_decisions(path, net.space)
            missing = set(net.space.names) - set(decisions)
            assert not missing, f"{describe(sampler)} leaves {sorted(missing)} undecided"
            empty = [name for name, decision in decisions.items() if decision == ()]
            assert not empty, f"{describe(sampler)} leaves nothing of {empty}"


def paths_stay_in_the_subspace(sampler: Sampler, net: Supernet) -> None:
    """Where a step is limited to a sub-space, paths use its options alone, or the sampler refuses the sub-space.

    Every option of every choice is left out once.
    """
    refused, tried = 0, 0
    for choice in net.space.choices:
        for left_out in choice.options if len(choice) > 1 else ():
            space = net.space.restrict({choice.name: [option for option in choice.options if option != left_out]})
            tried += 1
            try:
                drawn = [
                    path for index in (0, 5, _TOTAL - 1) for path in sampler.paths(_step(net, index).within(space))
                ]
            except UsageError:
                refused += 1
                continue
            outside = [path for path in drawn if not _inside(path, space)]
            assert not outside, f"{describe(sampler)} drew {outside[0]} where {choice.name!r} may not be {left_out!r}"
    assert refused < tried or not tried, f"{describe(sampler)} refused every sub-space"


SAMPLER_LAWS: tuple[SamplerLaw, ...] = (
    same_seed_same_paths,
    randomness_is_the_steps,
    paths_fit_the_net,
    paths_stay_in_the_subspace,
)


# -- recipes ---------------------------------------------------------------------------------------------


def describes_itself(trial: Trial) -> None:
    """The description is JSON and survives it: a checkpoint recognises its recipe by it."""
    described = trial.recipe.describe()
    assert json.loads(json.dumps(described)) == described, "the description is not what JSON gives back"


def learns(trial: Trial) -> None:
    """The loss falls by a fifth, and what was trained classifies validation images clearly above chance.

    A trial with a `measure` of its own reaches what it names instead.
    """
    trained = trial.train()
    if trial.measure is not None:
        found = trial.measure(trained)
        assert found >= trial.least, f"what was measured is {found:.4g}, and {trial.least:.4g} was to be reached"
        return
    first, last = trained.history[0]["loss"], trained.history[-1]["loss"]
    assert last < 0.8 * first, f"the loss went from {first:.3f} to {last:.3f} in {trial.steps} steps"
    space = trained.net.space
    rng = np.random.default_rng(0)
    archs = [trained.derived] if trained.derived else [space.sample(rng) for _ in range(3)]
    accuracy = sum(_accuracy(trained.net, arch, trial.data) for arch in archs) / len(archs)
    bar = 2.5 / trial.data.num_classes
    assert accuracy > bar, f"accuracy {accuracy:.3f} of {archs} is no better than {bar:.3f}"


def seed_decides(trial: Trial) -> None:
    """The same seed gives bitwise the same weights, another seed gives others."""
    one, same, other = (_tensors(trial.train(seed=seed, steps=4)) for seed in (1, 1, 2))
    different = _different(one, same)
    assert not different, f"two trainings with one seed differ in {different[0]}"
    assert _different(one, other), "two seeds give the same training"


def moves_change_one_family(trial: Trial) -> None:
    """A move changes the parameters of its families, and bitwise nothing else; no gradient stays behind.

    Buffers are statistics of what runs: those of the supernet belong to its weights, and those of a part to itself.
    """
    with seeded(0):
        net = trial.recipe.adapted(copy.deepcopy(trial.net)).train()
    recipe = trial.recipe.on(net.space)
    net.input_shape = trial.data.shape
    moved: set[str] = set()
    state = TrainingState(net, recipe, seed=0, batch_size=trial.batch_size, task=trial.data.task)
    stretches = [Stretch(phase, max(2, trial.watched // len(recipe.phases))) for phase in recipe.phases]
    steps = sum(stretch.steps for stretch in stretches)
    loop = Loop(
        state,
        _Watched(state, trial, moved),
        stretches,
        seed=0,
        steps=steps,
        directory=None,
        identity={},
        log_every=steps,
        checkpoint_every=steps,
        monitors=(),
    )
    loop.run(steps, progress=False)
    never = sorted(set(state.steppers) - moved)
    assert not never, f"in {steps} steps no move was on {never}, which the recipe steps"


def resumes_bitwise(trial: Trial) -> None:
    """A training that is stopped and resumed, several times, ends with bitwise the same state."""
    steps = 6
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Path(folder, "whole"), Path(folder, "parts")
        trial.train(steps=steps, out=whole)
        for stop in (1, 2, 5, steps):
            trial.train(steps=steps, out=parts, stop_after=stop)
        (expected, told), (found, meta) = (_newest(run) for run in (whole, parts))
    different = _different(expected, found) + [key for key in told if meta[key] != told[key]]
    assert not different, f"after resuming, {different[0]} differs"


RECIPE_LAWS: tuple[RecipeLaw, ...] = (
    describes_itself,
    learns,
    seed_decides,
    moves_change_one_family,
    resumes_bitwise,
)


def _step(net: Supernet, index: int) -> Step:
    return Step(index, _TOTAL, net, np.random.default_rng([0, index]))


def _plain(path: Arch | Decisions) -> object:
    if isinstance(path, Arch):
        return path.code
    return {name: d.weights.tolist() if isinstance(d, Mixture | EdgeWeights) else d for name, d in path.items()}


def _inside(path: Arch | Decisions, space: Space) -> bool:
    if isinstance(path, Arch):
        return path in space
    for name, decision in path.items():
        if isinstance(decision, EdgeWeights):
            continue
        allowed = space.allowed_codes[space.column(name)].tolist()
        if isinstance(decision, Mixture):
            used = set(range(len(decision.weights)) if decision.run is None else decision.run)
        else:
            used = {decision} if isinstance(decision, int) else set(decision)
        if not used <= set(allowed):
            return False
    return True


class _Watched(Executor):
    """An executor that looks at everything before and after each move."""

    def __init__(self, state: TrainingState, trial: Trial, moved: set[str]) -> None:
        fabric = launch(accelerator="cpu", devices=1, strategy="auto", precision="32-true")
        data = trial.data if state.recipe.data is None else state.recipe.data(trial.data)
        super().__init__(fabric, state.net, state.steppers, data, batch_size=trial.batch_size, seed=0, draws={})
        self._state, self._moved = state, moved

    def execute(self, move: Move, step: Step) -> Result:
        before = self._tensors()
        result = super().execute(move, step)
        self._moved.update(move.families)
        changes: dict[str, list[str]] = {}
        for (family, name), tensor in self._tensors().items():
            if not torch.equal(before[family, name], tensor):
                changes.setdefault(family, []).append(name)
        on = " and the ".join(move.families)
        for family in move.families:
            assert family in changes, f"a move on the {on} changed nothing of the {family}"
        for family, names in changes.items():
            statistics = family == "buffers" and WEIGHTS in move.families
            free = statistics or family in move.families or family.startswith("buffers of")
            assert free, f"a move on the {on} changed {names[0]} of the {family}"
        everything = [self.net, *self._state.parts.values()]
        left = [name for module in everything for name, p in module.named_parameters() if p.grad is not None]
        assert not left, f"a move on the {on} left a gradient on {left[0]}"
        return result

    def _tensors(self) -> dict[tuple[str, str], Tensor]:
        """Everything that a move may find, by family; a parameter in none is in its part, or in `buffers`."""
        family = {id(p): name for name, stepper in self.steppers.items() for p in stepper.parameters}
        modules = {"buffers": self.net, **self._state.parts}
        found: dict[tuple[str, str], Tensor] = {}
        for part, module in modules.items():
            for name, parameter in module.named_parameters():
                found[family.get(id(parameter), part), f"{part}.{name}"] = parameter.detach().clone()
            for name, buffer in module.named_buffers():
                of = part if module is self.net else f"buffers of {part}"
                found[of, f"{part}.{name}"] = buffer.detach().clone()
        return found


def _tensors(trained: Trained) -> dict[str, Tensor]:
    parts = {
        f"{part} {name}": value for part, module in trained.parts.items() for name, value in module.state_dict().items()
    }
    return {**trained.net.state_dict(), **parts}


def _newest(run: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    path = checkpoint.latest(run / "checkpoints")
    assert path is not None, f"{run} holds no checkpoint"
    return checkpoint.load(path)


def _different(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    unmatched = sorted(set(one) ^ set(other))
    return unmatched + [name for name in sorted(set(one) & set(other)) if not torch.equal(one[name], other[name])]


def _accuracy(net: Supernet, arch: Arch, data: Data) -> float:
    """On validation images, with the batch norm statistics of their batch."""
    net = copy.deepcopy(net).train()
    batch = next(data.validation.batches(256, limit=256))
    with torch.no_grad(), evaluating(all_but_normalisation(net)):
        return float((net(batch.x, arch).argmax(1) == batch.y).float().mean())
