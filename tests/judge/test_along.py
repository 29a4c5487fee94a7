"""The ranking while a training or a search goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from small_nets import images, operations_net, sgd, step
from supernet import measure
from supernet.errors import UsageError
from supernet.judge import OrderAlong, RankAlong, Truth
from supernet.measure import Calibration
from supernet.nn import Supernet
from supernet.quantity import LOSS
from supernet.rank import kendall_tau, order_preservation, spearman_rho, tau_in_true_top, top_id
from supernet.space import Choice, Space
from supernet.train import Recipe, TrainPaths, Uniform, fit


def table(net: Supernet, *, seed: int = 0) -> Truth:
    archs = list(net.space.enumerate())
    return Truth.of(archs, np.random.default_rng(seed).permutation(len(archs)) / len(archs))


def scores(net: Supernet, truth: Truth) -> np.ndarray:
    archs = net.space.wrap(net.space.codes(truth.archs))
    return np.asarray(measure.accuracies(net, archs, images(n=300), calibration=Calibration(images=512)))


def flat(net: Supernet) -> None:
    """Give every image the same logits."""
    head = [module for module in net.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()


def test_the_figures_are_those_of_the_measures() -> None:
    net = operations_net()
    truth = table(net)
    row = RankAlong(images(n=300), truth, every=1, n=9)(step(net))
    predicted = scores(net, truth)
    params = measure.cost_model(net, images(n=300).shape).params(net.space.codes(truth.archs))
    assert row == pytest.approx(
        {
            "rank/kendall_tau": kendall_tau(predicted, truth.mean),
            "rank/spearman_rho": spearman_rho(predicted, truth.mean),
            "rank/top_id_rate@0.2": top_id(0.2)(predicted, truth.mean),
            "rank/kendall_tau_params": kendall_tau(params, truth.mean),
            "rank/accuracy_std": np.std(predicted),
        }
    )


def test_tau_within_the_top_is_that_of_the_truly_best_fifth() -> None:
    space = Space([Choice("a", tuple(range(20)))])
    rng = np.random.default_rng(0)
    predicted, true = rng.normal(size=(2, 20))
    from supernet.judge.along import _figures

    assert _figures(predicted, true)["tau_in_true_top@0.2"] == pytest.approx(tau_in_true_top(0.2)(predicted, true))
    assert space.size == 20


def test_low_is_better_where_the_table_says_so() -> None:
    net = operations_net()
    truth = table(net)
    losses = replace(truth, values=-truth.values, metric=LOSS)
    assert RankAlong(images(n=300), losses, every=1)(step(net)) == RankAlong(images(n=300), truth, every=1)(step(net))


def test_a_collapsed_supernet_ranks_nothing_and_stops_nothing() -> None:
    net = operations_net()
    flat(net)
    row = RankAlong(images(n=300), table(net), every=1)(step(net))
    assert set(row) == {"rank/kendall_tau_params", "rank/accuracy_std"}
    assert row["rank/accuracy_std"] == 0


def test_the_sample_stays_the_same_and_spans_the_table() -> None:
    net = operations_net()
    truth = table(net)
    first, second = (RankAlong(images(n=300), truth, every=1, n=4, seed=3) for _ in range(2))
    assert len(first.sample) == 4
    assert (first.sample.codes == second.sample.codes).all()
    assert first.sample.mean.min() < 0.25 < 0.75 < first.sample.mean.max()
    with pytest.raises(UsageError, match="ranking of 2 architectures"):
        RankAlong(images(n=300), truth, every=1, n=2)


def test_it_is_a_monitor_and_disturbs_no_training(tmp_path: Path) -> None:
    recipe = Recipe(name="r", program=TrainPaths(sampler=Uniform()), weights=sgd())
    weights = []
    for monitored in (True, False):
        net = operations_net()
        monitors = [RankAlong(images(n=300), table(net), every=4)] if monitored else []
        options = {"steps": 8, "batch_size": 16, "accelerator": "cpu", "progress": False, "log_every": 4}
        trained = fit(net, recipe, images(n=300), monitors=monitors, **options)
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
        assert ["rank/accuracy_std" in row for row in trained.history] == [monitored, monitored]
    assert torch.equal(*weights)


def test_order_along_the_generations() -> None:
    net = operations_net()
    truth = table(net)
    ranked = [truth.archs[row] for row in np.argsort(-truth.mean)]
    along = OrderAlong(images(n=300), truth, good=ranked[:3], poor=ranked[4:], every=2)
    before = scores(net, truth)
    assert along(net, 1) == {}
    row = along(net, 0)
    rows = np.argsort(-truth.mean).tolist()
    expected = order_preservation(before, truth.mean, good=rows[:3], poor=rows[4:])
    assert row["order/found"] == expected.found
    assert row.get("order/local_tau") == expected.local_tau
    flat(net)
    assert along(net, 2) == {"order/found": pytest.approx(9 / 8)}  # by chance alone: 3 of 8, three times
    assert [order.local_tau for order in along.order()] == [expected.local_tau, None]
    along(net, 2)
    told = json.loads(json.dumps(along.to_json(), allow_nan=False))
    assert [row["generation"] for row in told["rows"]] == [0, 2]
    assert told["rows"][0]["scores"] == [before[place] for place in rows[:3] + rows[4:]]
    assert told["good"][0] == ranked[0].options()
    assert len(told["true"]) == 8


def test_good_and_poor_are_drawn_from_the_table() -> None:
    space = Space([Choice("a", tuple(range(20))), Choice("b", tuple(range(20)))])
    truth = Truth.of(list(space.enumerate()), np.random.default_rng(0).normal(size=400))
    along = OrderAlong(images(n=300), truth)
    assert (len(along.good), len(along.poor)) == (10, 20)
    assert min(truth.lookup(along.good)) > np.quantile(truth.mean, 0.94) > max(truth.lookup(along.poor)) - 1
    assert along.order() == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"good": slice(3)}, "both the good and the poor"),
        ({"good": slice(3), "poor": slice(4, 9), "every": 0}, "every is 0"),
        ({"good": slice(4, 7), "poor": slice(3)}, "every good one must be better"),
        ({"good": slice(2), "poor": slice(4, 9)}, "at least three good"),
        ({}, "10 good and 20 poor architectures were to be drawn"),
    ],
)
def test_bad_orders_are_refused_before_the_search(options: dict[str, object], says: str) -> None:
    net = operations_net()
    truth = table(net)
    ranked = [truth.archs[row] for row in np.argsort(-truth.mean)]
    chosen = {name: ranked[value] if isinstance(value, slice) else value for name, value in options.items()}
    with pytest.raises(UsageError, match=says):
        OrderAlong(images(n=300), truth, **chosen)
