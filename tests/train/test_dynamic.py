"""Subnet-aware dynamic training: learning rates by complexity, momentum by group."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import cache, partial
from pathlib import Path as File

import numpy as np
import pytest
import torch
from torch import nn

from small_nets import images, operations_net, sgd, step
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.nn import Decisions
from supernet.train import (
    ComplexityAwareLR,
    CrossEntropy,
    Linear,
    MomentumSeparation,
    OneGroup,
    OnLoss,
    Path,
    Recipe,
    StrictFair,
    Trained,
    Uniform,
    Updates,
    fit,
)
from supernet.train.updates import Stepper


@cache
def nb201() -> Supernet:
    return zoo.nasbench201()


def train(
    recipe: Recipe, *, steps: int = 6, seed: int = 0, out: File | None = None, stop: int | None = None
) -> Trained:
    net, common = operations_net(), {"progress": False, "accelerator": "cpu", "log_every": 1, "batch_size": 16}
    return fit(
        net, recipe, images(), steps=steps, seed=seed, out=out, resume=out is not None, stop_after=stop, **common
    )


def weights(trained: Trained) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.net.parameters()])


# -- the learning rate ---------------------------------------------------------------------------------------------


def test_the_published_line_and_factors() -> None:
    rule = ComplexityAwareLR()
    w, tau = rule.line(nb201())
    assert (round(w, 5), round(tau, 4)) == (-1.23265, 17.7993), (w, tau)
    small, large = nb201().space.smallest(), nb201().space.largest()
    assert rule.gamma(nb201(), small) == pytest.approx(4.0)
    assert rule.gamma(nb201(), large) == pytest.approx(0.25)
    assert rule.factor(nb201(), small, 50, 100) == pytest.approx(0.0625)
    assert rule.factor(nb201(), large, 50, 100) == pytest.approx(0.5**0.25)


def test_gamma_follows_the_published_parameter_formula() -> None:
    """C = 72,752 + 26,880 (n_1x1 + 9 n_3x3) at the benchmark's size."""
    rule = ComplexityAwareLR()
    for arch in nb201().space.wrap(nb201().space.population(np.random.default_rng(0), 20)):
        ops = Counter(arch.values())
        complexity = 72_752 + 26_880 * (ops["nor_conv_1x1"] + 9 * ops["nor_conv_3x3"])
        assert rule.gamma(nb201(), arch) == pytest.approx(-1.23265 * math.log(complexity) + 17.7993, abs=2e-4)


def test_the_mean_exponent_over_the_space_is_the_published_one() -> None:
    rule = ComplexityAwareLR()
    drawn = nb201().space.wrap(nb201().space.population(np.random.default_rng(0), 2000))
    gammas = [rule.gamma(nb201(), arch) for arch in drawn]
    assert np.mean(gammas) == pytest.approx(2.18, abs=0.06)
    assert np.median(gammas) == pytest.approx(2.09, abs=0.08)


def test_exponents_of_one_are_the_linear_schedule() -> None:
    rule = ComplexityAwareLR(gamma_max=1.0)
    for index in (0, 3, 9):
        now = step(measured_net(), index, total=10)
        for arch in now.space.enumerate():
            assert rule(now, [Path(arch, CrossEntropy())]) == pytest.approx(Linear()(now, []))


def measured_net() -> Supernet:
    net = operations_net()
    net.input_shape = images().shape
    return net


def test_the_ends_are_found_whatever_the_order_of_the_options() -> None:
    """The options of this net are declared from large to small."""
    net = measured_net()
    for complexity in ("params", "macs"):
        rule = ComplexityAwareLR(complexity=complexity)
        gamma = {arch["block0"] + arch["block1"]: rule.gamma(net, arch) for arch in net.space.enumerate()}
        assert gamma["skipskip"] == pytest.approx(4)
        assert gamma["conv3conv3"] == pytest.approx(0.25)
        assert 0.25 < gamma["conv1skip"] < 4
    macs, params = (ComplexityAwareLR(complexity=c).line(net) for c in ("macs", "params"))
    assert macs != params


