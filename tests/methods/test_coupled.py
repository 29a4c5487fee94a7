"""What every method promises that mixes options by what it has learned: laws over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cell_nets import cells_net
from small_nets import operations_net
from supernet import Supernet, catalog, methods
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space.restriction import Restriction
from supernet.train import Adam, Recipe, Step
from supernet.train.parametrisations._protocol import Parametrisation
from supernet.train.state import TrainingState

NOT_A_DISTRIBUTION = {
    "dots": "every group of operations sums to 1",
    "ista_nas": "codes are sparse",
    "sdarts": "weights are disturbed",
    "sparse_nas": "weights are what proximal steps leave",
}
"""Methods whose weights do not sum to 1, and why."""


def coupled() -> list[str]:
    """The methods for cells that mix options by a relaxation; not so `OTHERS`."""
    return [entry.name for entry in catalog.own("methods") if entry.family == "cells" and entry.name not in OTHERS]


OTHERS = frozenset({"cdarts", "enas", "ista_nas"})
"""α of CDARTS moves in cycles alone, codes of ISTA-NAS belong to nodes, and ENAS mixes nothing but draws options: their
own tests go through these laws, as far as they make sense there."""
COUPLED = coupled()


NEEDS_NODES = frozenset({"dots", "en_tra_nas", "ista_nas", "p_darts", "pc_darts", "sparse_nas"})


def net_for(name: str) -> Supernet:
    return cells_net() if name in NEEDS_NODES else operations_net()


def recipe_of(name: str, net: Supernet) -> Recipe:
    recipe: Recipe = getattr(methods, name)()
    return recipe.on(net.space)


def at(name: str, *, restriction: Restriction | None = None) -> tuple[Step, TrainingState]:
    """The beginning of a training in its middle, and what it consists of."""
    net = net_for(name)
    state = TrainingState(net, recipe_of(name, net), seed=3, batch_size=16)
    with torch.no_grad():
        for part in state.parts.values():
            for number, parameter in enumerate(part.parameters()):
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape).roll(number))
    step = Step(50, 100, net, np.random.default_rng(0), state.parts, seed=3, restriction=restriction)
    return step, state


def drawn(step: Step, name: str, use: str) -> Decisions:
    program = recipe_of(name, step.net).phases[0].program
    part = step.parts[program.part]  # type: ignore[attr-defined]
    assert isinstance(part, Parametrisation)
    relaxation = program.relaxation  # type: ignore[attr-defined]
    if use == "weights" and getattr(program, "weights_relaxation", None) is not None:
        relaxation = program.weights_relaxation  # type: ignore[attr-defined]
    return part.draw(step, relaxation, use)


def weights(decisions: Decisions) -> Iterator[tuple[str, torch.Tensor]]:
    for name, decision in decisions.items():
        if isinstance(decision, Mixture | EdgeWeights):
            yield name, decision.weights


def test_there_are_such_methods() -> None:
    assert {"darts", "gdas", "drnas", "snas", "sdarts", "pc_darts"} <= set(COUPLED)


@pytest.mark.parametrize("name", COUPLED)
def test_a_draw_depends_on_the_step_and_its_use_alone(name: str) -> None:
    """Drawing for the architecture leaves what is drawn for the weights, and torch's generator, as they were."""
    step, _ = at(name)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = dict(weights(drawn(step, name, "weights")))
    drawn(step, name, "architecture")
    torch.manual_seed(6)
    again = dict(weights(drawn(step, name, "weights")))
    assert all(torch.equal(values, again[choice]) for choice, values in first.items())
    torch.manual_seed(5)
    drawn(step, name, "weights")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [name for name in COUPLED if name not in NOT_A_DISTRIBUTION])
def test_weights_of_options_sum_to_one(name: str) -> None:
    step, _ = at(name)
    nodes = set(step.net.nodes) - set(step.net.space.names)
    for use in ("weights", "architecture"):
        for choice, values in weights(drawn(step, name, use)):
            if choice not in nodes and choice in step.net.space.names and not choice.endswith(".2"):
                assert values.detach().min() >= 0
            if "<-" in choice or choice.startswith("block"):
                assert values.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", COUPLED)
def test_what_is_forbidden_has_no_weight_and_what_is_decided_no_gradient(name: str) -> None:
    net = net_for(name)
    restriction = Restriction(net.space)
    first, second = [choice for choice in net.space.choices if "<-" in choice.name or "block" in choice.name][:2]
    restriction.allow(first.name, first.options[1:])
    restriction.decide(second.name, second.options[0])
    step, state = at(name, restriction=restriction)
    for use in ("weights", "architecture"):
        decisions = drawn(step, name, use)
        mixture = decisions[first.name]
        assert isinstance(mixture, Mixture)
        assert mixture.weights[0].item() == 0
        assert mixture.run is None or 0 not in mixture.run
        assert decisions[second.name] == 0
        if any(values.requires_grad for _, values in weights(decisions)):
            total = sum((values * torch.arange(len(values))).sum() for _, values in weights(decisions))
            assert isinstance(total, torch.Tensor)
            part = step.parts[recipe_of(name, net).phases[0].program.part]  # type: ignore[attr-defined]
            grads = torch.autograd.grad(total, list(part.parameters()), allow_unused=True)
            by_name = dict(zip((n for n, _ in part.named_parameters()), grads, strict=True))
            places = [place for place, choice in enumerate(getattr(part, "choices", ())) if choice is second]
            for place in places:
                assert by_name.get(f"logits.{place}") is None
    assert state.parts


@pytest.mark.parametrize("name", COUPLED)
def test_a_decided_choice_does_not_move_under_adam(name: str) -> None:
    """Neither momentum nor weight decay reach logits that have no gradient."""
    from method_trials import squares
    from small_nets import executor

    net = net_for(name)
    restriction = Restriction(net.space)
    decided = next(choice for choice in net.space.choices if "<-" in choice.name or "block" in choice.name)
    recipe = recipe_of(name, net)
    run = executor(net, squares(), recipe=recipe)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run.steppers = state.steppers
    program = recipe.phases[0].program
    part = state.parts[program.part]  # type: ignore[attr-defined]
    assert isinstance(part, nn.Module)
    updates = state.steppers[program.part].updates  # type: ignore[attr-defined]
    assert isinstance(updates.optimiser, Adam)
    for index in range(12):
        if index == 4:
            restriction.decide(decided.name, decided.options[0])
            before = {n: p.detach().clone() for n, p in part.named_parameters()}
        run.begin()
        step = Step(80 + index, 100, net, np.random.default_rng(index), state.parts, seed=0)
        step = replace(step, restriction=restriction, runner=run)
        for move in program.moves(step):
            run.execute(move, step)  # type: ignore[arg-type]
    place = next(place for place, choice in enumerate(part.choices) if choice.name == decided.name)  # type: ignore[union-attr, arg-type]
    moved = [n for n, p in part.named_parameters() if not torch.equal(p.detach(), before[n])]
    assert f"logits.{place}" not in moved
    assert moved, "nothing else has moved either"
