"""DOTS: groups that do not compete, weights of edges by brute force, what each phase trains on what."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cell_nets import OPTIONS, assert_stops_leave_no_trace, cells_net
from method_trials import digits, on_digits, published, squares, train, vector
from small_nets import executor, operations_net, step
from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.methods import darts, dots
from supernet.methods.cells.dots import TOPOLOGY
from supernet.nn import Decisions, InputChoice, Mixture
from supernet.nn.leaves import draw_afresh
from supernet.space.restriction import Restriction
from supernet.train import (
    Context,
    GroupSoftmax,
    KeepWinners,
    Move,
    OfPart,
    OperationsAndInputs,
    OptionLogits,
    PerEpoch,
    Ramp,
    Recipe,
    Softmax,
    Step,
    Trained,
    adam,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Result
from supernet.train.parametrisations.option_logits import LogitPerOption
from supernet.train.part import Setting
from supernet.train.phases import Phase, Stretch, plan
from supernet.train.relaxations._protocol import Given
from supernet.train.relaxations.group_softmax import PARAMETER_FREE
from supernet.train.values._protocol import value_of

FREE = ("none", "skip")
SHORT: dict[str, Any] = {"epochs": (1, 1, 2, 1), "parameter_free": FREE}


def NET() -> Supernet:  # noqa: N802
    return cells_net(kinds=("normal",))


def fast(**options: Any) -> Recipe:
    return dots(**{**SHORT, **options}).with_weights(lr=0.1)


def accuracy(trained: Trained) -> float:
    """Of the derived architecture, on images that the search of topologies trained on too."""
    assert trained.derived is not None
    batch = next(digits().validation.batches(256, limit=256))
    with torch.no_grad():
        found = trained.net.train()(batch.x, trained.derived).argmax(1)
    return float((found == batch.y).float().mean())


TRIALS = {
    "dots": lambda: replace(on_digits(fast(), NET(), steps=150), watched=9, measure=accuracy, least=0.5),
}
ALTERNATIVES = {
    "parameter_free": FREE,
    "exclude": (),
    "epochs": (10, 20, 20, 20),
    "temperatures": (5.0, 0.02),
    "balance": 0.1,
    "divide": True,
    "weights": sgd(0.1),
    "architecture": adam(0.1),
    "topology": adam(0.2),
}
SETTINGS = {
    "parameter_free": ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect"),
    "exclude": ("none",),
    "epochs": (15, 15, 20, 20),
    "temperatures": (10.0, 0.02),
    "balance": 1e-3,
    "divide": False,
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_topologies_have_an_adam_of_their_own() -> None:
    assert published(dots().weights) == published(darts().weights)
    of_operations = dots().parts["architecture"].updates
    assert of_operations == darts().parts["architecture"].updates
    assert published(TOPOLOGY)["betas"] == (0.9, 0.999)
    assert (published(TOPOLOGY)["lr"], published(TOPOLOGY)["weight_decay"]) == (3e-4, 1e-3)
    assert dots().parts["topology"].updates == TOPOLOGY


def test_all_logits_begin_at_0() -> None:
    """So that the options of a group, the sets of inputs and the two operations left begin equal."""
    parts = dots().parts
    assert parts["architecture"].build == LogitPerOption(scale=0.0, inputs="ones")
    assert parts["topology"].build == LogitPerOption(scale=0.0, inputs="options")
    logits = parts["topology"].build(Setting(NET(), 1, {}))
    assert isinstance(logits, OptionLogits)
    assert not vector(logits).any()


# -- phases ----------------------------------------------------------------------------------------------------


def test_the_phases_are_those_of_seventy_epochs() -> None:
    """The last twenty are of all images, twice as many."""
    phases = dots().phases
    assert [phase.share for phase in phases] == [30, 20, 40]
    ends = [0, 30 / 70, 50 / 70, 1]
    assert [phase.part for phase in phases] == [pytest.approx(pair) for pair in itertools.pairwise(ends)]
    assert [phase.restart for phase in phases] == [True, True, False]
    winners = KeepWinners(groups=(PARAMETER_FREE,), fresh=True, exclude=("none",))
    assert [phase.enter for phase in phases] == [None, winners, None]
    groups = [dots(parameter_free=FREE).phases[0].program.relaxation.groups, (FREE,)]  # type: ignore[union-attr]
    assert groups == [dots(parameter_free=FREE).phases[1].enter.groups] * 2, "those that were given, in both"  # type: ignore[union-attr]
    operations, alone, _ = (phase.program for phase in phases)
    assert operations.begin == pytest.approx(15 / 70)  # type: ignore[union-attr]
    assert alone.begin == 1  # type: ignore[union-attr]


def test_the_learning_rate_is_one_cosine_of_seventy_epochs() -> None:
    """Fresh weights begin at 0.0157, as in the released code."""
    stretches = plan(dots().phases, 9000)
    schedule = dots().weights.schedule
    net = operations_net()
    rates = []
    for stretch in stretches:
        index, total = stretch.place(0)
        rates.append(0.025 * schedule(step(net, index, total=total), []))
    assert rates == [pytest.approx(0.025), pytest.approx(0.01566, abs=1e-4), pytest.approx(0.0055, abs=2e-4)]


def test_temperatures_fall_from_epoch_to_epoch_as_published() -> None:
    """T = 10 ρ^(e − 50) with ρ = (0.02 / 10)^(1 / 19); the balance of operations has a thousandth of it."""
    topology = dots().phases[2]
    relaxation = topology.program.relaxation  # type: ignore[union-attr]
    net, per_epoch = operations_net(), 30
    stretch = Stretch(topology, 20 * per_epoch)
    for done in range(20 * per_epoch):
        index, total = stretch.place(done)
        now = replace(step(net, index, total=total), steps_per_epoch=per_epoch)
        expected = 10 * (0.02 / 10) ** ((done // per_epoch) / 19)
        assert value_of(relaxation.inputs.temperature, now) == pytest.approx(expected)
        assert value_of(relaxation.operations.temperature, now) == pytest.approx(1e-3 * expected)


def test_before_the_search_of_topologies_the_temperature_is_one() -> None:
    relaxation = dots().phases[1].program.relaxation  # type: ignore[union-attr]
    assert relaxation == OperationsAndInputs(Softmax(1e-3), Softmax(1.0))


def test_what_moves_on_which_images() -> None:
    seen: list[tuple[tuple[str, ...], str, int]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        seen.append((move.families, move.data, len(self.feed.data.train)))
        return original(self, move, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", noting)
        train(fast(), net=NET(), steps=10)
    data = squares()
    train_images, all_images = len(data.train), len(data.train) + len(data.validation)
    weights = (("weights",), "train", train_images)
    architecture = (("architecture",), "validation", train_images)
    assert seen == [
        *[weights] * 2,
        *[architecture, weights],
        *[weights] * 4,
        *[(("weights", "topology"), "train", all_images)] * 3,
    ]


# -- groups --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_groups_do_not_compete(temperature: float) -> None:
    net = NET()
    relaxation = GroupSoftmax((FREE,), temperature)
    logits = torch.tensor([0.5, -0.5, 2.0, 1.0], requires_grad=True)
    mixture = relaxation.mixture(logits, Given(step(net), "normal.2<-0", "weights"))
    odds = [math.exp(value / temperature) for value in logits.tolist()]
    expected = [odds[i] / sum(odds[:2]) for i in (0, 1)] + [odds[i] / sum(odds[2:]) for i in (2, 3)]
    assert mixture.weights.tolist() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(mixture.weights[0], logits)
    assert gradient[:2].abs().min() > 0
    assert not gradient[2:].any(), "a parameter-free operation takes nothing from one with parameters"


def test_forbidden_options_weigh_nothing_and_a_group_may_be_gone() -> None:
    net = NET()
    restriction = Restriction(net.space)
    restriction.allow("normal.2<-0", ("skip", "conv1"))
    restriction.allow("normal.2<-1", ("conv1", "conv3"))
    now = replace(step(net), restriction=restriction)
    logits = torch.tensor([3.0, 0.0, 0.0, 1.0])
    one, other = (GroupSoftmax((FREE,)).mixture(logits, Given(now, f"normal.2<-{edge}", "weights")) for edge in (0, 1))
    assert (one.weights.tolist(), one.run) == ([0, 1, 1, 0], (1, 2))
    assert other.weights.tolist() == pytest.approx([0, 0, *torch.tensor([0.0, 1.0]).softmax(0).tolist()])


def test_an_option_in_two_groups_is_refused() -> None:
    with pytest.raises(UsageError, match="'skip' stands twice"):
        GroupSoftmax((("skip",), ("conv", "skip")))


def planted(net: Supernet, part: OptionLogits, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for logits in part.logits:
            logits.copy_(torch.randn(len(logits), generator=generator))
    return {choice.name: logits.detach() for choice, logits in part.named()}


@pytest.mark.parametrize("seed", range(3))
def test_the_winner_of_each_group_goes_on_with_fresh_weights(seed: int) -> None:
    net = NET()
    part = OptionLogits(net)
    logits = planted(net, part, seed)
    now = replace(step(net, parts={"architecture": part}), restriction=Restriction(net.space))
    before = vector(net)
    KeepWinners(groups=(FREE,))(Context(now, executor(net, squares()), seed=seed))
    for name in (name for name in net.space.names if "<-" in name):
        values = logits[name].tolist()
        winners = {
            max(OPTIONS[:2], key=lambda o: values[OPTIONS.index(o)]),
            max(OPTIONS[2:], key=lambda o: values[OPTIONS.index(o)]),
        }
        assert set(now.restriction.space.allowed(name)) == winners  # type: ignore[union-attr]
    expected = NET()
    draw_afresh(expected.module, seed)
    assert torch.equal(vector(net), vector(expected))
    assert not torch.equal(vector(net), before)


# -- pairs of edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [10.0, 0.5])
def test_an_edge_weighs_what_all_pairs_with_it_weigh(temperature: float) -> None:
    """By brute force over all pairs: the sum of what each pair alone gives, weighed by softmax(β / T)."""
    net = cells_net(kinds=("normal",), nodes=4).eval()
    part = OptionLogits(net, inputs="options")
    logits = planted(net, part, 7)
    relaxation = OperationsAndInputs(Softmax(1.0), Softmax(temperature))
    decisions = part.draw(replace(step(net, parts={"topology": part})), relaxation, "weights")
    node = next(
        m for m in net.modules() if isinstance(m, InputChoice) and m.choice is not None and m.choice.name == "normal.5"
    )
    states = [torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(i)) for i in range(5)]
    operations = {name: decision for name, decision in decisions.items() if "<-" in name}
    with torch.no_grad():
        with net.active(Decisions(decisions)):
            found = node(states)
        total = torch.zeros_like(found)
        shares = (logits["normal.5"] / temperature).softmax(0)
        for place, pair in enumerate(itertools.combinations(range(5), 2)):
            with net.active(Decisions({**operations, "normal.5": place})):
                alone = node(states)
                torch.testing.assert_close(alone, sum(node.edges[edge](states[edge]) for edge in pair))
            total += shares[place] * alone
    torch.testing.assert_close(found, total)
    weights = [
        float(sum(s for s, p in zip(shares, itertools.combinations(range(5), 2), strict=True) if e in p))
        for e in range(5)
    ]
    assert sum(weights) == pytest.approx(2), "the edges of a node weigh 2 together"


def test_operations_and_inputs_have_rules_of_their_own() -> None:
    net = NET()
    part = OptionLogits(net, inputs="options")
    logits = planted(net, part, 1)
    decisions = part.draw(step(net), OperationsAndInputs(Softmax(0.5), Softmax(2.0)), "weights")
    for name, decision in decisions.items():
        assert isinstance(decision, Mixture)
        temperature = 0.5 if "<-" in name else 2.0
        torch.testing.assert_close(decision.weights.detach(), (logits[name] / temperature).softmax(0))


@pytest.mark.parametrize("phase", [1, 2])
def test_sets_of_any_size_may_be_divided_by_their_size(phase: int) -> None:
    """As in the paper: an edge weighs Σ softmax(β)_c / |c| over the sets c that it is in."""
    sets = ((0,), (0, 1), (1, 2), (0, 1, 2))
    net = Supernet(InputChoice(Choice("cell.2", sets), [torch.nn.Identity() for _ in range(3)]))
    relaxation = replace(dots(divide=True).phases[phase].program.relaxation, inputs=Softmax())  # type: ignore[union-attr]
    logits = torch.tensor([0.3, -0.2, 1.0, 0.5])
    mixture = relaxation.mixture(logits, Given(step(net), "cell.2", "weights"))
    a, b, c, d = logits.softmax(0).tolist()
    edges = torch.tensor([a + b / 2 + d / 3, b / 2 + c / 2 + d / 3, c / 2 + d / 3])
    assert edges.sum().item() == pytest.approx(1)
    found = net(list(torch.eye(3)), Decisions({"cell.2": mixture}))
    torch.testing.assert_close(found, edges)


def test_the_strongest_pair_and_the_stronger_operation_are_derived() -> None:
    """Never `none`, though it may have won its group."""
    net = NET()
    part = OptionLogits(net, inputs="options")
    logits = planted(net, part, 3)
    now = replace(step(net, parts={"topology": part}), restriction=Restriction(net.space))
    for name in (name for name in net.space.names if "<-" in name):
        now.restriction.allow(name, ("none", "conv1"))  # type: ignore[union-attr]
    derive = dots().derive
    assert derive is not None
    found = derive.derive(Context(now, executor(net, squares())))
    pairs = tuple(itertools.combinations(range(3), 2))
    assert found["normal.3"] == pairs[int(logits["normal.3"].argmax())]
    assert {found[f"normal.3<-{edge}"] for edge in found["normal.3"]} == {"conv1"}


# -- trainings -----------------------------------------------------------------------------------------------------


def test_only_winners_are_trained_in_the_search_of_topologies() -> None:
    trained = train(fast(), net=NET(), steps=10)
    assert trained.space is not None
    assert all(len(trained.space.allowed(name)) == 2 for name in trained.space.names if "<-" in name)
    assert trained.derived in trained.space
    assert len(trained.space.allowed("normal.3")) == 3


def test_each_part_is_still_while_the_other_learns() -> None:
    recipe = fast(epochs=(1, 1, 1, 1))
    parts = {stop: train(recipe, net=NET(), steps=20, stop_after=stop).parts for stop in (8, 12, 20)}
    of = {stop: (vector(found["architecture"]), vector(found["topology"])) for stop, found in parts.items()}
    assert of[8][0].any()
    assert not of[12][1].any(), "topologies begin equal and wait for weights"
    assert torch.equal(of[8][0], of[20][0])
    assert of[20][1].any()


@pytest.mark.slow
def test_it_survives_a_stop_after_every_step_at_and_between_borders() -> None:
    told = assert_stops_leave_no_trace(Trial(recipe=fast(), net=cells_net(), data=squares(), batch_size=16), steps=10)
    assert told["phase"] == 3
    assert {len(codes) for codes in told["restricted"].values()} == {2}


def test_a_value_of_a_part_is_that_of_a_training_of_its_own() -> None:
    net = operations_net()
    phase = Phase(name="late", share=1, program=dots().phases[2].program, part=(0.6, 0.9))
    stretch, own = Stretch(phase, 30), Stretch(replace(phase, part=(0.0, 1.0)), 30)
    ramp = PerEpoch(Ramp(3.0, 1.0))
    for done in range(30):
        late, alone = (
            replace(step(net, s.place(done)[0], total=s.place(done)[1]), steps_per_epoch=5) for s in (stretch, own)
        )
        assert OfPart(ramp, 0.6, 0.9)(late) == ramp(alone)
    assert OfPart(ramp, 0.6, 0.9)(step(net, 0, total=100)) == 3.0
    assert OfPart(ramp, 0.6, 0.9)(step(net, 99, total=100)) == 1.0


# -- refused -------------------------------------------------------------------------------------------------------


def test_a_space_whose_nodes_choose_no_inputs_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no node that chooses its inputs"):
        train(fast(exclude=()), steps=10)


def test_an_exclusion_that_leaves_nothing_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match=r"'normal.2<-0' goes on. Its groups are \(none, skip\) and \(conv1, conv3\)"):
        train(fast(exclude=OPTIONS), net=NET(), steps=10)
    with pytest.raises(UsageError, match=r"groups are \(none, skip\), and all may be won by options"):
        train(fast(), net=cells_net(options=("none", "skip")), steps=10)
    assert train(fast(exclude=()), net=cells_net(options=("none", "skip")), steps=10).derived is not None
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        train(fast(), net=cells_net(options=("skip", "conv1")), steps=10)


@pytest.mark.parametrize(
    "options", [{"epochs": (15, 15, 0, 20)}, {"temperatures": (10, 0)}, {"balance": 0}, {"parameter_free": ("a", "a")}]
)
def test_values_outside_their_range_are_refused_where_they_are_given(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dots(**options)


@pytest.mark.parametrize("options", [{"epochs": (15, 15, 20)}, {"temperatures": (10.0, 1.0, 0.02)}])
def test_too_many_or_too_few_numbers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="four phases and two temperatures"):
        dots(**options)


def test_a_part_out_of_order_is_refused() -> None:
    with pytest.raises(UsageError, match="the smaller one first"):
        OfPart(Ramp(1, 0), 0.5, 0.5)
