"""MAGIC-A: the layers of every path are drawn to those of the best path so far."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as Folder
from typing import Any

import pytest
import torch
from torch.nn import functional

from method_trials import moves, on_digits, published, squares, train
from small_nets import elastic_net, operations_net, sgd, step
from supernet import Arch, OpChoice, Supernet, data, fit, zoo
from supernet.errors import UsageError
from supernet.methods import few_shot, magic_a, spos
from supernet.nn.taps import tapped
from supernet.train import Ramp, Recipe, ValidationError, ValidationLoss
from supernet.train.executor import Executor
from supernet.train.move import Move, Result
from supernet.train.step import Step


def quick(**options: Any) -> Recipe:
    return magic_a(**{"label_smoothing": 0.0, "alignment": 0.1, **options}).with_weights(lr=0.1, per=None)


TRIALS = {
    "magic_a": lambda: on_digits(quick(), operations_net()),
    "magic_a, rated": lambda: on_digits(quick(every=5, rating=ValidationLoss(100)), operations_net()),
}
ALTERNATIVES = {
    "alignment": Ramp(0.0, 1.0),
    "every": 10,
    "rating": ValidationLoss(100),
    "layers": ("3",),
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {"alignment": 1.0, "every": 1, "rating": None, "layers": None}
SMOOTHING = 0.1
REFUSED_BY = {"k_shot", "sum_nas"}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Step, Move, Result, Any]]:
    """Every move: step, move, result, and the anchor as it was before."""
    noted: list[tuple[Step, Move, Result, Any]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        before = dict(now.memory.get("anchor", {}))
        noted.append((now, move, original(self, move, now), before))
        return noted[-1][2]

    monkeypatch.setattr(Executor, "execute", noting)
    return noted


def code(path: Any) -> list[int]:
    assert isinstance(path.decisions, Arch)
    return list(path.decisions.code)


def test_defaults_beside_the_rule_are_those_of_spos() -> None:
    assert published(magic_a().weights) == published(spos().weights)
    program: Any = magic_a().program
    assert program.objective == spos().program.objective  # type: ignore[union-attr]
    assert program.sampler == spos().program.sampler  # type: ignore[union-attr]


def test_the_first_path_is_the_anchor_and_stands_alone() -> None:
    assert [(m.updates, m.data, len(m.paths)) for m in moves(magic_a(), operations_net())] == [("weights", "train", 1)]


def test_the_anchor_runs_first_without_a_gradient_and_the_path_is_aligned_with_it(seen: Any) -> None:
    """The alignment once more, from what every choice block returned."""
    distances: list[float] = []
    original = Executor.run

    def measuring(self: Executor, path: Any, batch: Any, step: Step, *rest: Any) -> Any:
        loss, outcome = original(self, path, batch, step, *rest)
        if outcome.earlier:
            total = 0.0
            for number in ("3", "4"):
                total += functional.mse_loss(outcome.taps[number], outcome.earlier[0].taps[number]).item()
            distances.append(total)
        return loss, outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "run", measuring)
        net = operations_net()
        assert [type(net.module[number]) for number in (3, 4)] == [OpChoice, OpChoice]  # type: ignore[index]
        train(quick(alignment=0.25), net=net, steps=20)
    pairs = [(move, result, before) for _, move, result, before in seen if len(move.paths) == 2]
    assert len(pairs) > 8
    for (move, result, before), distance in zip(pairs, distances, strict=True):
        assert [path.learns for path in move.paths] == [False, True]
        assert code(move.paths[0]) == before["code"]
        assert result.terms["alignment"] == pytest.approx(0.25 * distance, rel=1e-5)
        assert result.losses[1] == pytest.approx(result.terms["loss"] + result.terms["alignment"], rel=1e-5)
    assert max(distances) > 0.01


def test_a_path_takes_the_place_of_the_anchor_when_its_loss_of_the_labels_is_lower(seen: Any) -> None:
    trained = train(quick(), steps=40)
    told = 0
    after = [before for _, _, _, before in seen[1:]] + [trained.memory["anchor"]]
    for (_, move, result, before), later in zip(seen, after, strict=True):
        if len(move.paths) == 1:
            assert not before or before["code"] == code(move.paths[0])
            continue
        better = result.terms["loss"] < result.losses[0]
        assert later["code"] == (code(move.paths[1]) if better else before["code"])
        told += better
    assert 0 < told < sum(len(move.paths) == 2 for _, move, _, _ in seen)


def test_comparisons_are_as_rare_as_they_are_told_to_be(seen: Any) -> None:
    trained = train(quick(every=7), steps=40)
    after = [before for _, _, _, before in seen[1:]] + [trained.memory["anchor"]]
    changed = [
        now.index + 1 for (now, *_, before), later in zip(seen, after, strict=True) if before and later != before
    ]
    assert changed
    assert all(step % 7 == 0 for step in changed)


def test_a_rating_may_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = Step.rate

    def counting(self: Step, targets: Any, **options: Any) -> list[float]:
        asked.append(self.index)
        assert options["data"] == "validation"
        return original(self, targets, **options)

    monkeypatch.setattr(Step, "rate", counting)
    train(quick(every=4, rating=ValidationError(30)), steps=24)
    assert asked
    assert all((index + 1) % 4 == 0 for index in asked)


def test_without_a_weight_the_weights_are_those_of_spos() -> None:
    """In a net whose BatchNorms and dropout do not notice that an anchor runs."""
    nets = [still_net(), still_net()]
    for net, recipe in zip(
        nets, (quick(alignment=0.0), spos(label_smoothing=0.0).with_weights(lr=0.1, per=None)), strict=True
    ):
        train(recipe, net=net, steps=12)
    ends = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in nets]
    assert torch.equal(*ends)
    other = still_net()
    train(quick(alignment=1.0), net=other, steps=12)
    assert not torch.equal(ends[0], torch.cat([p.detach().flatten() for p in other.parameters()]))


def still_net() -> Supernet:
    net = operations_net()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return net


def outputs_of_blocks(alignment: float, *, seed: int) -> list[torch.Tensor]:
    """What each block returns in every architecture (A, B, …), after a training with this weight."""
    net = train(quick(alignment=alignment), steps=60, seed=seed).net
    x = next(squares().validation.batches(32)).x
    outputs: dict[str, list[torch.Tensor]] = {"3": [], "4": []}
    net.train()
    for arch in net.space.enumerate():
        with torch.no_grad(), net.active(arch), tapped(net.module, tuple(outputs)) as taps:
            net(x)
        for name, value in taps.items():
            outputs[name].append(value)
    return [torch.stack(values) for values in outputs.values()]


@pytest.mark.slow
def test_alignment_draws_the_layers_of_paths_together() -> None:
    """In every block and for every seed: relative to how large features are for a weight at which they keep their size,
    and absolutely for one that makes them smaller, too."""
    ratios = []
    for seed in range(3):
        plain, little, much = (outputs_of_blocks(alignment, seed=seed) for alignment in (0.0, 0.1, 1.0))
        for without, weak, strong in zip(plain, little, much, strict=True):
            ratios.append(float(spread(weak) / spread(without)))
            assert ratios[-1] < 0.97
            assert weak.mean(0).var() > 0.8 * without.mean(0).var()
            assert strong.var(0).mean() < 0.6 * without.var(0).mean()
    assert sum(ratios) / len(ratios) < 0.9


def spread(outputs: torch.Tensor) -> torch.Tensor:
    """How far the outputs of all architectures are from their mean, over how much that varies."""
    return outputs.var(0).mean() / outputs.mean(0).var()


def test_a_step_costs_less_than_three_plain_ones(seen: Any) -> None:
    """A plain step is one forward and one backward of the batch."""
    trained = train(quick(), steps=20)
    pairs = sum(len(move.paths) == 2 for _, move, _, _ in seen)
    assert trained.history[-1]["forwards"] == 20 + pairs
    assert trained.history[-1]["backwards"] == 20


def test_a_resumed_training_has_the_same_anchor(tmp_path: Folder) -> None:
    whole = train(quick(), steps=14, out=tmp_path / "whole")
    for stop in (1, 5, 14):
        parts = train(quick(), steps=14, out=tmp_path / "parts", resume=True, stop_after=stop)
    assert whole.memory["anchor"] == parts.memory["anchor"]
    assert set(whole.memory["anchor"]) == {"code", "step"}


def test_an_anchor_that_the_space_no_longer_holds_gives_way_to_the_next_path() -> None:
    net = operations_net()
    space = net.space.restrict({"block0": ["conv1", "skip"]})
    now = replace(step(net), memory={"anchor": {"code": [0, 1], "step": 3}})
    assert net.space.arch({"block0": "conv3", "block1": "conv1"}).code == (0, 1)
    program: Any = magic_a().program
    assert len(next(program.moves(now)).paths) == 2, "in the whole space a path is aligned with it"
    now = replace(now, subspace=space, memory={"anchor": {"code": [0, 1], "step": 3}})
    (move,) = program.moves(now)
    assert len(move.paths) == 1
    assert now.memory["anchor"]["code"] == code(move.paths[0])


def test_every_leaf_has_an_anchor_of_its_own(seen: Any) -> None:
    recipe = few_shot(quick(), parent_epochs=1, leaf_epochs=1)
    phases = recipe.on(operations_net().space).phases
    train(recipe, steps=8 * len(phases))
    for now, move, _, _ in seen:
        assert all(path.decisions in now.space for path in move.paths)
    assert any(len(move.paths) == 2 for _, move, _, _ in seen[16:])


# -- what is refused -------------------------------------------------------------------------------------------


def test_networks_without_choice_blocks_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no choice block whose outputs could be aligned"):
        train(quick(), net=elastic_net())


def test_layers_that_change_their_shape_are_refused_before_training(tmp_path: Folder) -> None:
    with pytest.raises(
        UsageError, match=r"layer '0' returns \(2, \d+, 4, 4\) in one architecture and .* cannot be aligned"
    ):
        train(quick(layers=("0",)), net=elastic_net(), out=tmp_path / "run")
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_unknown_layers_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no module 'nowhere' to tap"):
        train(quick(layers=("nowhere",)))


@pytest.mark.parametrize("options", [{"alignment": -1.0}, {"every": 0}])
def test_settings_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"weight of the alignment|every 0 steps"):
        magic_a(**options)


def test_looking_at_the_shapes_leaves_the_statistics_as_they_are() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1, statistics="track").train()
    net.input_shape = (1, 8, 8)
    before = [buffer.clone() for buffer in net.buffers()]
    magic_a().programs[0].check(net)
    assert before
    assert all(torch.equal(one, other) for one, other in zip(before, net.buffers(), strict=True))


def test_cells_are_aligned_too() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    recipe = replace(quick(), weights=sgd(0.05))
    trained = fit(net, recipe, data.digits(), steps=4, batch_size=16, accelerator="cpu", progress=False)
    assert trained.history[-1]["loss"] > 0
