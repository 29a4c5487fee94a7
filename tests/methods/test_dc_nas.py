"""DC-NAS, as an interpretation: pairs that share an operation, the other's gradient as far as it matches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from method_trials import moves, on_digits, squares, train, vector
from small_nets import executor, operations_net, step
from supernet.errors import UsageError
from supernet.methods import dc_nas
from supernet.methods.single_path import spos
from supernet.methods.single_path.dc_nas import WEIGHTS
from supernet.space import Arch
from supernet.train import ConstantMatch, CosineMatch, CrossEntropy, Move, Path, sgd

TRIALS = {"dc_nas": lambda: on_digits(dc_nas().with_weights(lr=0.1, per=None), operations_net(), steps=120)}
ALTERNATIVES = {"match": ConstantMatch(0.5), "share": 2, "label_smoothing": 0.2, "weights": sgd(0.1)}
SETTINGS = {"match": CosineMatch(), "share": 1}
SMOOTHING = 0.1
REFUSED_BY = {"dynas", "k_shot", "sum_nas"}


def test_one_update_is_that_of_both_gradients_by_hand() -> None:
    """W ← W − η (∇L(a) + max(0, cos) ∇L(b)) on what a uses, and nothing else moves."""
    net = operations_net()
    recipe = dc_nas(label_smoothing=0.0, weights=sgd(0.5))
    (move,) = moves(recipe, net, index=3)
    paths = [Path(path.decisions, CrossEntropy(), dropout=False) for path in move.paths]
    run = executor(net, squares(), weights=sgd(0.5))
    batch, before = run.batch("train"), {name: p.detach().clone() for name, p in net.named_parameters()}
    gradients = []
    for path in paths:
        net.zero_grad()
        run.run(path, batch, step(net))[0].backward()
        gradients.append({name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None})
    net.zero_grad(set_to_none=True)
    own, other = gradients
    common = [name for name in before if name in own and name in other]
    a, b = (torch.cat([g[name].flatten() for name in common]) for g in gradients)
    match = max(0.0, float(a @ b / (a.norm() * b.norm())))
    assert 0 < match < 1
    run.execute(Move(paths=paths, combine=move.combine), step(net))
    left = []
    for name, p in net.named_parameters():
        g = own[name] + match * other[name] if name in common else own.get(name)
        torch.testing.assert_close(p.detach(), before[name] if g is None else before[name] - 0.5 * g)
        left += [name] if g is None and name in other else []
    assert left, "what only the other path uses stays as it is"


def test_pairs_share_an_operation() -> None:
    for index in range(100):
        (move,) = moves(dc_nas(), operations_net(), index=index, total=100)
        one, other = (path.decisions for path in move.paths)
        assert isinstance(one, Arch)
        assert isinstance(other, Arch)
        assert any(a == b for a, b in zip(one.code, other.code, strict=True))


def test_without_the_other_it_is_single_paths_and_its_optimiser_is_that_of_spos() -> None:
    assert WEIGHTS is spos.WEIGHTS
    alone = train(dc_nas(match=ConstantMatch(0.0), weights=sgd(0.1)), steps=5)
    both = train(dc_nas(match=ConstantMatch(1.0), weights=sgd(0.1)), steps=5)
    assert not torch.equal(vector(alone.net), vector(both.net))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"share": 0}, "share 0 options"), ({"match": None}, "match is None")],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        dc_nas(**options)
