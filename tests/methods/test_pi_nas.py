"""Π-NAS: disjoint paths, a teacher in which only what was used moves, crosswise contrast, a linear head."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from method_trials import digits, published, squares, train, vector
from small_nets import elastic_net, executor, operations_net, step
from supernet import Choice, ElasticLinear, OpChoice, Supernet
from supernet.data import Data, Viewed
from supernet.data.derived.random_labels import RandomLabelled
from supernet.errors import UsageError
from supernet.methods import pi_nas, spos
from supernet.methods.single_path.pi_nas import HEAD, SEARCH, WEIGHTS
from supernet.nn.headless import headless
from supernet.search import UCBTree
from supernet.space import Arch
from supernet.train import Context, Cosine, Edit, Move, Recipe, Step, Trained, fit, sgd
from supernet.train.laws import Trial, _accuracy
from supernet.train.parts.key_queue import KeyQueue
from supernet.train.state import TrainingState

SMALL: dict[str, Any] = {"queue": 256, "hidden": 64, "width": 32}
LR: dict[str, Any] = {"weights": sgd(0.03, weight_decay=1e-4), "head": sgd(1.0, schedule=Cosine())}


def accuracy(trained: Trained) -> float:
    """The mean accuracy of four subnets: what the linear head makes of features that saw no label."""
    space = trained.net.space
    return float(np.mean([_accuracy(trained.net, space.sample(np.random.default_rng(n)), digits()) for n in range(4)]))


TRIALS = {
    "pi_nas": lambda: Trial(
        recipe=pi_nas(**SMALL, **LR, decay=0.99, linear_epochs=50),
        net=operations_net(),
        data=digits(),
        steps=450,
        measure=accuracy,
        least=0.4,
    ),
}
ALTERNATIVES = {
    "decay": 0.99,
    "queue": 65_536,
    "temperature": 0.07,
    "hidden": 512,
    "width": 64,
    "views": 2,
    "shared": "once",
    "linear_epochs": 10,
    "weights": sgd(0.1),
    "head": sgd(1.0),
}
SETTINGS = {
    "decay": 0.999,
    "queue": 49_152,
    "temperature": 0.2,
    "hidden": 2048,
    "width": 128,
    "views": 4,
    "shared": "twice",
    "linear_epochs": 100,
}
SHORT: dict[str, Any] = {"queue": 64, "hidden": 8, "width": 4}
REFUSED_BY = {"distilled", "dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


# -- one step by hand ----------------------------------------------------------------------------------------------


class Hand:
    """One step of the contrast, act by act."""

    def __init__(self, *, net: Supernet | None = None, micro_batch: int | None = None, index: int = 0, **options: Any):
        self.net = operations_net(seed=1) if net is None else net
        self.recipe = pi_nas(**{**SHORT, "decay": 0.75, "weights": sgd(0.1), **options})
        self.state = TrainingState(self.net, self.recipe, seed=0, batch_size=16)
        self.program: Any = self.recipe.phases[0].program
        data = Viewed(self.program.views)(squares())
        self.run = executor(self.net, data, recipe=self.recipe)
        self.run.steppers, self.run.micro_batch = self.state.steppers, micro_batch
        for part in self.state.parts.values():
            part.train()
        with torch.no_grad():  # so that the teacher has something to follow
            for parameter in self.net.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
            for parameter in self.state.parts["neck"].parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
        self.step = replace(step(self.net, index, parts=self.state.parts), runner=self.run)
        self.paths: Sequence[Arch] = self.program.paths.paths(replace(self.step, rng=np.random.default_rng([0, index])))
        self.before = self.tensors()
        self.loss: tuple[float, ...] = ()
        self.net_before = {name: value.detach().clone() for name, value in self.net.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        """All parameters of the teacher and of its neck."""
        found = {}
        for part in ("teacher", "teacher_neck"):
            found |= {f"{part} {name}": p.detach().clone() for name, p in self.state.parts[part].named_parameters()}
        return found

    def go(self) -> None:
        context = Context(self.step, self.run)
        acts = self.program.moves(self.step)
        result: Any = None
        while True:
            try:
                act = acts.send(result)
            except StopIteration:
                return
            if isinstance(act, Edit):
                result = None
                act.apply(context)
            else:
                assert isinstance(act, Move)
                result = self.run.execute(act, self.step)
                self.loss = result.losses


def used(net: Supernet, arch: Arch) -> set[str]:
    """The parameters that have a gradient in this architecture."""
    net.zero_grad()
    net.train()
    with headless(net):
        net(torch.randn(8, 1, 8, 8), arch).square().sum().backward()
    found = {name for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad(set_to_none=True)
    return found


def without_dropout() -> Supernet:
    net = operations_net(seed=1)
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return net


@pytest.mark.parametrize("shared", ["twice", "once"])
@pytest.mark.parametrize("index", range(4))
def test_only_what_the_paths_used_moves_in_the_average(shared: Any, index: int) -> None:
    """θ′ ← ¾ θ′ + ¼ θ for each path that uses the parameter; the stem is averaged twice, or once."""
    hand = Hand(shared=shared, index=index)
    use = [used(operations_net(seed=1), arch) for arch in hand.paths]
    hand.go()
    after, seen = hand.tensors(), set()
    for name, old in hand.before.items():
        part, _, inner = name.partition(" ")
        if part == "teacher":
            times = sum(inner in found for found in use)
            new = hand.net_before[inner]
        else:
            times = 2
            new = dict(Hand(shared=shared).state.parts["neck"].named_parameters())[inner].detach()
        times = min(times, 1) if shared == "once" else times
        seen.add(times)
        wanted = new + 0.75**times * (old - new)
        torch.testing.assert_close(after[name], wanted, rtol=1e-5, atol=1e-6)
        if not times:
            assert torch.equal(after[name], old), "what no path used stays bitwise"
    assert seen >= ({0, 1, 2} if shared == "twice" else {0, 1})


def test_the_paths_of_a_step_share_no_option() -> None:
    for index in range(20):
        one, other = pi_nas().phases[0].program.paths.paths(step(operations_net(), index))  # type: ignore[union-attr]
        assert all(a != b for a, b in zip(one.code, other.code, strict=True))


@pytest.mark.parametrize("views", [2, 4])
def test_the_loss_is_crosswise_and_the_queue_takes_the_mean_of_the_keys(views: Any) -> None:
    """Against the formula: query and key are of different paths, and of different views."""
    hand, replay = (Hand(net=without_dropout(), views=views, temperature=0.5) for _ in range(2))
    queue = hand.state.parts["queue"]
    assert isinstance(queue, KeyQueue)
    negatives = queue.keys.clone()
    hand.go()
    batch = replay.run.batch("train")
    assert isinstance(batch.x, Mapping)
    places = ((0, 1), (2, 3)) if views == 4 else ((0, 0), (1, 1))
    q, k = [], []
    for arch, (query, key) in zip(hand.paths, places, strict=True):
        use = used(operations_net(seed=1), arch)
        parts = replay.state.parts
        with torch.no_grad():
            for name, p in parts["teacher"].named_parameters():
                inner = name
                if inner in use:
                    p.lerp_(hand.net_before[inner], 0.25)
            for name, p in parts["teacher_neck"].named_parameters():
                p.lerp_(dict(parts["neck"].named_parameters())[name], 0.25)
            for found, net, neck, view in (
                (q, replay.net, parts["neck"], query),
                (k, parts["teacher"], parts["teacher_neck"], key),
            ):
                with headless(net):  # type: ignore[arg-type]
                    found.append(F.normalize(neck(net(batch.x[f"view{view + 1}"], arch)), dim=1))
    wanted = []
    for mine, other in ((0, 1), (1, 0)):
        right = (q[mine] * k[other]).sum(1) / 0.5
        wrong = q[mine] @ negatives.T / 0.5
        wanted.append(-(right - torch.cat([right[:, None], wrong], 1).logsumexp(1)).mean().item())
    assert hand.loss == pytest.approx(wanted, rel=1e-4)
    torch.testing.assert_close(queue.keys[:16], (k[0] + k[1]) / 2)
    assert torch.equal(queue.keys[16:], negatives[16:])
    assert int(queue.place) == 16


def test_in_pieces_each_query_meets_its_own_key() -> None:
    losses = []
    for micro_batch in (None, 5):
        hand = Hand(net=without_dropout(), micro_batch=micro_batch)
        for module in (hand.net, *hand.state.parts.values()):
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        hand.go()
        losses.append(hand.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][0] != pytest.approx(losses[0][1])


def test_student_and_teacher_begin_alike() -> None:
    state = TrainingState(operations_net(), pi_nas(**SHORT), seed=3, batch_size=16)
    assert torch.equal(vector(state.net), vector(state.parts["teacher"]))
    assert torch.equal(vector(state.parts["neck"]), vector(state.parts["teacher_neck"]))
    other = TrainingState(operations_net(), pi_nas(**SHORT), seed=4, batch_size=16)
    assert not torch.equal(vector(state.parts["neck"]), vector(other.parts["neck"]))


# -- the training --------------------------------------------------------------------------------------------------


def contrast_alone(data: Data) -> Trained:
    recipe = pi_nas(**SHORT, weights=sgd(0.1))
    return fit(operations_net(), recipe, data, steps=12, batch_size=16, accelerator="cpu", progress=False, stop_after=6)


def test_the_contrast_reads_no_label() -> None:
    one, other = contrast_alone(squares()), contrast_alone(RandomLabelled(7)(squares()))
    assert torch.equal(vector(one.net), vector(other.net))


class Seen:
    """A monitor that keeps weights, classifier and buffers after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, now: Step) -> dict[str, float]:
        named = dict(now.net.named_parameters())
        head = [name for name in named if ".8." in name]
        assert len(head) == 2
        rest = torch.cat([p.detach().flatten() for name, p in named.items() if name not in head])
        buffers = torch.cat([b.detach().double().flatten() for b in now.net.buffers()])
        self.seen.append((rest, torch.cat([named[name].detach().flatten() for name in head]), buffers))
        return {}


