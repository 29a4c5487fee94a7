"""DrNAS: its settings, its samples, the pull of the anchor, and that it finds what was planted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cell_nets import assert_stops_leave_no_trace
from method_trials import moves, on_digits, published, squares, train
from small_nets import elastic_net, operations_net
from supernet import Mixture, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, drnas
from supernet.methods.cells.drnas import (
    ARCHITECTURE,
    ARCHITECTURE_DARTS,
    BEGIN_DARTS,
    PROGRESSIVE_DARTS,
    PROGRESSIVE_IMAGENET,
    PROGRESSIVE_NAS_BENCH_201,
    WEIGHTS_DARTS,
)
from supernet.nn import Decisions
from supernet.train import (
    Constant,
    Context,
    CrossEntropy,
    Dirichlet,
    DirichletAnchor,
    KeepStrongest,
    Move,
    Phase,
    Ramp,
    Recipe,
    Step,
    Term,
    Terms,
    WidenPartial,
    adam,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Result
from supernet.zoo.cells.cell_edge import PartialChannels

WITHOUT_DECAY = ARCHITECTURE.with_settings(weight_decay=0.0)

TRIALS = {
    "drnas": lambda: on_digits(drnas().with_weights(lr=0.1), operations_net()),
    "drnas, divergence": lambda: on_digits(
        drnas(divergence=1e-3, architecture=WITHOUT_DECAY).with_weights(lr=0.1), operations_net()
    ),
    "drnas, progressive": lambda: on_digits(progressive().with_weights(lr=0.1), cells()),
}
ALTERNATIVES = {
    "divergence": 1e-3,
    "order": 2,
    "begin": 0.5,
    "stages": (WidenPartial(partial=4),),
    "exclude": ("skip",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
SETTINGS = {"divergence": 0.0, "order": 1, "begin": 0.0, "stages": (), "exclude": ()}


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


# -- progressive learning ----------------------------------------------------------------------------------------------


def cells(partial: int = 6) -> Supernet:
    operations = ("skip_connect", "max_pool_3x3", "sep_conv_3x3")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return zoo.darts(
            channels=12,
            layers=3,
            nodes=1,
            operations=operations,
            partial=partial,
            stem_multiplier=1,
            in_channels=1,
            image_size=8,
        )


def progressive(**options: Any) -> Recipe:
    return drnas(**{"stages": (WidenPartial(partial=4, keep=KeepStrongest(2, clear=True)),), "begin": 0.4, **options})


def test_two_stages_of_25_epochs_are_one_training() -> None:
    """x waits for 10 epochs in each; K, options and the network change halfway; the learning rate is one cosine."""
    seen: list[tuple[int, str, int, int]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        edge = next(module for module in self.net.modules() if isinstance(module, PartialChannels))
        assert now.restriction is not None
        left = len(now.restriction.allowed("normal.2<-0"))
        seen.append((now.done, str(move.updates), int(edge.width), left))
        return original(self, move, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", noting)
        trained = train(progressive(weights=WEIGHTS_DARTS), net=cells(), steps=50, log_every=1)
    assert [row[0] for row in seen if row[1] == "architecture"] == [*range(10, 25), *range(35, 50)]
    assert [row[2:] for row in seen if row[1] == "weights"] == [(2, 3)] * 25 + [(3, 2)] * 25
    rates = [0.05 * (1 + math.cos(math.pi * epoch / 50)) for epoch in range(50)]
    assert [row["lr"] for row in trained.history] == pytest.approx(rates)
    assert trained.derived in trained.space  # type: ignore[operator]


def test_states_of_the_optimisers_go_on_into_the_next_stage() -> None:
    held: list[list[dict[str, Tensor]]] = []
    original = WidenPartial.__call__

    def noting(self: WidenPartial, context: Context) -> None:
        for _ in range(2):
            states = context.steppers["architecture"].optimizer.state
            held.append([{key: torch.as_tensor(v).clone() for key, v in state.items()} for state in states.values()])
            if len(held) == 1:
                weights = [s["momentum_buffer"] for s in context.steppers["weights"].optimizer.state.values()]
                original(self, context)
        shapes = {p.shape == s["momentum_buffer"].shape for p, s in context.steppers["weights"].optimizer.state.items()}
        assert shapes == {True}
        assert len(context.steppers["weights"].optimizer.state) == len(weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WidenPartial, "__call__", noting)
        train(progressive(begin=0.0), net=cells(), steps=4)
    assert len(held[0]) > 0
    assert all(torch.equal(a[key], b[key]) for a, b in zip(*held, strict=True) for key in a)


@pytest.mark.slow
def test_a_progressive_training_may_be_stopped_after_any_step() -> None:
    trial = Trial(recipe=progressive(), net=cells(), data=squares(), batch_size=16)
    told = assert_stops_leave_no_trace(trial, steps=8)
    taken = {entry["take"]: len(entry["keep"]) for entry in told["journal"]}
    assert {name: taken[name] for name in ("cells.0.partial", "cells.1.partial", "cells.2.partial.joined")} == {
        "cells.0.partial": 3,
        "cells.1.partial": 6,
        "cells.2.partial.joined": 12,
    }


def test_the_published_stages() -> None:
    """C = 36 in 20 cells of K = 6, then 4; on ImageNet 48, 14 and 6, then 3; on NAS-Bench-201 16 and 4, then 2."""
    published_stages = {36: (4, 4), 48: (3, 4), 16: (2, 3)}
    for options, channels, before in (
        (PROGRESSIVE_DARTS, 36, 6),
        (PROGRESSIVE_IMAGENET, 48, 6),
        (PROGRESSIVE_NAS_BENCH_201, 16, 4),
    ):
        first, second = drnas(**options).phases
        assert (first.part, second.part) == ((0.0, 0.5), (0.5, 1.0))
        assert not second.restart
        after, kept = published_stages[channels]
        assert channels % before == channels % after == 0
        assert second.enter == WidenPartial(partial=after, share=True, keep=KeepStrongest(kept, clear=True))
        epochs = 100 if options is PROGRESSIVE_NAS_BENCH_201 else 50
        begins = [phase.program.begin * epochs for phase in (first, second)]  # type: ignore[attr-defined]
        assert begins == pytest.approx([10, epochs / 2 + 10])
    assert published(PROGRESSIVE_IMAGENET["weights"]) == {**published(WEIGHTS_DARTS), "lr": 0.5}
    assert published(PROGRESSIVE_IMAGENET["architecture"])["lr"] == 6e-3


def test_stages_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="those of CellNetwork run on all of them"):
        train(progressive(), net=cells(1), steps=2)
    with pytest.raises(UsageError, match="were to run on 1/6 of them"):
        train(drnas(stages=(WidenPartial(partial=6),)), net=cells(), steps=2)
