"""EnTranNAS: engine cells mix operations, transit cells run what is derived, nodes with thresholds keep any number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import on_digits, published, squares, train
from small_nets import executor, step
from supernet import OpChoice, SubsetChoice, Supernet, zoo
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.methods import darts, entrannas
from supernet.methods.cells.darts import ARCHITECTURE
from supernet.nn.drop_path import DropPath
from supernet.nn.output import Output
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import (
    Context,
    EngineAndTransit,
    LogitsAndThresholds,
    NonZero,
    OptionLogits,
    Part,
    Path,
    Ramp,
    Softmax,
    Strongest,
    ThresholdedLogits,
    adam,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.objectives.cross_entropy import CrossEntropy

OPERATIONS = ("skip_connect", "sep_conv_3x3", "max_pool_3x3")


def cells(**options: Any) -> Supernet:
    sizes = {"channels": 2, "layers": 4, "nodes": 2, "in_channels": 1, "image_size": 8, "operations": OPERATIONS}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**{**sizes, **options})


def sets(**options: Any) -> Supernet:
    return cells(inputs="subsets", several_ops=True, **options)


TRIALS = {
    "entrannas": lambda: on_digits(entrannas().with_weights(lr=0.1), cells(channels=4), steps=120),
    "entrannas, thresholds": lambda: on_digits(
        entrannas(threshold=0.5).with_weights(lr=0.1), sets(channels=4, operations=OPERATIONS[:2]), steps=120
    ),
}
ALTERNATIVES = {
    "engines": 2,
    "temperature": 0.5,
    "share": False,
    "threshold": 0.5,
    "exclude": ("none",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {"engines": 1, "temperature": 1.0, "share": True, "threshold": None, "exclude": ()}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_what_the_paper_leaves_open_is_that_of_darts() -> None:
    assert published(entrannas().weights) == published(darts().weights)
    assert entrannas().parts == darts().parts
    (program,) = entrannas(temperature=2.0).programs
    assert program.relaxation == Softmax(2.0)  # type: ignore[attr-defined]
    assert entrannas(exclude=("none",)).derive == Strongest(("none",))
    part = entrannas(threshold=0.3, temperature=2.0).parts["architecture"]
    assert part == Part(build=LogitsAndThresholds(0.3, 2.0), updates=ARCHITECTURE)
    assert (entrannas().derive, entrannas(threshold=0.3).derive) == (Strongest(), NonZero())


# -- what runs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Counter[tuple[int, str, str]]]:
    """How often an operation is asked for by cell, choice and name, in every pass that is trained from now on."""
    seen: list[Counter[tuple[int, str, str]]] = []
    original = Executor.forward

    def noting(self: Executor, *args: Any, **options: Any) -> Output:
        seen.append(Counter())
        handles = []
        for number, cell in enumerate(self.net.module.cells):  # type: ignore[union-attr, arg-type]
            for block in cell.modules():
                if isinstance(block, OpChoice | SubsetChoice):
                    of = block.candidates if isinstance(block, OpChoice) else block.members
                    for name, operation in of.items():
                        handles.append(operation.register_forward_hook(_note(seen[-1], number, name, block, operation)))
        output = original(self, *args, **options)
        for handle in handles:
            handle.remove()
        return output

    monkeypatch.setattr(Executor, "forward", noting)
    return seen


def _note(seen: Counter[Any], cell: int, name: str, block: Any, operation: nn.Module) -> Any:
    def hook(*_: object) -> None:
        seen[cell, block.choice.name, name] += 1

    return hook


def test_engine_cells_run_everything_and_transit_cells_the_derived_operations_alone(ran: Any) -> None:
    """Cells 0 and 3 are normal, 1 and 2 reduce: of each kind the second is a transit cell."""
    recipe = entrannas(share=False, architecture=ARCHITECTURE.with_settings(lr=0.2))
    archs: list[Any] = []
    original = Strongest.derive

    def noting(self: Strongest, context: Context) -> Arch:
        archs.append(original(self, context))
        return archs[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Strongest, "derive", noting)
        train(recipe, net=cells(), steps=3)
    assert len(ran) == len(archs) - 1 == 2 * 3
    edges = {f"{cell}.{node}<-{s}" for cell in ("normal", "reduce") for node in (2, 3) for s in range(node)}
    for arch, one in zip(archs[:-1], ran, strict=True):
        kept = {(edge, op) for edge in edges if (op := arch[edge]) is not None}
        assert len(kept) == 2 * (2 + 2)
        for cell, kind in enumerate(("normal", "reduce", "reduce", "normal")):
            mine = {(edge, op) for at, edge, op in one if at == cell}
            whole = {(edge, op) for edge in edges if edge.startswith(kind) for op in OPERATIONS}
            assert mine == (whole if cell in (0, 1) else {pair for pair in kept if pair[0].startswith(kind)})
    assert all(before != after for before, after in zip(archs[0:6:2], archs[1:6:2], strict=True)), "α has moved between"


@pytest.mark.parametrize(("engines", "passes"), [(2, 4 * 5 * 3), (1, 2 * 5 * 3 + 2 * 4)])
def test_all_cells_may_be_engines(ran: Any, engines: int, passes: int) -> None:
    train(entrannas(share=False, engines=engines), net=cells(), steps=1)
    assert [one.total() for one in ran] == [passes, passes]


def test_an_operation_on_a_node_runs_once_for_all_nodes_after_it() -> None:
    net = entrannas().adapted(cells())
    seen: Counter[str] = Counter()
    for module in net.modules():
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(lambda *_: seen.update(["pool"]))
    logits = OptionLogits(net)
    net.train()(torch.randn(4, 1, 8, 8), logits.draw(step(net), Softmax(), "weights"))
    assert seen["pool"] == 4 * 3, "three nodes before the last one, in four cells, where five edges run it in DARTS"


def test_settings_reach_engine_and_transit_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[nn.Module, set[float]] = {}
    original = DropPath.forward

    def noting(self: DropPath, x: Tensor) -> Tensor:
        seen.setdefault(self, set()).add(self.selection.setting("drop_path", 0.0))
        return original(self, x)

    monkeypatch.setattr(DropPath, "forward", noting)
    net = cells()
    one_pass(net, OptionLogits(net), EngineAndTransit(), torch.randn(4, 1, 8, 8), settings={"drop_path": 0.25})
    for cell in net.module.cells:  # type: ignore[union-attr]
        assert any(seen.get(module) == {0.25} for module in cell.modules())


# -- transit cells compute what is derived ---------------------------------------------------------------------------


def one_pass(
    net: Supernet,
    logits: nn.Module,
    forward: EngineAndTransit,
    x: Tensor,
    settings: Mapping[str, float] = MappingProxyType({}),
) -> tuple[list[Tensor], Any, Any]:
    """What the cells return in one pass of the recipe, the move's decisions and what is derived."""
    run = executor(net, squares(), parts={"architecture": logits})
    now = replace(step(net, 5, parts={"architecture": logits}), restriction=Restriction(net.space), runner=run)
    outs: list[Tensor] = []
    handles = [cell.register_forward_hook(lambda *given: outs.append(given[2])) for cell in net.module.cells]  # type: ignore[union-attr]
    decisions = logits.draw(now, Softmax(), "weights")  # type: ignore[operator]
    out = forward(
        now, Path(decisions, CrossEntropy(), settings=settings), Batch(x, torch.zeros(len(x), dtype=torch.long))
    )
    for handle in handles:
        handle.remove()
    return [*outs, out.logits], decisions, forward.derive.derive(Context(now, run))