def test_first_all_but_the_classifier_learns_then_the_classifier_alone() -> None:
    watch = Seen()
    trained = train(pi_nas(**SHORT, **LR), steps=8, monitors=[watch])
    for number, (before, after) in enumerate(zip(watch.seen, watch.seen[1:], strict=False), start=1):
        same = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
        assert same == ([False, True, False] if number < 4 else [True, False, True])
    names = {name for row in trained.history for name in row}
    assert {"loss", "loss/head"} <= names or {"loss/weights+neck", "loss/head"} <= names


def test_passes_are_counted() -> None:
    """Two keys and two queries, then one path of the head."""
    told = train(pi_nas(**SHORT), steps=8).history[-1]
    assert (told["forwards"], told["backwards"]) == (4 * 4 + 4, 4 * 2 + 4)


def test_published_settings() -> None:
    assert published(WEIGHTS) == {
        "lr": 0.03,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "per": None,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": True,
        "end": 0.0,
    }
    assert published(HEAD) | {"end": None} == {
        "lr": 30.0,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": None,
    }
    curve = [HEAD.schedule(step(operations_net(), epoch, total=100), []) for epoch in (0, 59, 60, 79, 80, 99)]
    assert curve == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    recipe = pi_nas()
    assert [phase.name for phase in recipe.phases] == ["contrast", "linear"]
    assert [phase.share for phase in recipe.phases] == [100, 100]
    assert recipe.phases[0].data == Viewed(4)
    assert recipe.parts["neck"].updates == recipe.weights == WEIGHTS
    assert UCBTree(first=80, selects=8, heights=(400, 800, 1600, 3200), explore=0.0) == SEARCH
    assert math.log(49_152 / 192, 2) == 8


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        (8, r"holds 8 keys, and every step puts in a batch of 16: .* Give it 16 \(-M queue=16\)"),
        (40, r"holds 40 keys, .* Give it 32 \(-M queue=32\)"),
    ],
)
def test_a_queue_that_is_no_multiple_of_the_batch_is_refused(queue: int, words: str) -> None:
    net = operations_net()
    before = vector(net)
    with pytest.raises(UsageError, match=words):
        train(pi_nas(**{**SHORT, "queue": queue}), net=net)
    assert torch.equal(vector(net), before)


