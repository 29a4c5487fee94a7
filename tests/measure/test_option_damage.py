"""What single options damage, and what their sum says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from small_nets import elastic_net, images
from supernet.errors import UsageError
from supernet.measure.option_damage import DamageMeter, OptionDamage, option_damage


@pytest.mark.parametrize("damage", ["divergence", "loss"])
def test_damage_is_what_it_is_called(damage: str) -> None:
    """By hand: mean Kullback-Leibler divergence from the largest subnet, or the difference of cross-entropies."""
    net, data = elastic_net().eval(), images()
    meter = DamageMeter(net=net, data=data, damage=damage, images=None, batch_size=7)  # type: ignore[arg-type]
    (batch,) = data.validation.batches(10**4)
    with torch.no_grad():
        largest, smallest = (net(batch.x, arch) for arch in (net.space.largest(), net.space.smallest()))
    if damage == "loss":
        by_hand = F.cross_entropy(smallest, batch.y) - F.cross_entropy(largest, batch.y)
    else:
        by_hand = F.kl_div(smallest.log_softmax(1), largest.log_softmax(1), log_target=True, reduction="batchmean")
    assert meter(net.space.smallest()) == pytest.approx(float(by_hand), abs=1e-5)
    assert meter(net.space.largest()) == 0


def test_every_option_is_measured_once_and_what_is_known_is_not_measured_again() -> None:
    net, seen = elastic_net().eval(), list[tuple[str, int, float]]()
    meter = DamageMeter(net=net, data=images())
    found = option_damage(meter, done=lambda *told: seen.append(told))
    assert [told[:2] for told in seen] == [(c.name, code) for c in net.space.choices for code in range(len(c))]
    assert [found.damage[c.name][-1] for c in net.space.choices] == [0, 0, 0], "the largest option costs nothing"
    known = {name: {0: 5.0} for name in net.space.names}
    again = list[tuple[str, int, float]]()
    assert option_damage(meter, known=known, done=lambda *told: again.append(told)).damage["width"][0] == 5.0
    assert [told[:2] for told in again] == [(name, 1) for name in net.space.names]


def test_a_choice_that_is_off_costs_nothing_by_itself() -> None:
    space = elastic_net().space
    found = OptionDamage({"width": (1.0, 0.0), "depth": (10.0, 0.0), "kernel": (100.0, 0.0)})
    estimates = {str(arch): found.estimate(arch) for arch in space.enumerate()}
    assert sorted(estimates.values()) == [0, 1, 10, 11, 100, 101]


def test_another_damage_is_refused() -> None:
    with pytest.raises(UsageError, match="divergence"):
        DamageMeter(net=elastic_net(), data=images(), damage="accuracy")  # type: ignore[arg-type]
