"""Once-for-all: its stages to the released commands, what each allows, its teacher, and channels sorted at borders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from method_trials import on_digits, published, squares, train
from small_nets import operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import ofa
from supernet.methods.elastic.ofa import LARGEST, MOBILE, RESNET, WEIGHTS, Stage
from supernet.nn import TransformConv2d
from supernet.space.restriction import Restriction
from supernet.train import (
    Agreeing,
    CopyOfNet,
    CrossEntropy,
    Distillation,
    LargestOptions,
    Part,
    Phase,
    Recipe,
    SortChannels,
    Step,
    Sum,
    TakeCopy,
    Trained,
    TrainPaths,
    Uniform,
    fit,
    sgd,
)
from supernet.train.context import Context
from supernet.train.edits.sort_channels import HasInnerChannels
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Move
from supernet.train.move import Result as Moved
from supernet.zoo.elastic.ofa_mobilenetv3 import TINY

SHORT: dict[str, Any] = {
    "largest": Stage("largest", None, 1, 0, 1.0, 1),
    "stages": (
        Stage("kernel", None, 1, 0.25, 1.0, 1),
        Stage("depth", None, 1, 0, 0.5, 2),
        Stage("expansion", None, 1, 0.25, 0.5, 2),
    ),
}


def elastic() -> Supernet:
    """Two blocks of every axis that the mobile stages widen."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        stages = (zoo.Stage((16,), (1, 2), (3, 5), (2, 3, 4), stride=2),)
        return zoo.mbconv(stages=stages, resolutions=(6, 8), stem_width=8, head_width=32, squeeze_excite=True)


def accuracy(trained: Trained) -> float:
    """Of the smallest subnet on images of validation, with the statistics of their batch."""
    batch = next(on_digits(ofa(), trained.net).data.validation.batches(256, limit=256))
    with torch.no_grad():
        found = trained.net.train()(batch.x, trained.net.space.smallest())
    return float((found.argmax(1) == batch.y).float().mean())


WEAK = WEIGHTS.with_settings(lr=0.1, per=None)


def trial() -> Trial:
    recipe = ofa(**SHORT, weights=WEAK)
    return replace(on_digits(recipe, elastic(), steps=120), measure=accuracy, least=0.3, watched=8)


