"""DARTS's and ENAS's recurrent cells: what they span, compute and cost, and that they are trained, exported, read."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet import Arch, Mixture, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights, Field, Inputs
from supernet.nn.laws import LAWS, Law
from supernet.nn.turns import turns_of
from supernet.train import LSTMController, Setting
from supernet.zoo.recurrent.darts_rnn_genotype import DARTS_PENN_TREEBANK
from supernet.zoo.recurrent.enas_rnn_sequence import ENAS_PAPER, ENAS_RELEASED

V, T, D = 11, 4, 6
DRY = dict.fromkeys(("word_dropout", "embedding_dropout", "input_dropout", "hidden_dropout", "output_dropout"), 0.0)
SMALL: dict[str, Any] = {"variant": "tiny", "width": D, "num_classes": V, "length": T, **DRY}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda h: h,
}
NETS: dict[str, Callable[[], Supernet]] = {
    "darts_rnn": lambda: zoo.darts_rnn(**{**SMALL, "nodes": 3}),
    "darts_rnn, none and dropouts": lambda: zoo.darts_rnn(
        **{**SMALL, "nodes": 3, "none": True, "norm": False, "word_dropout": 0.2, "hidden_dropout": 0.3}
    ),
    "enas_rnn": lambda: zoo.enas_rnn(**{**SMALL, "nodes": 4}),
    "enas_rnn, by activation": lambda: zoo.enas_rnn(**{**SMALL, "nodes": 4, "by_activation": True, "norm": False}),
}


def built(name: str) -> Supernet:
    torch.manual_seed(0)
    return NETS[name]()


def tokens(batch: int = 3) -> Tensor:
    return torch.randint(V, (batch, T), generator=torch.Generator().manual_seed(1))


def archs_of(net: Supernet, n: int = 6) -> list[Arch]:
    drawn = net.space.wrap(net.space.population(np.random.default_rng(0), n))
    return [net.space.smallest(), net.space.largest(), *drawn]


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", NETS)
def test_networks_keep_the_laws(name: str, law: Law) -> None:
    law(built(name), lambda arch: tokens())


# -- size, against enumeration and published counts ------------------------------------------------------------------


def test_sizes_are_those_of_the_papers_and_of_enumeration() -> None:
    with torch.device("meta"):
        assert zoo.darts_rnn(num_classes=5, length=1).space.size == 4**8 * math.factorial(8) == 2_642_411_520
        assert zoo.enas_rnn(num_classes=5, length=1).space.size == 4**12 * math.factorial(11)
    for name in NETS:
        net = built(name)
        every = list(net.space.enumerate())
        assert len(every) == len(set(every)) == net.space.size
    assert built("darts_rnn").space.size == 4**3 * 6
    assert built("darts_rnn, none and dropouts").space.size == 5**3 * 6
    assert built("enas_rnn").space.size == 4**4 * 6


def params(width: int, nodes: int, *, vocabulary: int = 10_000, bias: bool) -> int:
    """One table, a bias of logits, a matrix of input and memory, a matrix of each further node that runs."""
    return vocabulary * width + bias * vocabulary + 4 * width**2 + nodes * 2 * width**2


def test_parameters_of_the_published_networks() -> None:
    with torch.device("meta"):
        darts, enas = zoo.darts_rnn(variant="final"), zoo.enas_rnn(variant="final")
        cells = [zoo.darts_rnn_arch(darts.space), zoo.enas_rnn_arch(enas.space)]
        found = measure.params(darts, cells[0])
        assert found == params(850, 8, bias=True) == 22_960_000, "23 million in the paper"
        assert measure.params(enas, cells[1]) == params(748, 11, bias=False)
        assert sum(p.numel() for p in darts.parameters()) == found, "no weight of DARTS's depends on the cell"
        pairs = 12 * 11 // 2
        assert sum(p.numel() for p in enas.parameters()) == params(748, pairs, bias=False)


@pytest.mark.parametrize("name", NETS)
def test_costs_are_the_counted_ones(name: str) -> None:
    net = built(name)
    assert net.input_shape is not None
    for arch in archs_of(net):
        subnet = net.extract(arch)
        assert measure.params(net, arch) == sum(p.numel() for p in subnet.parameters())
        assert measure.macs(net, arch) == measure.count_macs(subnet, net.input_shape)
        if "none" not in name:
            assert measure.macs(net, arch) == T * (4 * D * D + 3 * 2 * D * D + D * V)


# -- what it computes, written down again ----------------------------------------------------------------------------


def stepped(state: Tensor, halves: Tensor, activation: str) -> Tensor:
    gate, towards = halves[:, :D], halves[:, D:]
    gate = torch.sigmoid(gate)
    return gate * ACTIVATIONS[activation](towards) + (1 - gate) * state


def normed(x: Tensor, eps: float) -> Tensor:
    return (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + eps)


def darts_by_hand(net: Supernet, arch: Arch, x: Tensor, *, norm: bool) -> Tensor:
    weights = net.module.state_dict()
    after = (lambda s: normed(s, 1e-5)) if norm else (lambda s: s)
    h, logits = torch.zeros(len(x), D), []
    for place in range(T):
        vector = weights["embedding.weight"][x[:, place]]
        states = [after(stepped(h, torch.cat([vector, h], 1) @ weights["cell.first.linear.weight"].t(), "tanh"))]
        for node in range(1, 4):
            (source,) = (0,) if node == 1 else arch[f"{node}.input"]
            matrix = weights[f"cell.nodes.{node - 1}.linear.weight"]
            states.append(after(stepped(states[source], states[source] @ matrix.t(), arch[f"{node}<-{source}"])))
        h = (states[1] + states[2] + states[3]) / 3
        logits.append(h @ weights["embedding.weight"].t() + weights["head.bias"])
    return torch.stack(logits, 1)


def enas_by_hand(net: Supernet, arch: Arch, x: Tensor, *, by_activation: bool) -> Tensor:
    weights = net.module.state_dict()
    norm = (lambda s: s) if by_activation else (lambda s: normed(s, 1.0))
    h, logits = torch.zeros(len(x), D), []
    for place in range(T):
        vector = weights["embedding.weight"][x[:, place]]
        first = f"first.candidates.{arch['0']}" if by_activation else "first"
        halves = torch.cat([vector, h], 1) @ weights[f"cell.{first}.linear.weight"].t()
        states, taken = [stepped(h, norm(halves), arch["0"])], set()
        for node in range(1, 4):
            (source,) = (0,) if node == 1 else arch[f"{node}.input"]
            taken.add(source)
            edge = f"cell.nodes.{node - 1}.inputs.edges.{source}"
            edge += f".candidates.{arch[str(node)]}" if by_activation else ""
            halves = states[source] @ weights[f"{edge}.linear.weight"].t()
            states.append(stepped(states[source], norm(halves), arch[str(node)]))
        loose = [state for number, state in enumerate(states) if number not in taken]
        h = norm(sum(loose[1:], start=loose[0]) / len(loose))
        logits.append(h @ weights["embedding.weight"].t())
    return torch.stack(logits, 1)


@pytest.mark.parametrize("norm", [True, False])
def test_darts_computes_what_the_authors_write(norm: bool) -> None:
    torch.manual_seed(0)
    net = zoo.darts_rnn(**{**SMALL, "nodes": 3, "norm": norm}).train()
    torch.nn.init.normal_(net.module.head.bias)  # type: ignore[union-attr, arg-type]
    for arch in archs_of(net, 12):
        torch.testing.assert_close(net(tokens(), arch), darts_by_hand(net, arch, tokens(), norm=norm))


@pytest.mark.parametrize("by_activation", [True, False])
def test_enas_computes_what_the_authors_write(by_activation: bool) -> None:
    net = built("enas_rnn, by activation" if by_activation else "enas_rnn").train()
    for arch in archs_of(net, 12):
        found = enas_by_hand(net, arch, tokens(), by_activation=by_activation)
        torch.testing.assert_close(net(tokens(), arch), found)


def test_the_mixture_is_the_authors_sum_over_edges_and_activations() -> None:
    net = built("darts_rnn, none and dropouts").eval()
    weights = net.module.state_dict()
    shares = {c.name: torch.rand(5).softmax(0) for c in net.space.choices if "<-" in c.name}
    relaxed: dict[str, Any] = {name: Mixture(share) for name, share in shares.items()}
    relaxed |= {f"{node}.input": EdgeWeights(torch.ones(node)) for node in (2, 3)}
    x, h, logits = tokens(), torch.zeros(3, D), []
    for place in range(T):
        vector = weights["embedding.weight"][x[:, place]]
        states = [stepped(h, torch.cat([vector, h], 1) @ weights["cell.first.linear.weight"].t(), "tanh")]
        for node in range(1, 4):
            matrix = weights[f"cell.nodes.{node - 1}.linear.weight"]
            state = torch.zeros(3, D)
            for source in range(node):
                for share, name in zip(shares[f"{node}<-{source}"][1:], ACTIVATIONS, strict=True):
                    state = state + share * stepped(states[source], states[source] @ matrix.t(), name)
            states.append(state)
        h = sum(states[2:], start=states[1]) / 3
        logits.append(h @ weights["embedding.weight"].t())
    torch.testing.assert_close(net(x, Decisions(relaxed)), torch.stack(logits, 1))


@pytest.mark.parametrize("name", NETS)
def test_networks_are_causal_and_examples_do_not_see_each_other(name: str) -> None:
    net = built(name).eval()
    x, arch = tokens(), net.space.largest()
    changed = x.clone()
    changed[0, 2] = (x[0, 2] + 1) % V
    before, after = net(x, arch), net(changed, arch)
    assert torch.equal(before[:, :2], after[:, :2])
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0, 2], after[0, 2])
    assert not torch.equal(before[0, 3], after[0, 3]), "the memory holds the token"


# -- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["embedding_dropout", "output_dropout", "input_dropout", "hidden_dropout"])
def test_the_same_features_are_dropped_all_along_a_block(kind: str) -> None:
    torch.manual_seed(0)
    net = zoo.darts_rnn(**{**SMALL, "nodes": 2, "norm": False, kind: 0.5}).train()
    seen: list[Tensor] = []
    inside = {"embedding_dropout": "cell", "output_dropout": "head"}.get(kind, "cell.first.linear")
    net.module.get_submodule(inside).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    torch.nn.init.ones_(net.module.get_submodule("embedding").weight)  # type: ignore[arg-type]
    net(torch.zeros(3, T, dtype=torch.int64), net.space.largest())
    if kind in ("embedding_dropout", "output_dropout"):
        zeros = seen[0] == 0
    else:
        part = slice(0, D) if kind == "input_dropout" else slice(D, None)
        zeros = torch.stack([one[:, part] == 0 for one in seen[0 if part.start == 0 else 1 :]], 1)
    assert 0 < zeros.float().mean() < 1
    assert (zeros == zeros[:, :1]).all()
    assert len({tuple(row) for row in zeros[:, 0].tolist()}) > 1, "each text has its own"
    net.eval()
    seen.clear()
    net(tokens(), net.space.largest())
    assert not (seen[-1] == 0).any()


def test_a_word_is_dropped_wherever_it_stands() -> None:
    torch.manual_seed(0)
    net = zoo.enas_rnn(**{**SMALL, "word_dropout": 0.5}).train()
    seen: list[Tensor] = []
    net.module.get_submodule("cell").register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = torch.randint(3, (40, T), generator=torch.Generator().manual_seed(2))
    net(x, net.space.largest())
    vectors = net.module.get_submodule("embedding").weight[x]  # type: ignore[index, union-attr]
    kept = (seen[0] != 0).all(-1)
    assert torch.allclose(seen[0][kept], 2 * vectors[kept])
    assert 0.3 < kept.float().mean() < 0.7
    for row, mask in zip(x.tolist(), kept.tolist(), strict=True):
        assert len(set(zip(row, mask, strict=True))) == len(set(row))


def test_the_published_dropouts() -> None:
    def told(net: Supernet) -> list[float]:
        model: Any = net.module
        layers = (model.drop_words, model.drop_embedding, model.cell.drop_inputs, model.cell.drop_hidden)
        return [0.0 if layer is None else layer.p for layer in (*layers, model.drop_output)]

    with torch.device("meta"):
        assert told(zoo.darts_rnn(length=1)) == told(zoo.darts_rnn(length=1, variant="final"))
        assert told(zoo.darts_rnn(length=1)) == [0.0, 0.2, 0.75, 0.25, 0.75]
        assert told(zoo.enas_rnn(length=1)) == [0.25, 0.0, 0.75, 0.25, 0.75]
        assert told(zoo.enas_rnn(length=1, variant="final")) == [0.21, 0.0, 0.75, 0.25, 0.76]


def test_initial_weights_are_the_authors() -> None:
    net = zoo.darts_rnn(num_classes=50, length=1)
    assert net.module.head.weight is net.module.embedding.weight  # type: ignore[union-attr]
    for name, p in net.named_parameters():
        if name.endswith("bias"):
            assert not p.any()
        else:
            assert 0.0399 < p.abs().max() <= 0.04, name
    for width, spread in ((300, 0.1), (400, 0.05), (401, 0.04)):
        enas = zoo.enas_rnn(num_classes=5, nodes=1, length=1, width=width)
        first = enas.module.get_parameter("cell.first.linear.weight").detach()
        assert 0.99 * spread < first.abs().max() <= spread


# -- notations --------------------------------------------------------------------------------------------------------


def test_published_cells_are_read_and_written_back() -> None:
    with torch.device("meta"):
        darts, enas = zoo.darts_rnn(num_classes=5, length=1), zoo.enas_rnn(num_classes=5, length=1)
    arch = zoo.darts_rnn_arch(darts.space)
    assert (arch["6.input"], arch["6<-1"], arch["1<-0"]) == ((1,), "identity", "relu")
    assert zoo.darts_rnn_genotype(arch) == DARTS_PENN_TREEBANK
    for sequence in (ENAS_PAPER, ENAS_RELEASED):
        assert zoo.enas_rnn_sequence(zoo.enas_rnn_arch(enas.space, sequence)) == sequence
    for net in (darts, enas):
        for one in net.space.wrap(net.space.population(np.random.default_rng(0), 20)):
            if net is darts:
                assert zoo.darts_rnn_arch(net.space, zoo.darts_rnn_genotype(one)) == one
            else:
                assert zoo.enas_rnn_arch(net.space, zoo.enas_rnn_sequence(one)) == one


def test_the_loose_ends_of_the_papers_cell_are_those_that_were_published() -> None:
    with torch.device("meta"):
        net = zoo.enas_rnn(num_classes=5, length=1)
    drawn = net.module.diagram(zoo.enas_rnn_arch(net.space, ENAS_PAPER))
    assert drawn is not None
    ends = [int(edge.source) for edge in drawn.edges if edge.target == "out"]
    assert ends == [2, 5, 6, 9, 10, 11], "rnn/genotypes.py of DARTS's code"


@pytest.mark.parametrize(
    ("genotype", "sentence"),
    [
        ("Genotype(recurrent=[('relu', 0)], concat=range(1, 2))", "has 1 nodes and joins"),
        ("Genotype(recurrent=[('relu', 0), ('relu', 2), ('relu', 0)], concat=range(1, 4))", "may take 0 to 1"),
        ("Genotype(recurrent=[('relu', 0), ('elu', 1), ('relu', 0)], concat=range(1, 4))", "activation 'elu'"),
        ("Genotype(normal=[])", "needs recurrent and concat"),
        ("recurrent", "is not a genotype"),
    ],
)
def test_wrong_genotypes_are_refused(genotype: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.darts_rnn_arch(built("darts_rnn").space, genotype)


@pytest.mark.parametrize(
    ("sequence", "sentence"),
    [("0 0", "take 7 numbers"), ("0 0 0 2 0 0 0", "may take 0 to 1"), ("0 0 4 0 0 0 0", "no activation 4")],
)
def test_wrong_sequences_are_refused(sequence: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.enas_rnn_arch(built("enas_rnn").space, sequence)
    with pytest.raises(UsageError, match=r"those of zoo\.darts_rnn"):
        zoo.darts_rnn_genotype(built("enas_rnn").space.largest())


# -- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["darts_rnn", "enas_rnn"])
def test_a_controller_decides_node_by_node(name: str) -> None:
    net = built(name)
    assert [turn.choices[0] for turn in turns_of(net)][-1] == "3.input"
    LSTMController(size=4)(Setting(net, 0, {}))


@pytest.mark.parametrize("name", ["darts_rnn", "enas_rnn"])
def test_a_subnet_computes_the_same_in_onnx(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = built(name).eval()
    subnet = net.extract(net.space.largest())
    torch.onnx.export(subnet, (tokens(),), tmp_path / "subnet.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "subnet.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: tokens().numpy()})
    np.testing.assert_allclose(found, subnet(tokens()).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variant": "large"}, "does not exist"),
        ({"width": 0}, "width is 0"),
        ({"nodes": 0}, "nodes is 0"),
        ({"activations": ("elu",)}, "give some of"),
        ({"hidden_dropout": 1.0}, "from 0 to below 1"),
        ({"statistics": "no"}, "statistics policy"),
        ({"length": 0}, "length is 0"),
        ({"input_shape": Inputs((Field("", (5,), "int64"),))}, "the blocks of the data have 5"),
        ({"length": None, "input_shape": (3, 8, 8)}, "blocks of token ids alone"),
    ],
)
@pytest.mark.parametrize("build", [zoo.darts_rnn, zoo.enas_rnn])
def test_wrong_options_are_refused(build: Callable[..., Supernet], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        build(**{**SMALL, **options})


def test_texts_of_another_length_are_refused() -> None:
    net = built("darts_rnn")
    with pytest.raises(UsageError, match="built for blocks of 4 tokens"):
        net(tokens()[:, :3], net.space.largest())