def test_what_cannot_be_a_complexity_is_refused() -> None:
    with pytest.raises(UsageError, match="exponents of the learning rate are positive"):
        ComplexityAwareLR(gamma_max=0.0)
    with pytest.raises(UsageError, match=r"one of \('params', 'macs'\)"):
        ComplexityAwareLR(complexity="latency")  # type: ignore[arg-type]
    poolings = OpChoice("pool", {"max": nn.MaxPool2d(2), "mean": nn.AvgPool2d(2)})
    net = Supernet(nn.Sequential(poolings, nn.Flatten(), nn.Linear(16, 10)), input_shape=images().shape)
    with pytest.raises(UsageError, match="have 160 to 160 params"):
        ComplexityAwareLR().gamma(net, net.space.smallest())


def test_the_logged_rate_is_that_of_the_sampled_path() -> None:
    rule = ComplexityAwareLR()
    trained = train(spos().with_weights(lr=0.1, per=None, schedule=rule))
    net = measured_net()
    for row in trained.history:
        index = int(row["step"]) - 1
        rng = np.random.default_rng([0, index])
        rng.integers(2**63 - 2**31)  # the loop's first draw seeds torch
        (arch,) = Uniform().paths(replace(step(net, index, total=6), rng=rng))
        assert row["lr"] == pytest.approx(0.1 * rule.factor(net, arch, index, 6))
    assert len({row["lr"] / (0.1 * (1 - (row["step"] - 1) / 6)) for row in trained.history}) > 2


def test_on_the_loss_each_path_has_its_own_factor() -> None:
    """Strictly fair paths, plain SGD: the update is the sum of gradients, each times its path's factor."""
    rule = ComplexityAwareLR()
    stepper = Stepper(sgd(0.1, momentum=0.0, schedule=OnLoss(rule)), operations_net().parameters(), batch_size=16)
    net = measured_net()
    now = step(net, 5, total=10)
    paths = [Path(arch, CrossEntropy()) for arch in StrictFair().paths(now)]
    factors = [stepper.loss_factor(now, path) for path in paths]
    assert factors == [pytest.approx(rule(now, [path])) for path in paths]
    assert stepper.lr(now, paths) == pytest.approx(0.1)
    assert len(set(factors)) == len(paths)


def test_on_the_loss_of_single_paths_is_on_the_learning_rate_for_plain_sgd() -> None:
    """And differs as soon as there is weight decay, which only the learning rate anneals."""

    def trained(schedule: object, decay: float) -> torch.Tensor:
        plain = spos().with_weights(lr=0.05, momentum=0.0, weight_decay=decay, schedule=schedule, per=None)
        return weights(train(plain))

    rule = ComplexityAwareLR()
    torch.testing.assert_close(trained(rule, 0.0), trained(OnLoss(rule), 0.0), rtol=1e-4, atol=1e-6)
    assert (trained(rule, 0.1) - trained(OnLoss(rule), 0.1)).abs().max() > 1e-4


def test_mixtures_have_no_complexity() -> None:
    now = step(operations_net())
    with pytest.raises(UsageError, match="is a mixture of several"):
        ComplexityAwareLR()(now, [Path(Decisions({"block0": (0, 1), "block1": (0,)}), CrossEntropy())])


# -- momentum ------------------------------------------------------------------------------------------------------


def one_group() -> MomentumSeparation:
    return MomentumSeparation(by="cluster", groups=1)


def test_one_group_is_ordinary_momentum_bitwise() -> None:
    assert torch.equal(weights(train(spos().with_weights(states=one_group()))), weights(train(spos())))


def test_groups_change_the_training() -> None:
    separated = weights(train(spos().with_weights(states=MomentumSeparation(choice="block0"))))
    assert not torch.equal(separated, weights(train(spos())))


def stepped(stepper: Stepper, arch: object, index: int) -> None:
    for number, parameter in enumerate(stepper.parameters):
        generator = torch.Generator().manual_seed(100 * index + number)
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    stepper.step(step(nb201(), index), [Path(arch, CrossEntropy())])  # type: ignore[arg-type]


