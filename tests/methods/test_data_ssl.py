"""DATA: a sandwich of queries, keys of the largest architecture by a mean teacher, distances of embeddings."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from method_trials import digits, published, squares, train, vector
from small_nets import elastic_net, executor, step
from supernet import Supernet
from supernet.data import Viewed
from supernet.data.derived.random_labels import RandomLabelled
from supernet.data.derived.viewed_by import ViewedBy
from supernet.data.view_augment import BYOL_FIRST, BYOL_SECOND, MOCO_V2, WEAK
from supernet.errors import UsageError
from supernet.measure.scores.recalibration import calibrated
from supernet.measure.scores.score import Subnet
from supernet.methods import data_ssl, spos
from supernet.methods.elastic.data_ssl import BYOL_WEIGHTS, CANDIDATES, HEAD, SEARCH, WEIGHTS, LinearProbe
from supernet.nn.headless import headless
from supernet.search import RandomSearch
from supernet.train import LARS, Context, Edit, Mean, Move, Ramp, Recipe, Sandwich, Sum, Trained, fit, sgd
from supernet.train.laws import Trial, _accuracy
from supernet.train.parts.elastic_neck import ElasticNeck
from supernet.train.parts.key_queue import KeyQueue
from supernet.train.pretexts.byol import BYOL
from supernet.train.pretexts.moco import MoCo
from supernet.train.pretexts.ressl import ReSSL
from supernet.train.programs.pretrain import Pretrain
from supernet.train.scores.embedding_distance import EmbeddingDistance
from supernet.train.state import TrainingState

SMALL: dict[str, Any] = {"hidden": 32, "width": 16, "decay": 0.9, "views": None}
MOCO, RESSL, BYOL_SMALL = MoCo(queue_size=128, **SMALL), ReSSL(queue_size=128, **SMALL), BYOL(**SMALL)
LR = sgd(0.06, weight_decay=1e-4)


def accuracy(trained: Trained) -> float:
    """The mean accuracy of the extremes and of a random subnet: that of a linear probe."""
    space = trained.net.space
    archs = (space.largest(), space.smallest(), space.sample(np.random.default_rng(0)))
    return float(np.mean([_accuracy(trained.net, arch, digits()) for arch in archs]))


def no_larger(trained: Trained) -> float:
    """How much farther from the teacher the smallest subnet is than the largest."""
    net, rank = trained.net, EmbeddingDistance(images=128)
    ends = [Subnet(net, arch, trained.parts, {}, digits()) for arch in (net.space.smallest(), net.space.largest())]
    return rank(ends[0]) - rank(ends[1])


TRIALS = {
    "data_ssl": lambda: Trial(
        recipe=data_ssl(pretext=MOCO, weights=LR, probe=LinearProbe(epochs=100, updates=sgd(0.3))),
        net=elastic_net(),
        data=digits(),
        steps=150,
        measure=accuracy,
        least=0.5,
    ),
    "data_ssl, byol": lambda: Trial(
        recipe=data_ssl(pretext=BYOL_SMALL, weights=LR),
        net=elastic_net(),
        data=digits(),
        steps=30,
        measure=no_larger,
    ),
}
ALTERNATIVES = {
    "pretext": ReSSL(),
    "random": 3,
    "keys": "each",
    "combine": Mean(),
    "distance": EmbeddingDistance(distance="relation"),
    "probe": LinearProbe(),
    "weights": sgd(0.1),
}
SETTINGS = {
    "pretext": MoCo(queue_size=65_536, temperature=0.2, decay=0.999, hidden=2048, width=128, views=(MOCO_V2, MOCO_V2)),
    "random": 1,
    "keys": "once",
    "combine": Sum(),
    "distance": EmbeddingDistance(distance="mse", images=None, temperature=0.2),
    "probe": None,
}
SHORT: dict[str, Any] = {"pretext": MoCo(queue_size=64, hidden=8, width=4, views=None)}
REFUSED_BY = {"distilled", "dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


# -- one step by hand ----------------------------------------------------------------------------------------------


def without_dropout() -> Supernet:
    net = elastic_net(seed=1)
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return net


class Hand:
    """Steps of the training, act by act."""

    def __init__(self, *, micro_batch: int | None = None, **options: Any) -> None:
        self.net = without_dropout()
        self.recipe = data_ssl(**{"weights": sgd(0.1), **options})
        self.state = TrainingState(self.net, self.recipe, seed=0, batch_size=16)
        program = self.recipe.phases[0].program
        assert isinstance(program, Pretrain)
        self.program = program
        self.run = executor(self.net, Viewed(2)(squares()), recipe=self.recipe)
        self.run.steppers, self.run.micro_batch = self.state.steppers, micro_batch
        for part in self.state.parts.values():
            part.train()
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():  # so that the teacher has something to follow
            for parameter in (*self.net.parameters(), *self.state.parts["neck"].parameters()):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        self.losses: tuple[float, ...] = ()
        self.paths: list[Any] = []

    def go(self, index: int = 0) -> None:
        self.run.begin()
        now = replace(step(self.net, index, parts=self.state.parts), runner=self.run)
        context, acts = Context(now, self.run), self.program.moves(now)
        result: Any = None
        while True:
            try:
                act = acts.send(result)
            except StopIteration:
                return
            result = None
            if isinstance(act, Edit):
                act.apply(context)
            else:
                assert isinstance(act, Move)
                self.paths = [path.decisions for path in act.paths]
                result = self.run.execute(act, now)
                self.losses = result.losses


def unit(net: Any, arch: Any, x: Tensor, *heads: Any) -> Tensor:
    """The direction of what the heads make of the features, by the statistics of the batch."""
    with headless(net):
        features = net(x, arch)
    for head in heads:
        features = head(features)
    return F.normalize(features, dim=1)


def followed(old: nn.Module, new: nn.Module, times: int = 1) -> Any:
    found = copy.deepcopy(old)
    with torch.no_grad():
        for mine, other in zip(found.parameters(), new.parameters(), strict=True):
            mine.copy_(0.9**times * mine + (1 - 0.9**times) * other)
    return found


@pytest.mark.parametrize("pretext", [MOCO, RESSL, BYOL_SMALL], ids=["moco", "ressl", "byol"])
@torch.no_grad()
def test_losses_and_keys_are_those_of_the_formulas(pretext: Any) -> None:
    """Keys are the largest architecture's, whatever the query's; the teacher follows once, before."""
    hand, replay = Hand(pretext=pretext), Hand(pretext=pretext)
    with torch.enable_grad():
        hand.go()
    net, parts = replay.net, replay.state.parts
    x: Any = replay.run.batch("train").x
    x1, x2 = x["view1"], x["view2"]
    before: Any = parts["queue"].get_buffer("keys") if "queue" in parts else None
    teacher, teacher_neck = followed(parts["teacher"], net), followed(parts["teacher_neck"], parts["neck"])
    largest = net.space.largest()
    assert hand.paths[:: 2 if pretext is BYOL_SMALL else 1][:2] == [largest, net.space.smallest()]
    wanted = []
    for arch in hand.paths[:: 2 if pretext is BYOL_SMALL else 1]:
        if pretext is BYOL_SMALL:
            for query, key in ((x1, x2), (x2, x1)):
                q = unit(net, arch, query, parts["neck"], parts["predictor"])
                k = unit(teacher, largest, key, teacher_neck)
                wanted.append((q - k).square().sum(1).mean().item())
            continue
        q, k = unit(net, arch, x1, parts["neck"]), unit(teacher, largest, x2, teacher_neck)
        others = before.T
        if pretext is MOCO:
            right, wrong = ((q * k).sum(1) / 0.2).exp(), (q @ others / 0.2).exp().sum(1)
            wanted.append(-(right / (right + wrong)).log().mean().item())
        else:
            p, log_q = (k @ others / 0.04).softmax(1), (q @ others / 0.1).log_softmax(1)
            wanted.append(-(p * log_q).sum(1).mean().item())
    assert len(wanted) == (6 if pretext is BYOL_SMALL else 3)
    assert hand.losses == pytest.approx(wanted, rel=1e-4)
    torch.testing.assert_close(vector(hand.state.parts["teacher"]), vector(teacher))
    torch.testing.assert_close(vector(hand.state.parts["teacher_neck"]), vector(teacher_neck))
    if pretext is not BYOL_SMALL:
        queue = hand.state.parts["queue"]
        assert isinstance(queue, KeyQueue)
        torch.testing.assert_close(queue.keys[:16], k)
        assert torch.equal(queue.keys[16:], before[16:])


def test_the_teacher_has_no_gradient_and_the_queue_holds_the_latest_keys_in_order() -> None:
    hand = Hand(pretext=MoCo(queue_size=32, **SMALL))
    latest: list[Tensor] = []
    queue = hand.state.parts["queue"]
    assert isinstance(queue, KeyQueue)
    for index in range(3):
        hand.go(index)
        place = 16 * (index % 2)
        latest.append(queue.keys[place : place + 16].clone())
        assert int(queue.place) == (place + 16) % 32
    assert torch.equal(queue.keys, torch.cat([latest[2], latest[1]]))
    assert len({tuple(row.tolist()) for rows in latest for row in rows}) == 48
    for name in ("teacher", "teacher_neck"):
        assert all(p.grad is None and not p.requires_grad for p in hand.state.parts[name].parameters())
    assert set(hand.state.steppers) == {"weights", "neck"}


def test_keys_for_each_subnet_move_the_teacher_and_the_queue_three_times() -> None:
    hand, replay = Hand(pretext=MOCO, keys="each"), Hand(pretext=MOCO)
    hand.go()
    parts = replay.state.parts
    queue, at_first = hand.state.parts["queue"], parts["queue"]
    assert isinstance(queue, KeyQueue)
    assert isinstance(at_first, KeyQueue)
    torch.testing.assert_close(vector(hand.state.parts["teacher"]), vector(followed(parts["teacher"], replay.net, 3)))
    assert int(queue.place) == 48
    x = replay.run.batch("train").x
    assert isinstance(x, Mapping)
    with torch.no_grad():  # the last path is told from the keys of both before it
        others = torch.cat([queue.keys[:32], at_first.keys[32:]])
        q = unit(replay.net, hand.paths[2], x["view1"], parts["neck"])
        scores = torch.cat([(q * queue.keys[32:48]).sum(1, keepdim=True), q @ others.T], 1) / 0.2
    assert hand.losses[2] == pytest.approx((scores.logsumexp(1) - scores[:, 0]).mean().item(), rel=1e-4)


def test_in_pieces_each_query_meets_its_own_key() -> None:
    losses = []
    for micro_batch in (None, 5):
        hand = Hand(pretext=MOCO, micro_batch=micro_batch)
        for layer in hand.net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        hand.go()
        losses.append(hand.losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_neck_takes_as_many_features_as_there_are() -> None:
    neck = ElasticNeck(6, 5, 4)
    x = torch.randn(3, 2)
    torch.testing.assert_close(neck(x), neck(torch.cat([x, torch.zeros(3, 4)], 1)))


# -- the distance --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taught() -> Trained:
    """A net whose teacher is its equal, and its neck."""
    trained = train(data_ssl(pretext=replace(MOCO, decay=0.5), weights=sgd(0.1)), net=without_dropout(), steps=4)
    for name, source in (("teacher", trained.net), ("teacher_neck", trained.parts["neck"])):
        trained.parts[name].load_state_dict(source.state_dict())
    return trained


@pytest.mark.parametrize("maps", [None, "3"])
@pytest.mark.parametrize("distance", ["mse", "cosine", "relation"])
def test_a_subnet_that_is_its_teacher_comes_first_at_distance_0(taught: Trained, distance: Any, maps: Any) -> None:
    rank, kept = EmbeddingDistance(distance=distance, maps=maps, images=64, batch_size=32), dict[Any, Any]()
    net = taught.net
    found = {a: rank(Subnet(net, a, taught.parts, kept, squares())) for a in net.space.enumerate()}
    assert min(found, key=found.__getitem__) == net.space.largest()
    assert found[net.space.largest()] == pytest.approx(0, abs=1e-9)
    assert min(value for arch, value in found.items() if arch["width"] == 4) > 1e-6


@torch.no_grad()
def test_distances_are_those_of_the_formulas(taught: Trained) -> None:
    net, parts, data = taught.net, taught.parts, squares()
    arch = net.space.arch({"width": 4, "depth": 1, "kernel": 3})
    x: Any = next(data.train.batches(64, limit=64)).x
    before = [b.clone() for b in net.buffers()]
    with calibrated(net, net.space.largest(), data.train):
        k = unit(net, None, x, parts["neck"])
        k_maps = net.module[:3](x)  # type: ignore[index]
    with calibrated(net, arch, data.train):
        q = unit(net, None, x, parts["neck"])
        q_maps = net.module[:3](x)  # type: ignore[index]
    subnet = Subnet(net, arch, parts, {}, data)

    def found(**options: Any) -> float:
        return EmbeddingDistance(**{"images": 64, "batch_size": 32, **options})(subnet)

    assert found() == pytest.approx((q - k).square().sum(1).mean().item(), rel=1e-4)
    assert found(teacher=None) == pytest.approx(found(), rel=1e-5)
    assert found(distance="cosine") == pytest.approx(1 - (q * k).sum(1).mean().item(), rel=1e-4)
    for relations, mine in (("teacher", k), ("own", q)):
        total = 0.0
        for rows in (slice(0, 32), slice(32, 64)):
            p = (k[rows] @ k[: rows.stop].T / 0.2).softmax(1)
            other = (q[rows] @ mine[: rows.stop].T / 0.2).softmax(1)
            total += (p * (p.log() - other.log())).sum().item()
        assert found(distance="relation", relations=relations) == pytest.approx(total / 64, rel=1e-3)
    one, other = (
        torch.stack([F.cosine_similarity(m[:, :, :, :, None, None], m[:, :, None, None], dim=1)])
        .flatten(3)
        .flatten(0, 2)
        for m in (q_maps, k_maps)
    )
    assert found(maps="2") == pytest.approx((one - other).square().sum().item() / (64 * 16), rel=1e-3)
    by_batch = 0.0
    trace = copy.deepcopy(net).train()
    for rows in (slice(0, 32), slice(32, 64)):
        mine, theirs = (unit(trace, a, x[rows], parts["neck"]) for a in (arch, net.space.largest()))
        by_batch += (mine - theirs).square().sum().item() / 64
    assert found(calibration=None) == pytest.approx(by_batch, rel=1e-4)
    assert by_batch != pytest.approx(found(), rel=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True)), "nothing is left behind"


# -- the training --------------------------------------------------------------------------------------------------


def test_no_label_is_read() -> None:
    recipe = data_ssl(pretext=MOCO, weights=sgd(0.1))
    nets = [
        fit(elastic_net(), recipe, data, steps=6, batch_size=16, accelerator="cpu", progress=False).net
        for data in (squares(), RandomLabelled(7)(squares()))
    ]
    assert torch.equal(vector(nets[0]), vector(nets[1]))
    assert not torch.equal(vector(nets[0]), vector(elastic_net()))


def test_passes_are_counted() -> None:
    """One of the teacher and three subnets; of BYOL two views of each."""
    for pretext, random, passes in ((MOCO, 1, (4, 3)), (MOCO, 3, (6, 5)), (BYOL_SMALL, 1, (8, 6))):
        told = train(data_ssl(pretext=pretext, random=random), net=elastic_net(), steps=2).history[-1]
        assert (told["forwards"], told["backwards"]) == (2 * passes[0], 2 * passes[1])


def test_published_settings() -> None:
    assert published(WEIGHTS) == {
        "lr": 0.03,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }
    assert BYOL_WEIGHTS.optimiser == LARS(lr=0.2, weight_decay=1.5e-6)
    assert (BYOL().decay, BYOL().hidden, BYOL().width) == (Ramp(0.996, 1.0, shape="cosine"), 4096, 256)
    assert (ReSSL().temperature, ReSSL().teacher_temperature) == (0.1, 0.04)
    assert (BYOL().views, ReSSL().views) == ((BYOL_FIRST, BYOL_SECOND), (MOCO_V2, WEAK))
    recipe = data_ssl(probe=LinearProbe())
    assert [(phase.name, phase.share) for phase in recipe.phases] == [("pretrain", 200), ("linear", 100)]
    assert recipe.phases[0].data == ViewedBy((MOCO_V2, MOCO_V2))
    assert data_ssl(pretext=MOCO).phases[0].data == Viewed(2)
    program: Any = recipe.phases[0].program
    assert program.sampler == Sandwich(1, smallest="second")
    assert recipe.parts["neck"].updates == recipe.weights == WEIGHTS
    assert recipe.parts["head"].updates == HEAD
    assert (SEARCH, CANDIDATES, recipe.ranks_by) == (RandomSearch(), 40, EmbeddingDistance())
    assert (EmbeddingDistance.name, EmbeddingDistance.goal) == ("embedding_distance", "min")


# -- what is refused -----------------------------------------------------------------------------------------------


def test_a_queue_that_is_no_multiple_of_the_batch_is_refused() -> None:
    net = elastic_net()
    before = vector(net)
    with pytest.raises(UsageError, match=r"holds 40 keys, .* Give it 32 \(-M pretext\.queue_size=32\)"):
        train(data_ssl(pretext=replace(MOCO, queue_size=40)), net=net)
    assert torch.equal(vector(net), before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MoCo(decay=1.5), "decay of the average is 1.5"),
        (lambda: MoCo(temperature=0.0), "temperature"),
        (lambda: ReSSL(teacher_temperature=-1.0), "temperature of the teacher"),
        (lambda: data_ssl(pretext=BYOL(), keys="each"), "BYOL keeps no keys"),
        (lambda: data_ssl(keys="never"), "'each' of its subnets; got 'never'"),  # type: ignore[arg-type]
        (lambda: data_ssl(pretext=BYOL(hidden=0)), "hidden=0"),
        (lambda: LinearProbe(epochs=0), "lasts 0 epochs"),
        (lambda: EmbeddingDistance(distance="l1"), "got 'l1'"),  # type: ignore[arg-type]
        (lambda: EmbeddingDistance(relations="own"), "of distance='relation'"),
        (lambda: EmbeddingDistance(images=1), "number of images"),
    ],
)
def test_values_outside_their_range_are_refused(make: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_a_score_without_its_parts_or_images_is_refused() -> None:
    net = elastic_net()
    with pytest.raises(UsageError, match="'teacher', which is missing"):
        EmbeddingDistance()(Subnet(net, net.space.largest(), {}, {}, squares()))
    with pytest.raises(UsageError, match="there are none"):
        EmbeddingDistance(teacher=None)(Subnet(net, net.space.largest()))


def test_alone_an_architecture_learns_its_labels() -> None:
    arch = elastic_net().space.smallest()
    mine, plain = data_ssl().alone(arch), spos(label_smoothing=0.0).alone(arch)
    assert isinstance(mine, Recipe)
    assert (mine.program, mine.data, mine.parts) == (plain.program, None, {})
