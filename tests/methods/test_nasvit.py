"""NASViT: teachers from outside, a sandwich taught by its largest subnet, whose gradient is projected."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from method_trials import digits, moves, on_digits, squares
from small_nets import elastic_net, executor, step
from supernet import Supernet
from supernet.data import Augmented, Batch, Mixed
from supernet.errors import UsageError
from supernet.methods import alphanet, nasvit
from supernet.train import Mean, Move, ProjectLargest, Recipe, Sandwich, Sum, Teachers, sgd
from supernet.train.combines._protocol import Gradients
from supernet.train.state import TrainingState


class Centroids(nn.Module):
    """Logits by the distance of an image from the mean image of each class of the digits."""

    def __init__(self) -> None:
        super().__init__()
        batch = next(digits().train.batches(1150))
        self.register_buffer("means", torch.stack([batch.images[batch.labels == k].mean(0) for k in range(10)]))

    def forward(self, x: Tensor) -> Tensor:
        return -torch.cdist(x.flatten(1), self.get_buffer("means").flatten(1)) / 3


def centroids() -> nn.Module:
    return Centroids()


TEACHERS = Teachers(networks=(centroids, centroids))
FAST = {"lr": 0.02, "per": None}

TRIALS = {
    "nasvit": lambda: on_digits(nasvit().with_weights(**FAST), elastic_net()),
    "nasvit, taught": lambda: on_digits(nasvit(teachers=TEACHERS).with_weights(**FAST), elastic_net()),
}
ALTERNATIVES = {
    "teachers": TEACHERS,
    "combine": Sum(),
    "alphas": (-0.5, 2.0),
    "clip": 2.0,
    "random": 3,
    "augmented": None,
    "mixed": None,
    "label_smoothing": 0.5,
    "weights": sgd(0.1),
}
SETTINGS = {
    "teachers": "labels",
    "combine": ProjectLargest(begin=101 / 400, limit=2.0, clip_norm=1.0),
    "alphas": (-1.0, 1.0),
    "clip": 5.0,
    "random": 2,
    "augmented": Augmented(rand_augment=(1, 3)),
    "mixed": Mixed(mixup=0.01, cutmix=0.01, switch=0.5, probability=1.0, erase=0.01),
}
SMOOTHING = 0.1
REFUSED_BY = {"dynas", "k_shot", "sum_nas"}


def test_defaults_are_the_published_ones() -> None:
    weights, net = nasvit().weights, elastic_net()
    (group,) = weights.optimiser([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (3e-4, (0.9, 0.999), 1e-8, 0.0)
    assert type(weights.optimiser([{"params": [nn.Parameter(torch.zeros(1))]}])) is torch.optim.AdamW
    assert (weights.clip_norm, weights.clip_value) == (None, None)
    recipe = nasvit().weights
    state = TrainingState(net, nasvit(), seed=0, batch_size=64)  # the command of the README
    rates = {index: state.steppers["weights"].lr(step(net, index, total=40_000), []) for index in (0, 500, 39_999)}
    assert rates[0] == pytest.approx(5e-7 * 64 / 512)
    assert rates[500] == pytest.approx(3.75e-5, rel=2e-3)
    assert rates[39_999] == pytest.approx(5e-6 * 64 / 512, rel=1e-3)
    assert recipe.optimiser.per == 512  # type: ignore[attr-defined]


def test_a_step_is_the_largest_the_smallest_and_two_more() -> None:
    net = elastic_net()
    (move,) = moves(nasvit(), net)
    assert [path.decisions for path in move.paths[:2]] == [net.space.largest(), net.space.smallest()]
    assert len(move.paths) == 4
    assert [path.dropout for path in move.paths] == [True, False, False, False]
    (program,) = nasvit().programs
    assert program.sampler == Sandwich(2, smallest="second")  # type: ignore[attr-defined]


def losses(recipe: Recipe, net: Supernet, change: int) -> list[float]:
    """The loss of each path on one batch whose labels were turned by so many classes."""
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run, now = executor(net, squares(), recipe=recipe), step(net, parts=state.parts)
    batch = run.batch("train")
    turned, earlier, found = Batch(batch.x, (batch.labels + change) % 10), [], []
    (move,) = recipe.programs[0].moves(now)
    assert isinstance(move, Move)
    for path in move.paths:
        loss, outcome = run.run(replace(path, dropout=False), turned, now, earlier)
        earlier.append(outcome.detached())
        found.append(loss.item())
    return found


def test_no_label_enters_the_training_of_subnets_nor_with_teachers_that_of_the_largest() -> None:
    for recipe, same in ((nasvit(), [False, True, True, True]), (nasvit(teachers=TEACHERS), [True] * 4)):
        net = elastic_net()
        one, other = losses(recipe, net, 0), losses(recipe, net, 3)
        assert [a == b for a, b in zip(one, other, strict=True)] == same


def test_the_largest_learns_from_the_mean_of_sharpened_teachers() -> None:
    net, recipe = elastic_net(), nasvit(teachers=TEACHERS)
    run = executor(net, squares(), recipe=recipe)
    now = step(net, parts=TrainingState(net, recipe, seed=0, batch_size=16).parts)
    (move,) = recipe.programs[0].moves(now)
    assert isinstance(move, Move)
    batch = run.batch("train")
    loss, outcome = run.run(move.paths[0], batch, now, [])
    with torch.no_grad():
        target = (5 * Centroids()(batch.images)).softmax(1)
    assert loss.item() == pytest.approx(-(target * outcome.logits.log_softmax(1)).sum(1).mean().item(), rel=1e-5)


def test_the_subnets_learn_by_alphanets_divergence() -> None:
    net = elastic_net()
    alphas = losses(alphanet(drop_path=0), net, 0)
    ours = losses(nasvit(), net, 0)  # the same start of the generator: the random subnets are the same
    assert ours[0] == alphas[0]
    assert sorted(ours[1:]) == pytest.approx(sorted(alphas[1:]))


# -- the projection ------------------------------------------------------------------------------------------------


def joined(largest: Tensor, *others: Tensor, index: int = 9, **settings: float | None) -> tuple[Tensor, Tensor]:
    """What the default combination makes of gradients at a step of 10; and the others' as it was counted."""
    combine = replace(ProjectLargest(), **settings)  # type: ignore[arg-type]
    given: list[Gradients] = [[gradient.clone()] for gradient in (largest, *others)]
    (found,) = combine.join(given, step(elastic_net(), index).progress)
    total = torch.stack(others).sum(0)
    norm = combine.clip_norm
    return found or torch.zeros(()) if found is None else found, total if norm is None else total * min(
        1.0, norm / (float(total.norm()) + 1e-6)
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_gradient_is_never_in_conflict_with_the_subnets_while_the_limit_is_not_reached(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    largest, *others = (torch.randn(50, generator=draw, dtype=torch.float64) for _ in range(4))
    largest = largest - 0.7 * torch.stack(others).sum(0) * (seed % 2)  # half of them contradict
    found, rest = joined(largest, *others, clip_norm=None)
    inner = torch.dot(largest, rest)
    assert torch.dot(found, rest) > 0
    if inner < 0:
        assert 0 < -inner / rest.square().sum() < 2
        assert torch.dot(found - rest, rest).abs() < 1e-5  # what the largest is left with
    else:
        torch.testing.assert_close(found, largest + rest)


def test_beyond_the_limit_it_may_contradict_the_subnets() -> None:
    found, rest = joined(torch.tensor([-5.0, 0.0]), torch.tensor([1.0, 0.0]))
    assert torch.dot(found, rest) < 0


def test_it_may_contradict_the_largest() -> None:
    largest = torch.tensor([-1.0, 0.1])
    found, rest = joined(largest, torch.tensor([0.9, 0.0]))
    assert torch.dot(largest, rest) < 0
    assert torch.dot(found, largest) < 0 <= torch.dot(found, rest)
    plain, _ = joined(largest, torch.tensor([0.9, 0.0]), index=0)
    assert torch.dot(plain, largest) > 0, "the plain sum did not"


def test_before_its_beginning_the_gradients_are_added() -> None:
    largest, other = torch.tensor([-2.0, 1.0]), torch.tensor([0.5, 0.0])
    for index, expected in ((0, [-1.5, 1.0]), (2, [-1.5, 1.0]), (3, [-0.5, 1.0])):  # 25.25 % of ten steps
        assert joined(largest, other, index=index)[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_training_joins_by_it() -> None:
    net, recipe = elastic_net(), nasvit()
    (move,) = moves(recipe, net)
    assert move.combine == ProjectLargest()
    assert nasvit(combine=Mean()).programs[0].combine == Mean()  # type: ignore[attr-defined]


# -- what does not fit ---------------------------------------------------------------------------------------------


def test_other_teachers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"learn from 'label'; give Teachers"):
        nasvit(teachers="label")  # type: ignore[arg-type]


def test_teachers_are_no_part_of_checkpoints_and_described_by_name() -> None:
    recipe = nasvit(teachers=Teachers(networks=(centroids, "a.pt2")))
    part = recipe.describe()["parts"]["teachers"]
    assert json.dumps(part["build"]["networks"][1]) == '"a.pt2"'
    assert part["build"]["networks"][0].endswith(":centroids")
    assert part["kept"] is False
