"""Epochs that are rated, and the best of them."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from dense_nets import dense_net
from small_nets import executor, images, step
from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.space.restriction import Restriction
from supernet.train import Context, LikeliestRoute, OfBestEpoch, OptionLogits, RememberDerived
from supernet.train.edits.remember_derived import DERIVED


@pytest.fixture(scope="module")
def net():
    return dense_net()


@dataclass
class Rated:
    """Says one error, and notes what was asked."""

    error: float
    epoch: int
    asked: list[Any]

    def rate(self, targets, data, by) -> list[float]:
        self.asked.append((self.epoch, targets, {"data": data, "images": by.images, "measure": by.measure}))
        return [self.error]


def epochs(net, edit: RememberDerived, errors: list[float]) -> tuple[Context, list[Any], list[str]]:
    """As after each of some epochs of four steps; after epoch n the likeliest way out of block 0 is its n-th, mod 3."""
    logits, memory, asked, told = OptionLogits(net), {}, list[Any](), list[str]()
    run = executor(net, images())
    for epoch, error in enumerate(errors):
        with torch.no_grad():
            {choice.name: values for choice, values in logits.named()}["block0.next"].copy_(
                5.0 * torch.eye(3)[epoch % 3]
            )
        now = step(net, 4 * epoch + 3, total=4 * len(errors), parts={"architecture": logits})
        rated: Any = Rated(error, epoch, asked)
        now = replace(now, memory=memory, restriction=Restriction(net.space), steps_per_epoch=4, runner=rated)
        here = Context(now, run)
        said = edit(here)
        assert said in (None, {"supernet/error": error})
        told.append(str(LikeliestRoute().derive(here)))
    return here, asked, told


def test_the_best_epochs_are_kept_the_best_first_and_of_equals_the_later_one(net) -> None:
    here, asked, told = epochs(net, RememberDerived(begin=0.3), [0.0, 0.0, 0.5, 0.4, 0.6, 0.4, 0.9])
    assert [epoch for epoch, _, _ in asked] == [3, 4, 5, 6], "0.3 of 28 steps are over within epoch 2"
    known = [(entry["epoch"], entry["error"], entry["derived"]) for entry in here.memory[DERIVED]]
    assert known == [(5, 0.4, told[5]), (3, 0.4, told[3])]
    assert len({told[3], told[5], told[6]}) == 2
    assert told[5] not in (told[3], told[6])
    assert str(OfBestEpoch().derive(here)) == told[5]
    here, _, told = epochs(net, RememberDerived(begin=0.0, keep=3), [0.3, 0.1, 0.4, 0.2])
    assert [entry["epoch"] for entry in here.memory[DERIVED]] == [1, 3, 0]
    assert str(OfBestEpoch().derive(here)) == told[1]


def test_all_options_are_rated_on_all_validation_images(net) -> None:
    _, ((_, (decisions,), how),), _ = epochs(net, RememberDerived(begin=0.0), [0.1])
    assert how["data"] == "validation"
    assert how["images"] is None
    assert how["measure"] == "error"
    assert set(decisions) == set(net.space.names)
    assert all(isinstance(one, Mixture) and one.run is None and one.weights.min() > 0 for one in decisions.values())


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="architectures of 0 epochs"):
        RememberDerived(keep=0)
    with pytest.raises(UsageError, match="from which on epochs are rated"):
        RememberDerived(begin=1.0)