def nb201_stepper(states: MomentumSeparation | None) -> Stepper:
    parameters = [torch.nn.Parameter(torch.ones(50, 20)), torch.nn.Parameter(torch.ones(30))]
    return Stepper(sgd(0.1, momentum=0.9, states=states), parameters, batch_size=1)


def test_only_the_stepped_groups_buffer_moves_and_follows_its_own_gradients() -> None:
    stepper = nb201_stepper(MomentumSeparation(choice="3<-0"))
    space, column = nb201().space, nb201().space.column("3<-0")
    archs = space.wrap(space.population(np.random.default_rng(3), 40))
    expected: dict[int, torch.Tensor] = {}
    for index, arch in enumerate(archs):
        group = arch.code[column]
        before = {g: s[stepper.parameters[0]]["momentum_buffer"].clone() for g, s in stepper.states.items() if s}
        stepped(stepper, arch, index)
        gradient = torch.randn(50, 20, generator=torch.Generator().manual_seed(100 * index))
        expected[group] = gradient if group not in expected else 0.9 * expected[group] + gradient
        for other, buffer in before.items():
            same = torch.equal(buffer, stepper.states[other][stepper.parameters[0]]["momentum_buffer"])
            assert same == (other != group)
    for group, buffer in expected.items():
        torch.testing.assert_close(stepper.states[group][stepper.parameters[0]]["momentum_buffer"], buffer)
    assert set(expected) == set(range(5))


def test_memory_is_one_buffer_per_group_and_nothing_else() -> None:
    stepper = nb201_stepper(MomentumSeparation(choice="3<-0"))
    for index, arch in enumerate(nb201().space.wrap(nb201().space.population(np.random.default_rng(3), 40))):
        stepped(stepper, arch, index)
    held = [v for s in stepper.states.values() for kept in s.values() for v in kept.values() if torch.is_tensor(v)]
    assert sum(tensor.numel() for tensor in held) == 5 * (50 * 20 + 30)


def test_any_optimiser_has_states_by_group() -> None:
    """AdamW in groups equals one AdamW per group that sees only its group's gradients."""
    adam = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.0)
    states = MomentumSeparation(choice="1<-0")
    ours = [torch.nn.Parameter(torch.zeros(4))]
    stepper = Stepper(Updates(optimiser=adam, states=states), ours, batch_size=1)
    shared = torch.nn.Parameter(torch.zeros(4))
    theirs = [adam([shared]) for _ in range(5)]
    for index, arch in enumerate(nb201().space.wrap(nb201().space.population(np.random.default_rng(1), 30))):
        stepped(stepper, arch, index)
        shared.grad = torch.randn(4, generator=torch.Generator().manual_seed(100 * index))
        theirs[arch.code[nb201().space.column("1<-0")]].step()
        assert torch.equal(ours[0], shared)


def test_the_edge_comes_from_the_seed_unless_it_is_named() -> None:
    drawn = {MomentumSeparation().edge(nb201().space, seed) for seed in range(60)}
    assert drawn == set(nb201().space.names)
    assert MomentumSeparation(choice="2<-1").edge(nb201().space, 5) == "2<-1"
    with pytest.raises(UsageError, match="no choice named '9<-0'"):
        MomentumSeparation(choice="9<-0").edge(nb201().space, 0)


def test_the_edge_is_one_that_varies_in_the_subspace_and_the_space_was_not_split_by() -> None:
    whole, states = nb201().space, MomentumSeparation()
    for allowed in (["none"], ["none", "nor_conv_3x3"]):  # a leaf of few-shot NAS, and one of GM-NAS
        leaf = whole.restrict({"1<-0": allowed})
        for seed in range(60):
            edge, before = states.edge(leaf, seed), states.edge(whole, seed)
            assert edge != "1<-0"
            assert edge == before or before == "1<-0", "other seeds draw what they drew"
        assert {states.edge(leaf, seed) for seed in range(200) if states.edge(whole, seed) == "1<-0"} == {
            name for name in whole.names if name != "1<-0"
        }
    for name in whole.names:  # a part of which every choice was divided
        leaf = whole.restrict({n: ["none"] if n == name else ["none", "skip_connect"] for n in whole.names})
        assert all(states.edge(leaf, seed) != name for seed in range(30))


