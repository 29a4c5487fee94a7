"""AlphaNet: a sandwich whose subnets learn from the largest by the larger of two divergences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dropping_nets import dropping_net
from method_trials import moves, on_digits, squares
from small_nets import executor, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.methods import alphanet, attentivenas
from supernet.train import AdaptiveDivergence, Sandwich, sgd

TRIALS = {"alphanet": lambda: on_digits(alphanet().with_weights(lr=0.03, per=None), dropping_net())}
ALTERNATIVES = {
    "alphas": (-0.5, 2.0),
    "clip": 2.0,
    "random": 3,
    "drop_path": 0.1,
    "label_smoothing": 0.5,
    "regularise": "all",
    "weights": sgd(0.1),
}
SETTINGS = {"alphas": (-1.0, 1.0), "clip": 5.0, "random": 2, "drop_path": 0.2, "regularise": "first"}
SMOOTHING = 0.1
SHORT = {"drop_path": 0.0}  # for nets without drop-path
REFUSED_BY = {"dynas", "k_shot"}


def test_all_but_sampling_and_loss_is_attentivenas() -> None:
    recipe, other = alphanet(), attentivenas()
    assert (recipe.weights, recipe.settings) == (other.weights, other.settings)
    (program,), (theirs,) = recipe.programs, other.programs
    assert program.sampler == Sandwich(2)  # type: ignore[attr-defined]
    assert replace(theirs, sampler=program.sampler, objective=program.objective) == program  # type: ignore[attr-defined, type-var]
    assert program.objective == AdaptiveDivergence(label_smoothing=0.1, alphas=(-1.0, 1.0), clip=5.0)  # type: ignore[attr-defined]


def test_the_subnets_learn_from_the_largest_and_only_it_from_labels() -> None:
    net = dropping_net()
    (move,) = moves(alphanet(), net)
    assert [path.dropout for path in move.paths] == [True, False, False, False]
    run, now, earlier = executor(net, squares()), step(net), []
    batch = run.batch("train")
    wrong = Batch(batch.x, (batch.labels + 1) % 10)
    for number, path in enumerate(move.paths):
        path = replace(path, dropout=False)
        loss, outcome = run.run(path, batch, now, earlier)
        assert (loss.item() != run.run(path, wrong, now, earlier)[0].item()) == (number == 0)
        if number:
            q, p = outcome.logits.softmax(1), earlier[0].logits.softmax(1)
            ratio = ((p / q) ** -1).clamp(max=5)
            both = torch.stack([((q * ratio).sum(1) - 1) / 2, (p * (p / q).log()).sum(1)])
            assert loss.item() == pytest.approx(both.max(0).values.mean().item(), rel=1e-3, abs=1e-6)
        earlier.append(outcome.detached())


def test_two_alphas_are_needed() -> None:
    with pytest.raises(UsageError, match="give two"):
        alphanet(alphas=(1.0, 1.0))
    with pytest.raises(UsageError, match="drop-path"):
        alphanet(drop_path=-0.1)