@pytest.mark.parametrize("thresholds", [False, True])
def test_cells_compute_mixture_and_derived_architecture_and_logits_learn_through_engines(thresholds: bool) -> None:
    net = sets() if thresholds else cells()
    logits = ThresholdedLogits(net, threshold=0.7, scale=1.0) if thresholds else OptionLogits(net, scale=1.0)
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    derive: Any = NonZero() if thresholds else Strongest()
    outs, decisions, arch = one_pass(net, logits, EngineAndTransit(engines=1, derive=derive), x)
    stem = net.module.stem(x)  # type: ignore[union-attr, operator]
    before, last = stem, stem
    for number, cell in enumerate(net.module.cells):  # type: ignore[union-attr, arg-type]
        with net.active(decisions if number in (0, 1) else arch):
            before, last = last, cell(before, last)
        torch.testing.assert_close(outs[number], last)
    head = nn.Sequential(net.module.pool, net.module.flatten, net.module.classifier)  # type: ignore[union-attr, arg-type]
    learned = list(logits.parameters())
    found, expected = (
        torch.autograd.grad(out.square().sum(), learned, retain_graph=True) for out in (outs[-1], head(last))
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.any() or thresholds, "through the engine cell of each kind"


@pytest.mark.slow
def test_the_gap_between_supernet_and_derived_network_is_smaller_than_that_of_darts() -> None:
    """The loss of the supernet less that of the derived network with the same weights."""
    gaps = {}
    batch = next(iter(squares().split("validation").batches(80)))
    for name, recipe in (("entrannas", entrannas(share=False)), ("darts", darts())):
        trained = train(recipe.with_weights(lr=0.1), net=cells(channels=4), steps=40)
        forward = EngineAndTransit(engines=1 if name == "entrannas" else 4)
        outs, _, arch = one_pass(trained.net, trained.parts["architecture"], forward, batch.x)
        derived = trained.net(batch.x, arch)
        losses = [nn.functional.cross_entropy(out.detach(), batch.y).item() for out in (outs[-1], derived)]
        gaps[name] = abs(losses[0] - losses[1])
    assert gaps["entrannas"] < 0.7 * gaps["darts"], gaps


# -- thresholds ----------------------------------------------------------------------------------------------------


def test_with_thresholds_engine_and_transit_cells_run_the_same_operations_and_these_are_derived(ran: Any) -> None:
    """After the last step of a training whose thresholds have taken operations out."""
    recipe = entrannas(threshold=0.9, share=False, architecture=ARCHITECTURE.with_settings(lr=0.1))
    trained = train(recipe, net=sets(), steps=6)
    arch, part = trained.derived, trained.parts["architecture"]
    assert arch is not None
    assert len({beta.item() for beta in part.thresholds}) == 4, "thresholds learn with the logits"
    numbers = []
    for number, node in enumerate(part.nodes):
        kept = {node.places[place] for place in part.weights(number).nonzero().flatten().tolist()}
        numbers.append(len(kept))
        inputs: Any = arch[node.inputs.name]
        assert inputs == tuple(sorted({edge for edge, _ in kept}))
        for edge in inputs:
            ops = arch[node.edges[edge].choice.name]
            assert ops == tuple(OPERATIONS[member] for of, member in sorted(kept) if of == edge)
    assert len(set(numbers)) > 1, "nodes keep any number"
    assert max(numbers) < 9
    for one in ran:
        mine = [{(edge, op) for at, edge, op in one if at == cell} for cell in range(4)]
        assert mine[0] == mine[3]
        assert mine[1] == mine[2], "of both moves of every step"
    assert ran[-1].total() < ran[0].total()


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engines": 0}, "at least 1"),
        ({"temperature": 0.0}, "above 0"),
        ({"threshold": 1.0}, "below 1"),
        ({"threshold": 0.5, "exclude": ("none",)}, "take no options out"),
        ({"threshold": 0.5, "temperature": Ramp(2.0, 0.5)}, "give a number"),
    ],
)
def test_values_that_make_no_sense_are_refused_where_they_are_given(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        entrannas(**options)


def test_spaces_that_cannot_be_shared_or_do_not_hold_any_number_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match="share=False"):
        train(entrannas(), net=cells(channels=4, layers=3, partial=2))
    with pytest.raises(UsageError, match="several_ops=True"):
        train(entrannas(threshold=0.5), net=cells(layers=3))
