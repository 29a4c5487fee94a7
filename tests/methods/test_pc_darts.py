"""PC-DARTS: a weight per edge beside those of operations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cell_nets import cells_net
from method_trials import moves, on_digits, published, squares, train
from small_nets import executor, operations_net, step
from supernet import Choice, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, pc_darts
from supernet.methods.cells.pc_darts import ARCHITECTURE_IMAGENET, WEIGHTS, WEIGHTS_IMAGENET
from supernet.nn import EdgeWeights, InputChoice, Mixture
from supernet.space import Arch
from supernet.train import Constant, OptionLogits, Recipe, adam, sgd
from supernet.train.loop import Loop
from supernet.train.part import Setting
from supernet.train.phases import plan
from supernet.train.state import TrainingState

TRIALS = {"pc_darts": lambda: on_digits(pc_darts(exclude=("none",)).with_weights(lr=0.3), cells_net())}
ALTERNATIVES = {
    "begin": 0.5,
    "weigh_edges": False,
    "exclude": ("none",),
    "weights": sgd(0.05),
    "architecture": adam(0.05),
}
SETTINGS = {"begin": 0.3, "weigh_edges": True, "exclude": ()}
SHORT = {"weigh_edges": False}  # for nets without nodes
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_defaults_are_the_official_ones() -> None:
    assert published(pc_darts().weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }
    architecture = pc_darts().parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (6e-4, (0.5, 0.999), 1e-3, None)
    assert isinstance(architecture.schedule, Constant)


def test_imagenet_has_settings_of_its_own() -> None:
    told = published(ARCHITECTURE_IMAGENET)
    assert (told["lr"], told["clip"], told["weight_decay"]) == (6e-3, 5.0, 1e-3)
    net = operations_net()
    rates = [WEIGHTS_IMAGENET.schedule(step(net, epoch, total=50), []) for epoch in range(50)]
    assert published(replace(WEIGHTS_IMAGENET, schedule=WEIGHTS.schedule)) == {**published(WEIGHTS), "lr": 0.5}
    assert max(range(50), key=rates.__getitem__) == 4, "it rises for five epochs"
    assert rates[49] < 0.01


ON_WEIGHTS, ON_ARCHITECTURE = ("weights", "train"), ("architecture", "validation")


@pytest.mark.parametrize(("index", "expected"), [(2, [ON_WEIGHTS]), (3, [ON_ARCHITECTURE, ON_WEIGHTS])])
def test_the_architecture_waits_for_the_weights(index: int, expected: list[tuple[str, str]]) -> None:
    found = moves(pc_darts(), cells_net(), index=index, total=10)
    assert [(move.updates, move.data) for move in found] == expected
    assert all(move.gradient is None for move in found), "first order"


def test_all_logits_begin_as_noise_of_a_thousandth() -> None:
    build = pc_darts().parts["architecture"].build  # type: ignore[union-attr]
    part = build(Setting(zoo.darts(channels=2, layers=3, none=True), 1, {}))
    assert isinstance(part, OptionLogits)
    for values in (part.logits, part.edges):
        drawn = torch.cat([row.detach() for row in values])
        assert drawn.std().item() == pytest.approx(1e-3, rel=0.4)
    assert len(torch.cat(list(part.edges))) == 28, "of 14 edges in each of two cells"


def test_every_node_weighs_its_edges_and_every_edge_its_operations() -> None:
    net = cells_net(nodes=2)
    (move,) = moves(pc_darts(), net, index=0)
    decisions = move.paths[0].decisions
    nodes = {name: value for name, value in decisions.items() if isinstance(value, EdgeWeights)}
    assert {name: len(value.weights) for name, value in nodes.items()} == {
        "normal.2": 2,
        "normal.3": 3,
        "reduce.2": 2,
        "reduce.3": 3,
    }
    mixtures = [value for value in decisions.values() if isinstance(value, Mixture)]
    assert len(mixtures) == 10
    for value in (*nodes.values(), *mixtures):
        assert value.weights.sum().item() == pytest.approx(1)


class Scaled(torch.nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def node_of_scales(factors: tuple[tuple[float, float], ...]) -> Supernet:
    """One node over as many copies of the input as there are edges, each with two scales to choose from."""
    pairs = tuple((a, b) for a in range(len(factors)) for b in range(a + 1, len(factors)))
    inputs = Choice("cell.2", pairs)
    edges = [
        OpChoice(
            Choice(f"cell.2<-{number}", ("one", "two"), when=inputs.is_in([pair for pair in pairs if number in pair])),
            {"one": Scaled(one), "two": Scaled(two)},
        )
        for number, (one, two) in enumerate(factors)
    ]
    return Supernet(InputChoice(inputs, edges))


def logits_of(net: Supernet, alpha: list[list[float]], beta: list[float]) -> OptionLogits:
    made = OptionLogits(net, inputs="edges")
    by_name = dict(zip((choice.name for choice in made.choices), made.logits, strict=True))
    with torch.no_grad():
        for number, values in enumerate(alpha):
            by_name[f"cell.2<-{number}"].copy_(torch.tensor(values))
        dict(made.named_edges())["cell.2"].copy_(torch.tensor(beta))
    return made


ALPHA = [[0.2, 1.0], [2.0, -1.0], [0.0, 0.1]]
BETA = [0.5, -3.0, 1.0]
FACTORS = ((1.0, 10.0), (100.0, 1000.0), (3.0, 5.0))


def test_a_node_is_the_sum_over_edges_and_operations() -> None:
    """Σ_e softmax(β)_e Σ_o softmax(α_e)_o · o(x), PC-DARTS, eq. 4, with scales as operations."""
    net = node_of_scales(FACTORS)
    part = logits_of(net, ALPHA, BETA)
    now = step(net, 5, parts={"architecture": part})
    (_, move) = list(pc_darts(exclude=()).programs[0].moves(now))
    found = net([torch.ones(1)] * 3, move.paths[0].decisions)  # type: ignore[union-attr]
    beta = torch.tensor(BETA).softmax(0)
    inner = [
        (torch.tensor(alpha).softmax(0) * torch.tensor(scales)).sum()
        for alpha, scales in zip(ALPHA, FACTORS, strict=True)
    ]
    torch.testing.assert_close(found, (beta * torch.stack(inner)).sum().reshape(1))


def derived_from(recipe: Recipe, alpha: list[list[float]], beta: list[float]) -> Arch:
    net = node_of_scales(FACTORS)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    state.parts["architecture"].load_state_dict(logits_of(net, alpha, beta).state_dict(), strict=False)
    run = executor(net, squares(), recipe=recipe)
    options = {"seed": 0, "steps": 10, "directory": None, "identity": {}, "log_every": 1, "checkpoint_every": 1}
    loop = Loop(state, run, plan(recipe.phases, 10), monitors=(), **options)  # type: ignore[arg-type]
    assert recipe.derive is not None
    return recipe.derive.derive(loop.context())


@pytest.mark.parametrize(("weigh_edges", "kept"), [(True, (0, 2)), (False, (0, 1))])
def test_a_weak_edge_is_left_out_although_its_operation_is_strong(weigh_edges: bool, kept: tuple[int, int]) -> None:
    """Edge 1 has the strongest operation (softmax 0.95), and the smallest β."""
    derived = derived_from(pc_darts(weigh_edges=weigh_edges), ALPHA, BETA)
    assert derived["cell.2"] == kept
    assert derived[f"cell.2<-{kept[0]}"] == "two"


def test_the_product_is_of_the_softmax_of_both() -> None:
    """Edge 0 is the weakest, but not by α or β as they are, by α alone, or by a sum."""
    alpha, beta = [[3.0, 0.3], [-1.2, 1.2], [-1.2, -0.9]], [1.3, 1.9, 2.0]
    inner = [max(torch.tensor(values).softmax(0).tolist()) for values in alpha]
    products = [x * w for x, w in zip(inner, torch.tensor(beta).softmax(0).tolist(), strict=True)]
    assert min(products) == products[0]
    assert derived_from(pc_darts(), alpha, beta)["cell.2"] == (1, 2)


def test_weights_of_edges_learn_with_those_of_operations() -> None:
    trained = train(pc_darts(begin=0.0, architecture=adam(0.1)), net=cells_net(), steps=4)
    part = trained.parts["architecture"]
    assert isinstance(part, OptionLogits)
    assert all(beta.detach().abs().max() > 0.02 for _, beta in part.named_edges())
    frozen = train(pc_darts(begin=0.99), net=cells_net(), steps=4).parts["architecture"]
    assert all(values.detach().abs().max() < 0.01 for values in frozen.parameters())


def test_it_trains_partial_channels() -> None:
    net = zoo.darts(
        channels=4,
        layers=3,
        nodes=2,
        operations=("skip_connect", "max_pool_3x3"),
        none=True,
        partial=2,
        in_channels=1,
        image_size=8,
    )
    trained = train(pc_darts(exclude=("none",)), net=net, steps=2)
    assert trained.derived is not None
    assert "none" not in trained.derived.options().values()


def test_a_net_without_nodes_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no node that weighs its edges"):
        train(pc_darts(), steps=1)
    assert train(pc_darts(weigh_edges=False), steps=1).derived is not None
    assert darts().parts.keys() == pc_darts().parts.keys()
