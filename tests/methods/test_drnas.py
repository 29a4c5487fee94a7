"""DrNAS: its settings, its samples, the pull of the anchor, and that it finds what was planted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet import Mixture, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.methods import darts, drnas
from supernet.methods.cells.drnas import ARCHITECTURE, ARCHITECTURE_DARTS, BEGIN_DARTS, WEIGHTS_DARTS
from supernet.nn import Decisions
from supernet.train import (
    Constant,
    Context,
    CrossEntropy,
    Dirichlet,
    DirichletAnchor,
    Phase,
    Ramp,
    Recipe,
    Term,
    Terms,
    adam,
    sgd,
)

WITHOUT_DECAY = ARCHITECTURE.with_settings(weight_decay=0.0)

TRIALS = {
    "drnas": lambda: on_digits(drnas().with_weights(lr=0.1), operations_net()),
    "drnas, divergence": lambda: on_digits(
        drnas(divergence=1e-3, architecture=WITHOUT_DECAY).with_weights(lr=0.1), operations_net()
    ),
}
ALTERNATIVES = {
    "divergence": 1e-3,
    "order": 2,
    "begin": 0.5,
    "exclude": ("skip",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
SETTINGS = {"divergence": 0.0, "order": 1, "begin": 0.0, "exclude": ()}


def test_defaults_are_those_of_nas_bench_201() -> None:
    told = published(drnas().weights)
    assert {name: told[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "clip", "end")} == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "clip": 5.0,
        "end": 0.04,
    }
    architecture = drnas().parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (3e-4, (0.5, 0.999), 1e-3, None)
    assert isinstance(architecture.schedule, Constant)


def test_the_space_of_darts_has_settings_of_its_own() -> None:
    told = published(WEIGHTS_DARTS)
    assert (told["lr"], told["end"], told["weight_decay"], told["clip"]) == (0.1, 0.0, 3e-4, 5.0)
    assert published(ARCHITECTURE_DARTS) == {**published(ARCHITECTURE), "lr": 6e-4}
    assert round(50 * BEGIN_DARTS) == 10


def samples(recipe: Recipe, index: int = 5) -> list[list[Tensor]]:
    found = []
    for move in moves(recipe, operations_net(), index=index):
        decisions = move.paths[0].decisions
        assert isinstance(decisions, Decisions)
        found.append([mixture.weights.detach() for mixture in decisions.values() if isinstance(mixture, Mixture)])
    return found


def test_every_move_of_every_step_has_samples_of_its_own() -> None:
    first, again, later = samples(drnas()), samples(drnas()), samples(drnas(), 6)
    for move, same, other in zip(first, again, later, strict=True):
        for one, as_before, another in zip(move, same, other, strict=True):
            assert torch.equal(one, as_before)
            assert (one - another).abs().max() > 0.01
            assert one.sum().item() == pytest.approx(1, abs=1e-5)
    assert all((a - b).abs().max() > 0.01 for a, b in zip(*first, strict=True)), "both moves of a step"
    assert (first[0][0] - first[0][1]).abs().max() > 0.01, "both choices"


def test_the_moves_are_those_of_darts() -> None:
    for options in ({}, {"begin": 0.6}, {"order": 2}):
        mine, theirs = moves(drnas(**options), operations_net()), moves(darts(**options), operations_net())  # type: ignore[arg-type]
        assert [(move.updates, move.data, move.gradient) for move in mine] == [
            (move.updates, move.data, move.gradient) for move in theirs
        ]


def test_the_divergence_is_a_term_of_the_architecture_alone() -> None:
    architecture, weights = moves(drnas(divergence=1e-3), operations_net())
    assert weights.paths[0].objective == CrossEntropy()
    assert architecture.paths[0].objective == Terms(
        (Term("loss", CrossEntropy()), Term("divergence", DirichletAnchor(), 1e-3))
    )
    assert all(move.paths[0].objective == CrossEntropy() for move in moves(drnas(), operations_net()))
    trained = train(drnas(divergence=1e-3), steps=3, log_every=1)
    assert all("term/divergence" in row for row in trained.history)


@pytest.mark.parametrize("divergence", [-1e-3, float("nan"), Ramp(1e-3, -1.0)])
def test_a_divergence_that_drives_away_from_the_anchor_is_refused(divergence: Any) -> None:
    with pytest.raises(UsageError, match="divergence"):
        drnas(divergence=divergence)


def spread(recipe: Recipe) -> float:
    parts = train(recipe, steps=24).parts["architecture"]
    return max(logits.abs().max().item() for logits in parts.parameters())


def test_decay_and_divergence_draw_the_logits_to_the_anchor() -> None:
    quick = adam(0.05, betas=(0.5, 0.999))
    free = spread(drnas(architecture=quick))
    decayed = spread(drnas(architecture=quick.with_settings(weight_decay=10.0)))
    drawn = spread(drnas(architecture=quick, divergence=10.0))
    assert max(decayed, drawn) < free / 2


class Blind(nn.Module):
    """A candidate that passes nothing of the image on."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, 8, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.constant.mean((2, 3), keepdim=True).expand(len(x), -1, *x.shape[-2:])


def planted(useful: int) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == useful else Blind() for i in range(3)}
        return Supernet(
            nn.Sequential(
                OpChoice("block", options), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
            )
        )


@pytest.mark.parametrize("useful", [0, 1, 2])
def test_it_derives_the_only_useful_candidate(useful: int) -> None:
    recipe = drnas(architecture=ARCHITECTURE.with_settings(lr=0.1)).with_weights(lr=0.1)
    trained = train(recipe, net=planted(useful), steps=60)
    assert trained.derived is not None
    assert trained.derived["block"] == f"option{useful}"
    mean = trained.parts["architecture"].probabilities(Dirichlet())["block"]
    assert mean.argmax() == useful
    assert mean[useful] > 0.45


def prune(context: Context) -> None:
    context.restriction.allow("block0", ("conv3", "skip"))


def test_options_may_be_pruned_between_phases() -> None:
    """What progressive learning needs of the relaxation."""
    recipe, net = drnas(architecture=ARCHITECTURE.with_settings(lr=0.1)), operations_net()
    (program,) = recipe.programs
    phases = (
        Phase(name="all", share=1, program=program),
        Phase(name="two", share=1, program=program, enter=prune, restart=False),
    )
    block = next(module for module in net.modules() if isinstance(module, OpChoice))
    runs: list[str] = []
    for name, candidate in block.candidates.items():
        candidate.register_forward_hook(lambda *_, name=name: runs.append(name))
    trained = train(replace(recipe, program=phases), net=net, steps=6)
    assert runs.count("skip") == runs.count("conv1") + 2 * 3, "two moves in each of three steps went without it"
    assert trained.derived is not None
    assert trained.derived["block0"] != "conv1"


def test_excluded_options_are_not_derived_and_sizes_are_refused() -> None:
    trained = train(drnas(exclude=("skip",)), steps=2)
    assert trained.derived is not None
    assert "skip" not in trained.derived.options().values()
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(drnas(), net=elastic_net(), steps=1)