TRIALS = {"ofa": trial}
ALTERNATIVES = {
    "stages": "resnet",
    "largest": None,
    "sort": (),
    "distillation": 0.5,
    "resolution": None,
    "start": 0.5,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {
    "stages": "mobile",
    "largest": LARGEST,
    "sort": ("expansion", "width 2"),
    "distillation": 1.0,
    "resolution": "resolution",
    "start": 1 / 32,
}
SMOOTHING = 0.1
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher"}
NET = elastic


def test_its_optimiser_is_that_of_the_official_code() -> None:
    assert published(ofa().weights) == {
        "lr": 0.96,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 3e-5,
        "per": 2048,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": False,
        "end": 0.0,
    }


# -- stages ------------------------------------------------------------------------------------------------------------

# epochs, subnets per step, learning rate of 32 GPUs at the end of the warm-up, what the warm-up begins above
OFFICIAL = {
    "largest": (180, 1, 2.6, 2.6 / 32),
    "kernel": (125, 1, 0.96, 0.03),
    "depth 2": (25, 2, 0.08, None),
    "depth": (125, 2, 0.24, 0.0075),
    "expansion 2": (25, 4, 0.08, None),
    "expansion": (125, 4, 0.24, 0.0075),
}


def rates(phase: Phase, *, epochs: int, per_epoch: int = 4) -> list[float]:
    total = epochs * per_epoch
    net = operations_net()
    schedule = phase.updates["weights"].schedule
    return [0.96 * schedule(step(net, index, total=total), []) for index in range(total)]


def test_stages_are_those_of_the_released_commands() -> None:
    phases = ofa().phases
    assert [phase.name for phase in phases] == list(OFFICIAL)
    for phase in phases:
        epochs, paths, peak, start = OFFICIAL[phase.name]
        assert phase.share == epochs
        assert isinstance(phase.program, TrainPaths)
        assert phase.program.sampler == Agreeing(Uniform(paths), on="resolution")
        assert phase.program.combine == Sum()
        found = rates(phase, epochs=epochs)
        if start is None:
            assert found[0] == pytest.approx(peak)
        else:
            rise = [(t + 1) / 20 * (peak - start) + start for t in range(20)]
            assert found[:20] == pytest.approx(rise)
            assert found[20] == pytest.approx(peak)
        assert max(found) == pytest.approx(peak)
        assert found[-1] < 1e-3 * peak
        assert phase.restart


def test_the_largest_learns_from_labels_and_all_others_from_the_teacher_too() -> None:
    first, *others = ofa().phases
    labels = CrossEntropy(0.1)
    assert first.program.objective == labels  # type: ignore[attr-defined]
    taught = Distillation(part="teacher", weight=1.0, temperature=1.0, labels=labels, same=("resolution",))
    assert [phase.program.objective for phase in others] == [taught] * 5  # type: ignore[attr-defined]
    assert ofa().parts == {"teacher": Part(build=CopyOfNet(dropout=False), mode="train")}
    assert [phase.leave for phase in ofa().phases] == [TakeCopy("teacher"), *[None] * 5]


def allowed(phase: Phase, net: Supernet) -> dict[str, set[tuple[Any, ...]]]:
    """The options that a phase allows, by kind of choice."""
    assert phase.restrict is not None
    found: dict[str, set[tuple[Any, ...]]] = {}
    for name, options in phase.restrict(net.space).items():
        found.setdefault(name.rpartition(".")[2], set()).add(tuple(options))
    return found


def test_stages_allow_exactly_the_published_options() -> None:
    net = zoo.ofa_mobilenetv3(image_size=28, width_multiplier=0.1)
    table = {phase.name: allowed(phase, net) for phase in ofa().phases}
    all_kernels, all_depths = {(3, 5, 7)}, {(2, 3, 4)}
    assert {name: (found["kernel"], found["depth"], found["expansion"]) for name, found in table.items()} == {
        "largest": ({(7,)}, {(4,)}, {(6,)}),
        "kernel": (all_kernels, {(4,)}, {(6,)}),
        "depth 2": (all_kernels, {(3, 4)}, {(6,)}),
        "depth": (all_kernels, all_depths, {(6,)}),
        "expansion 2": (all_kernels, all_depths, {(4, 6)}),
        "expansion": (all_kernels, all_depths, {(3, 4, 6)}),
    }
    sizes = []
    for phase in ofa().phases:
        restriction = Restriction(net.space)
        restriction.allow_all(phase.restrict(net.space))  # type: ignore[misc]
        sizes.append(restriction.space.size // 4)
    assert sizes == [
        1,
        3**20,
        (3**3 + 3**4) ** 5,
        (3**2 + 3**3 + 3**4) ** 5,
        (6**2 + 6**3 + 6**4) ** 5,
        7371**5,
    ]


def test_channels_are_sorted_by_what_was_trained_before_each_narrower_stage() -> None:
    kinds = {"kernel": None, "depth": None, "resolution": None}
    entered = {phase.name: phase.enter for phase in ofa().phases}
    assert entered.pop("expansion 2") == SortChannels(LargestOptions({**kinds, "expansion": 1}))
    assert entered.pop("expansion") == SortChannels(LargestOptions({**kinds, "expansion": 2}))
    assert set(entered.values()) == {None}


def test_a_setting_of_the_weights_reaches_every_stage() -> None:
    """Rates and warm-ups of the stages stay."""
    recipe = ofa().with_weights(lr=0.1, per=None)
    for before, after in zip(ofa().phases, recipe.phases, strict=True):
        assert published(after.updates["weights"])["lr"] == 0.1
        assert after.updates["weights"].schedule == before.updates["weights"].schedule
        assert replace(after, updates={}) == replace(before, updates={})


def test_a_resolution_may_have_a_name_of_several_words() -> None:
    restrict = ofa(resolution="input.side").phases[0].restrict
    assert restrict == LargestOptions({"kernel": 1, "depth": 1, "expansion": 1, "side": None})


def test_the_resnet_space_has_stages_of_its_own() -> None:
    net = zoo.ofa_resnet50d(image_size=28, width_multiplier=0.125)
    phases = ofa(stages="resnet").phases
    assert [phase.name for phase in phases[1:]] == [
        *("depth 2", "depth", "expansion 2", "expansion", "width 2", "width")
    ]
    last = allowed(phases[-1], net)
    assert last["expansion"] == {(0.2, 0.25, 0.35)}
    assert allowed(phases[0], net)["expansion"] == {(0.35,)}
    assert (len(MOBILE), len(RESNET)) == (5, 6)
    kinds = {"depth": None, "resolution": None}
    assert {phase.name: phase.enter for phase in phases if phase.enter is not None} == {
        "expansion 2": SortChannels(LargestOptions({**kinds, "expansion": 1, "width": 1})),
        "expansion": SortChannels(LargestOptions({**kinds, "expansion": 2, "width": 1})),
        "width 2": SortChannels(LargestOptions({**kinds, "expansion": None, "width": 1})),
    }, "the released code sorts before the first stage of widths, and not before the second one"


# -- a training --------------------------------------------------------------------------------------------------------


class Noting:
    """What happens in a training: outputs of the largest around sorting, what was trained, the teacher's weights."""

    def __init__(self) -> None:
        self.around: list[tuple[Tensor, Tensor]] = []
        self.moves: list[tuple[str, list[Any]]] = []
        self.teachers: list[Tensor] = []
        self.matrices: dict[str, float] = {}


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> Noting:
    found, sort, execute = Noting(), SortChannels.__call__, Executor.execute

    def sorting(self: SortChannels, context: Context) -> None:
        x, net = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), context.net.eval()
        with torch.no_grad():
            before = net(x, net.space.largest())
            sort(self, context)
            found.around.append((before, net(x, net.space.largest())))

    def executing(self: Executor, move: Move, now: Step) -> Moved:
        found.moves.append((str(now.start), [path.decisions for path in move.paths]))
        found.teachers.append(torch.cat([p.detach().flatten() for p in now.parts["teacher"].parameters()]))
        for name, parameter in self.net.named_parameters():
            if "matrix" in name:
                away = float((parameter.detach() - torch.eye(len(parameter))).abs().max())
                found.matrices[str(now.start)] = max(away, found.matrices.get(str(now.start), 0.0))
        return execute(self, move, now)

    monkeypatch.setattr(SortChannels, "__call__", sorting)
    monkeypatch.setattr(Executor, "execute", executing)
    return found


def test_at_the_borders_the_largest_stays_and_the_teacher_is_the_largest_that_was_trained(noting: Noting) -> None:
    net = elastic()
    train(ofa(weights=WEAK, largest=LARGEST, stages=MOBILE), net=net, steps=48)
    assert len(noting.around) == 2
    for before, after in noting.around:
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)
    starts = list(dict.fromkeys(start for start, _ in noting.moves))
    assert len(starts) == 6
    first = [n for n, (start, _) in enumerate(noting.moves) if start == starts[0]]
    later = [n for n, (start, _) in enumerate(noting.moves) if start != starts[0]]
    assert all(torch.equal(noting.teachers[n], noting.teachers[first[0]]) for n in first)
    assert all(torch.equal(noting.teachers[n], noting.teachers[later[0]]) for n in later)
    assert not torch.equal(noting.teachers[first[0]], noting.teachers[later[0]])
    counts = {start: {len(paths) for begun, paths in noting.moves if begun == start} for start in starts}
    assert list(counts.values()) == [{1}, {1}, {2}, {2}, {4}, {4}]
    assert all(len({arch["resolution"] for arch in paths}) == 1 for _, paths in noting.moves)
    assert {paths[0]["resolution"] for _, paths in noting.moves} == {6, 8}
    largest = net.space.largest()
    for start, paths in noting.moves:
        alike = [{**arch, "resolution": 8} == {**largest, "resolution": 8} for arch in paths]
        assert all(alike) or start != starts[0]