def test_a_choice_with_one_option_is_refused() -> None:
    net = Supernet(
        nn.Sequential(
            OpChoice("a", {"x": nn.Identity(), "y": nn.Tanh()}),
            OpChoice("b", {"x": nn.Identity()}),
            nn.Flatten(),
            nn.Linear(64, 10),
        )
    )
    with pytest.raises(UsageError, match=r"2 paths were to differ in every choice, but 'b' has 1 option\."):
        train(pi_nas(**SHORT), net=net)


def test_a_network_whose_features_vary_is_refused() -> None:
    with pytest.raises(UsageError, match="their number depends on the architecture"):
        train(pi_nas(**SHORT), net=elastic_net())
    width = Choice("width", (8, 16))
    fixed = Supernet(nn.Sequential(nn.Flatten(), ElasticLinear(64, width), nn.ReLU(), ElasticLinear(width, 10)))
    with pytest.raises(UsageError, match="their number depends on the architecture"):
        train(pi_nas(**SHORT), net=fixed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decay": 1.5}, "decay of the average is 1.5"),
        ({"temperature": 0.0}, "temperature"),
        ({"queue": 0}, "size=0"),
        ({"hidden": 0}, "hidden=0"),
        ({"views": 3}, "2 or 4 views"),
        ({"shared": "never"}, "'once'; got 4 and 'never'"),
        ({"linear_epochs": 0}, "share of 0"),
    ],
)
def test_values_outside_their_range_are_refused(options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pi_nas(**options)


def test_alone_an_architecture_learns_its_labels() -> None:
    arch = operations_net().space.smallest()
    mine, plain = pi_nas().alone(arch), spos(label_smoothing=0.0).alone(arch)
    assert isinstance(mine, Recipe)
    assert (mine.program, mine.data, mine.parts) == (plain.program, None, {})


def test_what_is_no_number_ends_the_training_in_a_sentence() -> None:
    from supernet.errors import RunError

    with pytest.raises(RunError, match="Lower the learning rate"):
        train(pi_nas(**SHORT, weights=sgd(1e12)), steps=20)
