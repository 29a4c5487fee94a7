"""What every method promises that mixes options by what it has learned: laws over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cell_nets import cells_net
from method_trials import squares
from small_nets import executor, operations_net
from supernet import Supernet, catalog, methods
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space.restriction import Restriction
from supernet.train import Adam, Recipe, Step
from supernet.train.parametrisations._protocol import Parametrisation
from supernet.train.state import TrainingState
from two_domains import domains

NOT_A_DISTRIBUTION = {
    "dots": "every group of operations sums to 1",
    "ista_nas": "codes are sparse",
    "nas_ood": "codes are sparse",
    "sdarts": "weights are disturbed",
}
"""Methods whose weights do not sum to 1, and why."""


def coupled() -> list[str]:
    """The methods for cells that mix options by what they have learned; not so `OTHERS`."""
    return [entry.name for entry in catalog.own("methods") if entry.family == "cells" and entry.name not in OTHERS]


OTHERS = frozenset({"enas", "sparsenas", "spider"})
"""SPIDER learns no logits; ENAS mixes nothing but draws options, and SparseNAS needs nodes of any set of edges, none
among them: their own tests go through these laws, as far as they make sense there."""
COUPLED = coupled()


NEEDS_NODES = frozenset({"dots", "entrannas", "ista_nas", "nas_ood", "p_darts", "pc_darts"})


OPTIONS: dict[str, dict[str, Any]] = {"cdarts": {"held_back": ("conv3", "skip")}}
"""What the net has of what a method needs."""


def net_for(name: str) -> Supernet:
    net = cells_net() if name in NEEDS_NODES else operations_net()
    net.input_shape = squares().shape
    return net


def recipe_of(name: str, net: Supernet) -> Recipe:
    recipe: Recipe = getattr(methods, name)(**OPTIONS.get(name, {}))
    return recipe.on(net.space)


def program_of(name: str, net: Supernet) -> tuple[Any, str]:
    """The program by which the architecture learns, in CDARTS that of a search, and the part that it moves."""
    phases = recipe_of(name, net).phases
    program: Any = phases[{"cdarts": -1, "nas_ood": 1}.get(name, 0)].program  # others come before the search
    return program, program.together.architecture if name == "cdarts" else program.part


def decide(name: str, restriction: Restriction, part: nn.Module) -> tuple[set[str], str]:
    """Leave one option of a choice, or of all choices of a node, as codes have it: their names and the parameter."""
    if name in ("ista_nas", "nas_ood"):
        number, node = next((n, node) for n, node in enumerate(part.nodes) if node.name == "normal.3")  # type: ignore[arg-type, union-attr]
        decided = node.options(node.strongest([1.0] * len(node.places), 2))
        decided |= {edge.choice.name: "conv1" for edge in node.edges if edge.choice.name not in decided}
        parameter = f"compressed.{number}"
    else:
        choices = [(place, choice) for place, choice in enumerate(part.choices) if is_operation(choice.name)]  # type: ignore[arg-type, union-attr]
        place, choice = choices[1]
        decided, parameter = {choice.name: choice.options[0]}, f"logits.{place}"
    for choice_name, option in decided.items():
        restriction.decide(choice_name, option)
    return set(decided), parameter


def is_operation(name: str) -> bool:
    return "<-" in name or "block" in name


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
    program, part_name = program_of(name, step.net)
    part = step.parts[part_name]
    assert isinstance(part, Parametrisation)
    relaxation = program.relaxation
    if use == "weights" and getattr(program, "weights_relaxation", None) is not None:
        relaxation = program.weights_relaxation
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
    first = next(choice for choice in net.space.choices if is_operation(choice.name))
    free = drawn(at(name)[0], name, "weights")[first.name]
    assert isinstance(free, Mixture)
    strongest = int(free.weights.abs().argmax())
    restriction = Restriction(net.space)
    restriction.allow(first.name, [option for place, option in enumerate(first.options) if place != strongest])
    step, _ = at(name, restriction=restriction)
    part = step.parts[program_of(name, net)[1]]
    decided, parameter = decide(name, restriction, part)
    for use in ("weights", "architecture"):
        decisions = drawn(step, name, use)
        mixture = decisions[first.name]
        assert isinstance(mixture, Mixture)
        assert mixture.weights[strongest].item() == 0
        assert mixture.run is None or strongest not in mixture.run
        for choice in decided:
            decision = decisions[choice]
            assert decision == 0 or (isinstance(decision, Mixture | EdgeWeights) and not decision.weights.requires_grad)
        total = sum((values * torch.arange(len(values))).sum() for _, values in weights(decisions))
        assert isinstance(total, torch.Tensor)
        if total.requires_grad:
            found = dict(part.named_parameters())
            grads = torch.autograd.grad(total, list(found.values()), allow_unused=True)
            assert dict(zip(found, grads, strict=True))[parameter] is None


@pytest.mark.parametrize("name", [name for name in COUPLED if name != "nas_ood"])  # it needs images of domains
def test_what_is_decided_does_not_move_under_adam(name: str) -> None:
    """Neither momentum nor weight decay reach parameters that have no gradient, nor does a penalty on them."""
    net = net_for(name)
    restriction = Restriction(net.space)
    recipe = recipe_of(name, net)
    run = executor(net, domains() if name == "nasda" else squares(), recipe=recipe)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run.steppers = state.steppers
    program, part_name = program_of(name, net)
    part = state.parts[part_name]
    updates = state.steppers[part_name].updates
    assert isinstance(updates.optimiser, Adam)
    memory = {"evaluated": [0] * len(net.space.names)}  # of CDARTS: what its other network runs
    for index in range(12):
        if index == 4:
            _, parameter = decide(name, restriction, part)
            before = {n: p.detach().clone() for n, p in part.named_parameters()}
        run.begin()
        step = Step(80 + index, 100, net, np.random.default_rng(index), state.parts, seed=0, memory=memory)
        step = replace(step, restriction=restriction, runner=run)
        for move in program.moves(step):
            run.execute(move, step)
    moved = [n for n, p in part.named_parameters() if not torch.equal(p.detach(), before[n])]
    assert parameter not in moved
    assert moved, "nothing else has moved either"
