"""Epochs of the architecture and of the weights in turn, and what runs in them."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from dense_nets import dense_net
from small_nets import elastic_net, executor, images, step
from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.train import Context, CrossEntropy, Edit, EpochsInTurn, Move, OptionLogits, RoutesAndOperations, Softmax


@pytest.fixture(scope="module")
def net():
    return dense_net()


def acts(program, net, index, logits=None):
    now = replace(step(net, index, total=40, parts={"architecture": logits or OptionLogits(net)}), steps_per_epoch=8)
    return list(program.moves(now))


def test_the_architecture_has_an_epoch_before_each_epoch_of_the_weights_after_the_first_ones(net) -> None:
    program = EpochsInTurn(architecture_objective=CrossEntropy(0.3), objective=CrossEntropy(0.1), begin=0.3)
    found = [acts(program, net, index) for index in range(40)]
    # 12 steps of 8 make the second epoch: the search begins with the third.
    assert {index: len(one) for index, one in enumerate(found) if len(one) > 1} == {16: 5, 24: 5, 32: 5}
    first, edit, second, _, weights = found[16]
    assert (first.updates, first.data, first.fresh, second.fresh) == ("architecture", "validation", False, True)
    assert isinstance(edit, Edit)
    assert first.paths[0].objective == CrossEntropy(0.3)
    assert (weights.updates, weights.data, weights.paths[0].objective) == ("weights", "train", CrossEntropy(0.1))
    assert len(acts(replace(program, share=1.0), net, 16)) == 2 * 8 + 1
    assert str(first.paths[0].decisions) != str(second.paths[0].decisions)


def test_pairs_of_operations_and_all_ways_run_for_the_architecture_one_operation_for_the_weights(net) -> None:
    relaxation = RoutesAndOperations(Softmax(0.5))
    logits = OptionLogits(net, scale=1.0)
    architecture, _, *_, weights = acts(EpochsInTurn(relaxation=relaxation, begin=0.0), net, 0, logits)
    beta = {choice.name: values for choice, values in logits.named()}
    for name, one in architecture.paths[0].decisions.items():
        if name.endswith("next"):
            assert one.run is None
            assert one.weights.requires_grad
            torch.testing.assert_close(one.weights, (beta[name] / 0.5).softmax(0))
        else:
            assert len(one.run) == 2
            torch.testing.assert_close(one.weights[list(one.run)], beta[name][list(one.run)].softmax(0))  # T: β alone
    for name, one in weights.paths[0].decisions.items():
        assert isinstance(one, Mixture if name.endswith("next") else int)
        assert isinstance(one, int) or not one.weights.requires_grad
    names = set(net.space.names)
    assert set(weights.paths[0].decisions) == names == set(architecture.paths[0].decisions)


def test_operations_are_drawn_uniformly_at_first_and_by_the_logits_in_the_search(net) -> None:
    logits, name = OptionLogits(net), "block1.layer1"
    with torch.no_grad():
        {c.name: v for c, v in logits.named()}[name].copy_(torch.tensor([0.8, 0.1, 0.1]).log())
    program = EpochsInTurn(begin=0.5)
    counted = {False: Counter[int](), True: Counter[int]()}
    for seed in range(12):
        for late, indices in ((False, range(1, 8)), (True, range(25, 32))):
            for index in indices:
                now = replace(step(net, index, total=40, seed=seed, parts={"architecture": logits}), steps_per_epoch=8)
                counted[late][list(program.moves(now))[-1].paths[0].decisions[name]] += 1
    assert counted[False][0] < 45 < 55 < counted[True][0]  # of 84: 28 and 67 expected


def test_after_a_move_what_did_not_run_keeps_its_share_and_routes_move_freely(net) -> None:
    logits = OptionLogits(net, scale=0.5)
    run = executor(net, images(), parts={"architecture": logits})
    now = replace(step(net, 0, total=40, parts={"architecture": logits}), steps_per_epoch=8)
    context = Context(replace(now, runner=run), run)
    before = {choice.name: values.detach().clone() for choice, values in logits.named()}
    program = EpochsInTurn(begin=0.0).moves(now)
    move = next(program)
    assert isinstance(move, Move)
    run.execute(move, now)
    edit = next(program)
    edit.apply(context)
    after = {choice.name: values.detach() for choice, values in logits.named()}
    moved = move.paths[0].decisions["block1.layer1"].run
    (still,) = {0, 1, 2} - set(moved)
    torch.testing.assert_close(after["block1.layer1"].softmax(0)[still], before["block1.layer1"].softmax(0)[still])
    torch.testing.assert_close(after["block1.layer1"].exp().sum(), before["block1.layer1"].exp().sum())
    assert not torch.equal(after["block1.layer1"], before["block1.layer1"])
    assert not torch.equal(after["block0.next"], before["block0.next"])


def test_spaces_with_sizes_and_shares_outside_their_range_are_refused() -> None:
    with pytest.raises(UsageError, match="set sizes"):
        EpochsInTurn().check(elastic_net())
    with pytest.raises(UsageError, match="only the weights learn"):
        EpochsInTurn(begin=1.5)