def test_excluded_choices_are_not_drawn() -> None:
    left = nb201().space.names[:2]
    states = MomentumSeparation(exclude=nb201().space.names[2:])
    assert {states.edge(nb201().space, seed) for seed in range(40)} == set(left)
    with pytest.raises(UsageError, match="none that may be drawn has two options"):
        MomentumSeparation(exclude=nb201().space.names).edge(nb201().space, 0)
    with pytest.raises(UsageError, match="no choice named 'x'"):
        MomentumSeparation(exclude=("x",)).edge(nb201().space, 0)
    with pytest.raises(UsageError, match="leave `exclude` out"):
        MomentumSeparation(choice="1<-0", exclude=("2<-0",))
    named = MomentumSeparation(choice="1<-0")
    assert named.edge(nb201().space.restrict({"1<-0": ["none", "skip_connect"]}), 0) == "1<-0"
    assert named.edge(nb201().space.restrict({"1<-0": ["none"]}), 0) != "1<-0"


def test_clusters_of_a_subspace_are_of_its_own_subnets() -> None:
    states = MomentumSeparation(by="cluster", groups=4)
    leaf = nb201().space.restrict({name: ["none"] for name in nb201().space.names[1:]})
    found = [states.group(step(nb201()), [Path(arch, CrossEntropy())]) for arch in leaf.enumerate()]
    assert len(set(found)) == 4
    (only,) = nb201().space.restrict({name: ["none"] for name in nb201().space.names}).enumerate()
    assert {by.group(step(nb201()), [Path(only, CrossEntropy())]) for by in (states, MomentumSeparation())} == {0}


def test_clusters_hold_similar_architectures() -> None:
    """Members of one cluster agree on more decisions than members of different ones, and all clusters are used."""
    states = MomentumSeparation(by="cluster", groups=4)
    codes = nb201().space.population(np.random.default_rng(2), 300)
    group = np.asarray(
        [states.group(step(nb201()), [Path(arch, CrossEntropy())]) for arch in nb201().space.wrap(codes)]
    )
    assert set(group.tolist()) == {0, 1, 2, 3}
    equal = (codes[:, None] == codes[None]).sum(axis=2)
    same = group[:, None] == group[None]
    off = ~np.eye(len(codes), dtype=bool)
    assert equal[same & off].mean() > equal[~same].mean() + 0.4


def test_paths_of_several_groups_are_refused_and_one_group_aligns_them() -> None:
    states = MomentumSeparation(choice="2<-0")
    now = step(nb201())
    fair = StrictFair().paths(now)
    with pytest.raises(UsageError, match=r"belong to 5 groups.*OneGroup"):
        states.group(now, [Path(arch, CrossEntropy()) for arch in fair])
    seen = Counter()
    for index in range(50):
        group = OneGroup(StrictFair(), states).paths(step(nb201(), index))
        (option,) = {arch["2<-0"] for arch in group}
        seen[option] += 1
        for edge in set(nb201().space.names) - {"2<-0"}:
            assert len({arch[edge] for arch in group}) == 5
    assert len(seen) == 5


def test_misuse_of_groups_is_refused() -> None:
    with pytest.raises(UsageError, match="grouped by one of"):
        MomentumSeparation(by="depth")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Clusters have no use for the choice"):
        MomentumSeparation(by="cluster", choice="1<-0")
    with pytest.raises(UsageError, match="0 groups"):
        MomentumSeparation(by="cluster", groups=0)
    with pytest.raises(UsageError, match="mixture of several"):
        MomentumSeparation().group(step(nb201()), [Path(Decisions({"1<-0": (0, 1)}), CrossEntropy())])