@pytest.mark.slow
def test_kernel_matrices_are_the_identity_until_kernels_are_elastic(noting: Noting) -> None:
    """Weight decay reaches them only once they are in use."""
    torch.manual_seed(0)
    net = zoo.ofa_mobilenetv3(**{**TINY, "depths": (1, 2)}, num_classes=10, in_channels=1, image_size=8)
    assert any(isinstance(module, TransformConv2d) for module in net.modules())
    assert sum(isinstance(module, HasInnerChannels) for module in net.modules()) == 10 + 6, "blocks and gates"
    train(ofa(**SHORT, weights=WEAK), net=net, steps=12)
    starts = list(noting.matrices)
    assert noting.matrices[starts[0]] == 0.0
    assert noting.matrices[starts[1]] > 0.0
    for before, after in noting.around:
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_network_that_was_trained_elsewhere_is_beginning_and_teacher() -> None:
    given, net = elastic(), elastic()
    with torch.no_grad():
        for parameter in given.parameters():
            parameter.mul_(1.1)
    recipe: Recipe = ofa(**{**SHORT, "largest": None}, weights=WEAK)
    assert [phase.name for phase in recipe.phases] == ["kernel", "depth", "expansion"]
    assert all(phase.leave is None for phase in recipe.phases)
    trained = fit(
        net,
        recipe,
        squares(),
        steps=3,
        batch_size=16,
        accelerator="cpu",
        progress=False,
        init=given.module.state_dict(),
    )
    teacher = trained.parts["teacher"]
    for one, other in zip(teacher.parameters(), given.parameters(), strict=True):
        assert torch.equal(one, other)


def test_spaces_and_stages_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="the choice 'block0' has no number"):
        train(ofa(resolution=None), steps=24)
    with pytest.raises(UsageError, match="the space has no such choice; it has 'block0', 'block1'"):
        train(ofa(), steps=24)
    wide = zoo.mbconv(stages=(zoo.Stage((8, 16), (1, 2), (3, 5), (2, 3)),), stem_width=8, head_width=16)
    with pytest.raises(UsageError, match=r"the choice 'stage1.width' has no number"):
        train(ofa(), net=wide, steps=24)
    with pytest.raises(UsageError, match="paths of a step were to agree on 'side'"):
        train(ofa(resolution="side"), net=elastic(), steps=24)
    for wrong in ((), (Stage("kernel", None, 0, 0, 1.0, 1),)):
        with pytest.raises(UsageError, match="give at least one, and each some epochs"):
            ofa(stages=wrong)
    with pytest.raises(UsageError, match="gets none of 6 steps"):
        train(ofa(), net=elastic(), steps=6)
