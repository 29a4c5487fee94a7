"""ISTA-NAS: codes, what they select and weigh, nodes that are decided, and the network that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cell_nets import cells_net
from method_trials import moves, on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, ista_nas
from supernet.methods.cells.ista_nas import ONE_STAGE
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space import Choice
from supernet.space.restriction import Restriction
from supernet.train import (
    AbsorbCodes,
    Auxiliary,
    Context,
    CrossEntropy,
    NonZero,
    RecoverCodes,
    SingleLevel,
    Softmax,
    SparseCodes,
    Trained,
    adam,
    sgd,
)
from supernet.train.edits.recover_codes import operation_norms
from supernet.train.laws import _accuracy
from supernet.train.parametrisations._node_operations import nodes_of_operations


def nas_bench(**options: Any) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.nasbench201(channels=4, cells=1, in_channels=1, **options)


def cells(**options: Any) -> Supernet:
    sizes = {"channels": 4, "layers": 3, "nodes": 2, "in_channels": 1, "image_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**{**sizes, **options})


def accuracy(trained: Trained) -> float:
    assert trained.derived is not None
    return _accuracy(trained.net, trained.derived, squares() if trained.net.input_shape == (1, 4, 4) else digits())


def digits() -> Any:
    from method_trials import digits as found

    return found()


SHORT: dict[str, Any] = {"recover": "steps"}
QUICK: dict[str, Any] = {**ONE_STAGE, "epochs": (1.0, 3.0), "auxiliary": 0.0, "drop_path": 0.0, "recover": "steps"}

TRIALS = {
    "ista_nas": lambda: replace(on_digits(ista_nas(), nas_bench(), steps=40), watched=2),
    "ista_nas, one stage": lambda: replace(
        on_digits(ista_nas(**QUICK).with_weights(lr=0.1), nas_bench(affine=True), steps=40),
        measure=accuracy,
        least=0.25,
    ),
}
ALTERNATIVES = {
    "epochs": (120.0, 600.0),
    "levels": 1,
    "sparsity": 3,
    "dimensions": 5,
    "penalty": 1e-4,
    "recover": "steps",
    "converged": 1e-3,
    "auxiliary": 0.4,
    "drop_path": 0.2,
    "weights": sgd(0.2),
    "architecture": adam(0.1),
}
SETTINGS = {
    "epochs": (50.0,),
    "levels": 2,
    "sparsity": 2,
    "dimensions": 7,
    "penalty": 1e-5,
    "recover": "epochs",
    "converged": 0.0,
    "auxiliary": 0.0,
    "drop_path": 0.0,
}
REFUSED_BY = frozenset({"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


# -- settings ------------------------------------------------------------------------------------------------------


def test_optimisers_are_the_published_ones() -> None:
    told, theirs = published(ista_nas().weights), published(darts().weights)
    assert told == {**theirs, "lr": 0.1, "end": 0.01}, "from 0.1 to 0.001"
    assert published(ista_nas().parts["architecture"].updates) == {  # type: ignore[arg-type]
        **published(darts().parts["architecture"].updates),  # type: ignore[arg-type]
        "lr": 6e-4,
    }


def test_one_stage_is_constant_until_nodes_are_decided_and_then_a_cosine() -> None:
    recipe = ista_nas(**ONE_STAGE)
    search, after = recipe.phases
    assert (search.share, after.share, after.restart) == (120, 600, False)
    assert published(search.updates["weights"]) == {**published(darts().weights), "end": 1.0}
    assert published(recipe.weights) == published(darts().weights)
    assert after.updates == {}
    assert search.settings == {}
    ramp: Any = after.settings["drop_path"]
    at = [ramp(step(operations_net(), index, total=600)) for index in (0, 1, 300, 599)]
    assert at == pytest.approx([0.2 * e / 600 for e in (0, 1, 300, 599)])
    assert recipe.parts["architecture"].updates == darts().parts["architecture"].updates
    loss = Auxiliary(CrossEntropy(), 0.4)
    assert search.program == SingleLevel(objective=loss)
    assert search.program.parts == ("architecture",)
    assert after.program == SingleLevel(objective=loss, also=("norms",))
    assert after.program.parts == ("architecture", "norms")
    assert (search.enter, after.enter) == (None, AbsorbCodes())
    assert recipe.parts["norms"].updates == recipe.weights
    assert [(edit.apply, edit.unit) for edit in search.edits] == [(RecoverCodes(converged=1e-3), "epochs")]


def test_codes_move_first_on_validation_images_or_together_with_the_weights() -> None:
    told = [(move.families, move.data) for move in moves(ista_nas(), nas_bench())]
    assert told == [(("architecture",), "validation"), (("weights",), "train")]
    told = [(move.families, move.data) for move in moves(ista_nas(levels=1), nas_bench())]
    assert told == [(("weights", "architecture"), "train")]


# -- codes ---------------------------------------------------------------------------------------------------------


def context(net: Supernet, codes: SparseCodes) -> Context:
    now = replace(step(net, 5, total=10, parts={"architecture": codes}), restriction=Restriction(net.space))
    return Context(now, executor(net, squares()))


def test_codes_are_seven_numbers_per_node_and_one_per_edge_and_operation() -> None:
    codes = SparseCodes(cells(nodes=4))
    assert [tuple(codes.sensing(n).shape) for n in range(8)] == 2 * [(7, 7 * n) for n in (2, 3, 4, 5)]
    every = torch.cat([codes.sensing(n).flatten() for n in range(8)])
    assert 0 <= every.min() < 0.01 < 0.99 < every.max() < 1
    assert every.mean() == pytest.approx(0.5, abs=0.03)
    spread = torch.cat([b.detach() for b in codes.compressed]).std()
    assert spread == pytest.approx(1e-3, rel=0.3)


def by_numpy(codes: SparseCodes, number: int, selected: list[int]) -> np.ndarray:
    """bᵀ A_S − (AᵀA − I)_Sᵀ x_S, written down from the released code: other columns of A, E and x are set to 0."""
    sensing, code = codes.sensing(number).double().numpy().copy(), codes.code(number).double().numpy().copy()
    off = [place for place in range(len(code)) if place not in selected]
    matrix = sensing.T @ sensing - np.eye(len(code))
    code[off], sensing[:, off], matrix[:, off] = 0, 0, 0
    return codes.compressed[number].detach().double().numpy() @ sensing - matrix.T @ code


@pytest.mark.parametrize("several", [True, False])
def test_only_the_strongest_run_and_weigh_what_the_released_code_says(several: bool) -> None:
    net = cells(nodes=3, inputs="subsets", several_ops=several)
    codes = SparseCodes(net, scale=0.1)
    for b in codes.compressed:
        b.data.add_(0.01 * torch.randn(7, generator=torch.Generator().manual_seed(1)))  # since the last recovery
    drawn = codes.draw(context(net, codes).step, Softmax(), "weights")
    together = 0
    for number, node in enumerate(codes.nodes):
        values = codes.code(number).tolist()
        order = sorted(range(len(values)), key=lambda place: -abs(values[place]))
        if several:
            expected = sorted(order[:2])
        else:
            first = order[0]
            expected = sorted([first, next(p for p in order if p // 7 != first // 7)])
        assert codes.selected(number, None) == expected
        weights = by_numpy(codes, number, expected)
        run = []
        for place, edge in enumerate(node.edges):
            decision: Any = drawn[edge.choice.name]
            assert isinstance(decision, EdgeWeights if several else Mixture)
            assert decision.weights.detach().numpy() == pytest.approx(weights[7 * place : 7 * place + 7], abs=1e-5)
            run += [7 * place + member for member in decision.run]
            together += len(decision.run) > 1
        assert run == expected
        inputs: Any = drawn[node.name]
        assert inputs.run == tuple(sorted({place // 7 for place in expected}))
        assert inputs.weights.tolist() == [float(e in inputs.run) for e in range(len(node.edges))]
    assert several or not together


def test_the_gradient_to_a_compressed_code_is_that_of_the_columns_that_run() -> None:
    codes = SparseCodes(cells())
    selected = codes.selected(0, None)
    slopes = torch.randn(len(codes.code(0)), generator=torch.Generator().manual_seed(0))
    (codes.weights(0, selected) @ slopes).backward()  # type: ignore[no-untyped-call]
    expected = codes.sensing(0)[:, selected] @ slopes[selected]
    assert codes.compressed[0].grad == pytest.approx(expected, abs=1e-5)


def test_weights_are_the_code_when_it_explains_everything() -> None:
    """With as many entries as the solution has, z is x + λ sign(x)."""
    codes = SparseCodes(cells(inputs="subsets", several_ops=True), sparsity=7, scale=0.1)
    code = codes.code(1)
    selected = codes.selected(1, None)
    assert len(code.nonzero()) <= len(selected)
    found = codes.weights(1, selected).detach()
    used = code != 0
    assert found[used] == pytest.approx((code + 1e-5 * code.sign())[used], abs=2e-6)


def test_only_what_is_selected_is_computed() -> None:
    net = cells(nodes=2, inputs="subsets", several_ops=True)
    codes = SparseCodes(net, scale=1.0)
    drawn = codes.draw(context(net, codes).step, Softmax(), "weights")
    net(torch.randn(4, 1, 8, 8), drawn).sum().backward()
    used = {name for name, p in net.named_parameters() if p.grad is not None}
    selected = set()
    for number, node in enumerate(codes.nodes):
        for place in codes.selected(number, None):
            edge, member = node.places[place]
            selected.add((node.name, edge, zoo_operations()[member]))
    operations = {name for name in used if ".members." in name}
    assert operations
    for name in operations:
        cell, node, edge = (int(name.split(".")[at]) for at in (2, 4, 6))
        kind = "normal" if cell == 0 else "reduce"
        assert (f"{kind}.{node + 2}.inputs", edge, name.split(".members.")[1].split(".")[0]) in selected
    assert all(codes.compressed[n].grad is not None for n in range(4))


def zoo_operations() -> tuple[str, ...]:
    from supernet.zoo.cells.cell_ops import OPERATIONS

    return OPERATIONS


# -- recovery and decisions ----------------------------------------------------------------------------------------


def test_a_node_is_decided_once_its_code_has_moved_by_less_than_the_distance() -> None:
    net = cells(nodes=3)
    codes = SparseCodes(net)
    context_ = context(net, codes)
    before = codes.code(1).clone()
    with torch.no_grad():
        codes.compressed[1].add_(0.1)
    told = RecoverCodes(converged=1e-3)(context_)
    decided = [node.decided(context_.restriction) is not None for node in codes.nodes]
    assert decided == [True, False, True, True, True, True]
    moved = float((codes.recovered(1) - before).norm())
    assert told == {"codes/moved": pytest.approx(moved), "codes/open": 1}
    assert moved > 1e-3
    assert RecoverCodes()(context_)["codes/open"] == 1, "without a distance nothing is decided"


def test_what_is_decided_learns_no_more_and_keeps_its_weights() -> None:
    net = cells(nodes=2)
    codes = SparseCodes(net)
    context_ = context(net, codes)
    before = codes.draw(context_.step, Softmax(), "weights")
    RecoverCodes(converged=1e-3)(context_)
    after = codes.draw(context_.step, Softmax(), "weights")
    for name, decision in before.items():
        if isinstance(decision, Mixture | EdgeWeights):
            assert torch.equal(decision.weights, after[name].weights)  # type: ignore[union-attr]
            assert decision.run == after[name].run  # type: ignore[union-attr]
            assert not after[name].weights.requires_grad  # type: ignore[union-attr]


def test_what_is_decided_is_recovered_no_more() -> None:
    codes = SparseCodes(cells(nodes=2))
    context_ = context(cells(nodes=2), codes)
    with torch.no_grad():
        codes.compressed[0].add_(0.1)
    (before, told) = codes.code(0).clone(), RecoverCodes()(context_)
    assert told["codes/moved"] > 0
    assert torch.equal(codes.code(0), codes.recovered(0)), "the code is that of b as it is now"
    assert (codes.code(0) - before).norm().item() == pytest.approx(told["codes/moved"])
    with torch.no_grad():
        codes.code(0).copy_(before)
    assert RecoverCodes(converged=told["codes/moved"])(context_)["codes/open"] == 0, (
        "the distance itself is near enough"
    )
    kept = [codes.code(number).clone() for number in range(4)]
    with torch.no_grad():
        for b in codes.compressed:
            b.add_(1.0)
    assert RecoverCodes(converged=1e-3)(context_) == {"codes/moved": 0.0, "codes/open": 0}
    assert all(torch.equal(codes.code(number), code) for number, code in enumerate(kept))


@pytest.mark.slow
@pytest.mark.parametrize("several", [True, False])
def test_as_many_operations_are_derived_as_codes_have_entries(several: bool) -> None:
    net = cells(nodes=4, inputs="subsets" if several else "pairs", several_ops=several)
    codes = SparseCodes(net, scale=0.1)
    arch = NonZero().derive(context(net, codes))
    for number, node in enumerate(codes.nodes):
        kept: Any = range(2) if node.inputs is None else arch[node.inputs.name]
        ops: list[Any] = [arch[node.edges[edge].choice.name] for edge in kept]
        count = sum(len(op) if isinstance(op, tuple) else 1 for op in ops)
        assert count == 2
        for place in codes.selected(number, None):
            edge, member = node.places[place]
            op = arch[node.edges[edge].choice.name]
            assert zoo_operations()[member] in (op if isinstance(op, tuple) else (op,))


def test_the_last_step_counts_in_what_is_derived() -> None:
    net = cells(nodes=1)
    codes = SparseCodes(net)
    with torch.no_grad():
        codes.compressed[0].copy_(codes.sensing(0)[:, 3] + 2 * codes.sensing(0)[:, 7 + 5])
    arch = NonZero().derive(context(net, codes))
    assert (arch["normal.2<-0"], arch["normal.2<-1"]) == (zoo_operations()[3], zoo_operations()[5])


def test_of_nas_bench_201_edges_without_an_entry_are_none() -> None:
    net = nas_bench()
    codes = SparseCodes(net)
    assert [len(codes.code(n)) for n in range(3)] == [4, 8, 12], "none has no entry"
    arch = NonZero().derive(context(net, codes))
    heard = [sum(arch[f"{node}<-{source}"] != "none" for source in range(node)) for node in (1, 2, 3)]
    assert heard == [1, 2, 2]


@pytest.mark.parametrize(
    "options", [{"operations": ("sep_conv_3x3", "dil_conv_5x5", "dil_conv_3x3")}, {"norm_all": True}]
)
def test_the_network_computes_what_it_did_once_weights_are_absorbed(options: dict[str, Any]) -> None:
    net = cells(nodes=3, affine=True, **options)
    codes = SparseCodes(net, scale=1.0)
    context_ = context(net, codes)
    for parameter in operation_norms(net):  # away from 1 and 0
        parameter.data.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(0))
    images = torch.randn(8, 1, 8, 8)
    before = net(images, codes.draw(context_.step, Softmax(), "weights"))
    AbsorbCodes()(context_)
    after = codes.draw(context_.step, Softmax(), "weights")
    assert isinstance(after, Decisions)
    assert all(isinstance(decision, int) for decision in after.values())
    assert torch.allclose(net(images, after), before, atol=1e-4)
    assert torch.allclose(net(images, NonZero().derive(context_)), before, atol=1e-4)
    weights = [p.clone() for p in net.parameters()]
    AbsorbCodes()(context_)
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters(), strict=True)), "once"


def test_norms_of_operations_wait_until_the_search_is_over() -> None:
    net = nas_bench(affine=True)
    fixed = [p.detach().clone() for p in operation_norms(net)]
    recipe = ista_nas(**{**QUICK, "converged": 0.0})
    train(recipe, net=net, steps=8, stop_after=2)
    assert all(torch.equal(a, b) for a, b in zip(fixed, operation_norms(net), strict=True))
    train(recipe, net=net, steps=8)
    assert not all(torch.equal(a, b) for a, b in zip(fixed, operation_norms(net), strict=True))


@pytest.mark.slow
def test_codes_are_recovered_after_epochs_or_steps() -> None:
    for recover, expected in (("epochs", 1), ("steps", 8)):
        history = train(ista_nas(recover=recover), net=nas_bench(), steps=8, log_every=1).history  # type: ignore[arg-type]
        assert sum("codes/open" in row for row in history) == expected, "7 steps are an epoch"


def test_a_search_ends_once_all_nodes_are_decided() -> None:
    trained = train(ista_nas(converged=1e9, recover="steps"), net=nas_bench(), steps=8)
    assert trained.steps == 1
    assert trained.space is not None
    assert trained.space.size == 1
    assert trained.derived is not None
    assert trained.derived.options() == trained.space.smallest().options()


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"levels": 3}, {"epochs": ()}, {"sparsity": 0}, {"dimensions": 0}, {"penalty": 0.0}, {"converged": -1.0}],
)
def test_values_outside_their_range_are_refused_where_they_are_given(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ista_nas(**options)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (elastic_net, "cannot be mixed"),
        (lambda: cells(inputs="all", nodes=3), "has no such option"),
        (lambda: cells(several_ops=True), "has no such option"),
    ],
)
def test_spaces_that_do_not_hold_what_codes_select_are_refused_before_training(net: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(ista_nas(), net=net())


def test_one_stage_needs_norms_that_learn() -> None:
    with pytest.raises(UsageError, match="affine=True"):
        train(ista_nas(**QUICK), net=nas_bench())


def test_other_numbers_of_operations_need_such_options() -> None:
    with pytest.raises(UsageError, match="has no such option"):
        SparseCodes(cells_net(nodes=3), sparsity=3)
    assert SparseCodes(cells(inputs="subsets", nodes=3), sparsity=3).sparsity == 3


def test_blocks_that_stand_alone_keep_one_operation() -> None:
    net = operations_net()
    assert [len(node.edges) for node in nodes_of_operations(net, "A test")] == [1, 1]
    codes = SparseCodes(net)
    assert [len(codes.selected(n, None)) for n in range(2)] == [1, 1]
    restriction = Restriction(net.space)
    restriction.allow("block0", ("skip", "conv1"))
    assert codes.selected(0, restriction)[0] in (1, 2)
    assert isinstance(net.space.choices[0], Choice)
