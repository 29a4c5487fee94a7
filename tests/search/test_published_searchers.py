"""What tells the searches of OFA, HAT, AlphaNet, BigNAS, AutoFormer and policies apart: counts, rates, bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from supernet import search, zoo
from supernet.errors import RunError, UsageError
from supernet.quantity import ACCURACY, MACS
from supernet.search import (
    NSGA2,
    NSGA3,
    AskTell,
    CoarseToFine,
    Constraint,
    Constraints,
    Evolution,
    HATEvolution,
    OFAEvolution,
    Optimiser,
    Optuna,
    Outside,
    ParetoBins,
    PolicyGradient,
    Problem,
    RegularisedEvolution,
    UCBTree,
    run,
)
from supernet.search.laws import SearcherLaws, Toy, stages
from supernet.search.searchers import ucb_tree
from supernet.search.searchers.coarse_to_fine import grid
from supernet.search.variation import mutate_blocks, mutate_others, mutate_parts
from supernet.space import Arch, Choice, Codes, Space

MANY = 4000


def posed(space: Space, **changes: Any) -> Problem:
    known = space.codes([space.smallest()])
    macs = {"macs": lambda codes: codes.sum(axis=1).astype(np.float64)}
    made = {"objectives": (ACCURACY,), "seed": 0, "constraints": Constraints(), "known": known, "costs": macs}
    return Problem(space=space, **({"feasible": lambda codes: np.ones(len(codes), dtype=bool)} | made | changes))


def wide() -> Space:
    return Space([Choice(f"c{place}", range(10)) for place in range(40)])


def ofa_like() -> Space:
    """A resolution, and two stages of two to four blocks with a kernel and an expansion each."""
    choices = [Choice("resolution", range(100))]
    for stage in (1, 2):
        depth = Choice(f"stage{stage}.depth", (2, 3, 4))
        choices.append(depth)
        for block in range(1, 5):
            name = f"stage{stage}.block{block}"
            choices += [Choice(f"{name}.{kind}", range(100), when=depth >= block) for kind in ("kernel", "expansion")]
    return Space(choices)


def told(scores: Sequence[float]) -> list[dict[str, float]]:
    return [{"accuracy": float(score), "macs": 0.0} for score in scores]


def near(child: Arch, parents: Sequence[Arch]) -> int:
    return min(sum(a != b for a, b in zip(child.code, parent.code, strict=True)) for parent in parents)


def crossed(child: Arch, parents: Sequence[Arch]) -> bool:
    return any(
        all(gene in pair for gene, *pair in zip(child.code, a.code, b.code, strict=True)) and a is not b
        for place, a in enumerate(parents)
        for b in parents[:place]
    )


# -- mutations ----------------------------------------------------------------------------------------------------


def changed(mutated: Codes, parent: Codes, space: Space, name: str) -> np.ndarray:
    return np.asarray(mutated[:, space.column(name)] != parent[:, space.column(name)])


def test_ofa_resamples_kernel_and_expansion_together() -> None:
    space = ofa_like()
    parent = np.repeat(space.codes([space.largest()]), MANY, axis=0)
    child = mutate_blocks(space, parent, np.random.default_rng(0), p=0.1, resolution_p=0.5)
    kernel, expansion = (changed(child, parent, space, f"stage1.block1.{kind}") for kind in ("kernel", "expansion"))
    assert (kernel == expansion).mean() > 0.99, "together, but for a draw that hits the old option"
    assert kernel.mean() == pytest.approx(0.1, abs=0.02)
    assert changed(child, parent, space, "resolution").mean() == pytest.approx(0.5 * 0.99, abs=0.03)
    assert changed(child, parent, space, "stage2.depth").mean() == pytest.approx(0.1 * 2 / 3, abs=0.02)
    other = changed(child, parent, space, "stage1.block2.kernel")
    assert (kernel & other).mean() == pytest.approx(0.01, abs=0.007), "blocks do not depend on each other"


def test_autoformer_mutates_depth_and_embedding_at_a_rate_of_their_own() -> None:
    depth = Choice("depth", range(1, 5))
    layers = [Choice(f"layer{n}.heads", range(100), when=depth >= n) for n in range(1, 5)]
    space = Space([Choice("embed", range(100)), depth, *layers])
    parent = np.repeat(space.codes([space.largest()]), MANY, axis=0)
    child = mutate_parts(space, parent, np.random.default_rng(0), p=0.2, global_p=0.4)
    assert changed(child, parent, space, "embed").mean() == pytest.approx(0.4 * 0.99, abs=0.03)
    assert changed(child, parent, space, "depth").mean() == pytest.approx(0.4 * 3 / 4, abs=0.03)
    assert changed(child, parent, space, "layer1.heads").mean() == pytest.approx(0.2 * 0.99, abs=0.03)


def test_width_and_depth_of_autoformers_space_are_those_of_the_whole_network() -> None:
    space = zoo.autoformer(variant="tiny", num_classes=2, in_channels=1, image_size=8).space
    parent = np.repeat(space.codes([space.largest()]), MANY, axis=0)
    child = mutate_parts(space, parent, np.random.default_rng(0), p=0.0, global_p=1.0)
    rates = {name: changed(child, parent, space, name).mean() for name in ("width", "depth", "layer1.heads")}
    assert rates == pytest.approx({"width": 2 / 3, "depth": 1 / 2, "layer1.heads": 0}, abs=0.05)


def test_alphanet_takes_another_option() -> None:
    space = Space([Choice("two", (1, 2)), Choice("four", (1, 2, 3, 4)), Choice("one", (1,))])
    part = space.restrict({"four": [1, 3, 4]})
    parent = np.repeat(part.codes([part.smallest()]), MANY, axis=0)
    child = mutate_others(part, parent, np.random.default_rng(0), p=0.2)
    assert changed(child, parent, part, "two").mean() == pytest.approx(0.2, abs=0.03), "half of it would hit the old"
    hit = np.bincount(child[:, 1], minlength=4) / MANY
    assert hit == pytest.approx([0.8, 0.0, 0.1, 0.1], abs=0.02)
    always = mutate_others(part, parent, np.random.default_rng(0), p=1.0)
    assert (always[:, :2] != parent[:, :2]).all()


# -- generations --------------------------------------------------------------------------------------------------


def three(searcher: AskTell) -> list[list[Arch]]:
    """Three generations; the later an architecture stands in the first, the better it is, and children are bad."""
    generations = []
    for number in range(3):
        generations.append(searcher.ask(1000))
        scores = range(len(generations[-1])) if number == 0 else [-1.0] * len(generations[-1])
        searcher.tell(generations[-1], told(list(scores)))
    return generations


def test_ofa_breeds_the_best_quarter_of_parents_and_children() -> None:
    first, second, third = three(OFAEvolution().begin(posed(wide())))
    assert len(first) == 100
    assert 90 <= len(second) <= 100, "but for children that are known"
    for children in (second, third):
        assert sum(near(child, first[-25:]) <= 14 or crossed(child, first[-25:]) for child in children) == len(children)
        mutants = sum(near(child, first[-25:]) <= 12 for child in children)
        assert 40 <= mutants <= 62


def test_hat_has_125_members_of_which_100_are_new() -> None:
    first, second, third = three(HATEvolution().begin(posed(wide())))
    assert (len(first), len(second), len(third)) == (125, 100, 100)
    assert sum(crossed(child, first[-25:]) for child in second) == pytest.approx(50, abs=3)
    changes = [near(child, first[-25:]) for child in second if not crossed(child, first[-25:])]
    assert np.mean(changes) == pytest.approx(40 * 0.3 * 0.9, abs=1.5)


def test_parents_of_hat_are_two_and_those_of_ofa_may_be_one() -> None:
    """Of two parents a child that is new has both; where one may be drawn twice, half of the children are known."""
    for searcher, new in (
        (HATEvolution(parents=2, mutations=0, crossovers=200), 200),
        (OFAEvolution(population=200, parent_share=0.01, mutation_share=0.0), 100),
    ):
        begun = searcher.begin(posed(wide()))
        first = begun.ask(1000)
        begun.tell(first, told(range(len(first))))
        children = begun.ask(1000)
        assert len(children) == pytest.approx(new, abs=0 if new == 200 else 25)
        assert all(crossed(child, first[-2:]) for child in children)


def test_generations_end_with_the_published_number() -> None:
    bins = ParetoBins(population=100, mutations=50, crossovers=50, iterations=3)
    for searcher, most in ((HATEvolution(iterations=3), 325), (OFAEvolution(iterations=2), 300), (bins, 300)):
        begun = searcher.begin(posed(wide()))
        asked = 0
        while archs := begun.ask(10_000):
            asked += len(archs)
            begun.tell(archs, told([0.0] * len(archs)))
        assert most - 12 <= asked <= most


@pytest.mark.parametrize(("variant", "rate"), [("repository", 0.5), ("tutorial", 0.1)])
def test_the_two_programs_of_ofa_differ_in_the_resolution(variant: Any, rate: float) -> None:
    space = ofa_like()
    parent = np.repeat(space.codes([space.largest()]), MANY, axis=0)
    for given, expected in ((None, rate), (0.9, 0.9)):
        searcher = OFAEvolution(variant=variant, resolution_p=given)
        child = searcher._mutate(posed(space), parent, np.random.default_rng(0))
        assert changed(child, parent, space, "resolution").mean() == pytest.approx(expected * 0.99, abs=0.03)


def test_alphanet_keeps_the_best_of_each_bin_and_begins_with_the_smallest() -> None:
    space = Space([Choice(f"c{n}", range(10)) for n in range(6)])
    searcher = ParetoBins(population=40, mutations=30, crossovers=0, mutation_p=0.0, width=10)
    begun = searcher.begin(posed(space, objectives=(ACCURACY, MACS)))
    first = begun.ask(100)
    assert first[0] == space.smallest()
    scores = np.random.default_rng(0).random(len(first))
    begun.tell(first, told(scores.tolist()))
    bins: dict[int, int] = {}
    for place, arch in enumerate(first):
        key = round(sum(arch.code) / 10)
        if key not in bins or scores[place] > scores[bins[key]]:
            bins[key] = place
    kept = {rank[1] for rank in begun._learn.__self__._best.values()}
    assert kept == {first[place] for place in bins.values()}
    assert len(kept) > 3


def test_alphanet_crosses_the_members_of_different_bins() -> None:
    begun = ParetoBins(population=40, mutations=0, crossovers=30).begin(posed(wide(), objectives=(ACCURACY, MACS)))
    first = begun.ask(100)
    begun.tell(first, told([0.0] * 40))
    kept = [arch for _, arch in begun._learn.__self__._best.values()]
    children = begun.ask(100)
    assert all(crossed(child, kept) for child in children)
    assert len(children) > 25, "but for two parents that are one"


def test_the_first_of_equals_stays_in_a_bin_whatever_it_costs() -> None:
    begun = ParetoBins(population=3, width=1e6).begin(posed(wide(), objectives=(ACCURACY, MACS)))
    first = begun.ask(3)
    begun.tell(first, [{"accuracy": 1.0, "macs": macs} for macs in (9.0, 3.0, 1.0)])
    ((_, kept),) = begun._learn.__self__._best.values()
    assert kept == first[0]


@pytest.mark.parametrize(
    ("bounds", "width"), [((None, 300.0), 3.0), ((100.0, None), 2.6), ((100.0, 300.0), 2.0), (None, 3.6)]
)
def test_a_bin_is_a_hundredth_of_what_is_allowed(bounds: Any, width: float) -> None:
    limits = Constraints() if bounds is None else Constraints((Constraint("macs", *bounds),))
    assert ParetoBins().begin(posed(wide(), constraints=limits))._learn.__self__.width == pytest.approx(width)


def test_alphanets_two_published_sizes() -> None:
    sizes = [
        (ParetoBins(sizes=s).population, ParetoBins(sizes=s).mutations, ParetoBins(sizes=s).crossovers)
        for s in ("comments", "shipped")
    ]
    assert sizes == [(512, 128, 128), (4, 4, 4)]
    assert ParetoBins(sizes="shipped", mutations=9).mutations == 9
    with pytest.raises(UsageError, match=r"one of macs; pareto_bins\.quantity is 'latency_ms'"):
        ParetoBins(quantity="latency_ms").begin(posed(wide()))


def test_bignas_grid_decides_alike_in_all_layers() -> None:
    space = stages(2)
    codes = grid(space, 3, np.random.default_rng(0), 1000)
    archs = set(space.wrap(codes))
    assert len(archs) == 3 * 2 * 3, "widths, depths, kernels"
    for arch in archs:
        for kind in ("width", "depth"):
            assert arch[f"s0.{kind}"] == arch[f"s1.{kind}"]
        kernels = {arch[name] for name in space.names if "kernel" in name and name in arch.options()}
        assert len(kernels) == 1
    assert len(grid(space, 2, np.random.default_rng(0), 1000)) == 8
    assert {space.smallest(), space.largest()} <= archs
    six = grid(Space([Choice("layer1.kernel", range(6))]), 4, np.random.default_rng(0), 1000)
    assert six[:, 0].tolist() == [0, 2, 3, 5], "the options that are nearest to even steps"


def test_bignas_climbs_from_the_best_of_its_grid() -> None:
    space = Space([Choice(f"layer{n}.kernel", range(5)) for n in range(8)])
    begun = CoarseToFine(levels=5).begin(posed(space))
    first = begun.ask(100)
    assert [set(arch.code) for arch in first] == [{n} for n in range(5)]
    begun.tell(first, told([0, 1, 5, 3, 2]))
    for _ in range(5):
        (mutant,) = begun.ask(10)
        assert near(mutant, [first[2]]) <= 4
        begun.tell([mutant], told([5.0]))
        assert begun.tell.__self__._best[1] == first[2], "what is no better does not take its place"
    begun = CoarseToFine(levels=5, fine=2, children=2).begin(posed(space))
    begun.tell(begun.ask(100), told([0, 1, 5, 3, 2]))
    begun.tell(begun.ask(100), told([6.0, 4.0]))
    assert begun.ask(100) == [], "two mutants were asked for"


def test_nsga3_has_a_member_per_direction() -> None:
    toy = Toy(stages(3))
    front = run(NSGA3(), toy, objectives=("accuracy", "macs", "size"), budget=200)
    assert [one.generation for one in front.archive].count(0) == 91
    with pytest.raises(UsageError, match="make 91 directions"):
        run(NSGA3(population=50), toy, objectives=("accuracy", "macs", "size"), budget=200)
    with pytest.raises(UsageError, match="one objective has no front"):
        run(NSGA3(), toy, objectives="accuracy", budget=20)


@pytest.mark.parametrize(("crossover_p", "mutation_p"), [(0.0, None), (1.0, 0.0)])
def test_children_of_nsga_cross_and_mutate_as_often_as_they_should(
    crossover_p: float, mutation_p: float | None
) -> None:
    begun = NSGA2(population=200, crossover_p=crossover_p, mutation_p=mutation_p).begin(posed(wide()))
    first = begun.ask(1000)
    begun.tell(first, told(range(200)))
    children = begun.ask(1000)
    if crossover_p == 1:
        assert sum(crossed(child, first) for child in children) > 190, "but for one that meets itself"
    else:  # 40 decisions at 1 / 40, of which 9 in 10 change; a child without a change is known
        changes = [near(child, first) for child in children]
        assert np.mean(changes) == pytest.approx(0.9 / (1 - (1 - 0.9 / 40) ** 40), abs=0.25)


def test_a_policy_steps_down_the_gradient_of_reinforce() -> None:
    """Against autograd's answer in closed form: the gradient of log softmax is one-hot minus probabilities."""
    space = Space([Choice("a", (1, 2, 3)), Choice("b", (1, 2))])
    begun = PolicyGradient(lr=0.5, decay=0.5).begin(posed(space))
    policy = begun._learn.__self__
    before = policy.logits.detach().clone()
    (arch,) = begun.ask(5)
    begun.tell([arch], told([2.0]))
    assert torch.equal(policy.logits, before), "the first reward is its own baseline"
    arch, *_ = begun.ask(5)
    p = torch.exp(policy.log_probabilities()).detach()
    begun.tell([arch], told([6.0]))
    onehot = torch.zeros_like(p)
    for column, code in enumerate(arch.code):
        onehot[column, code] = 1
    advantage = 6.0 - (2.0 + 0.5 * (6.0 - 2.0))
    assert policy._baseline == 4.0
    assert torch.allclose(policy.logits.grad, -advantage * (onehot - p) * policy._allowed)


def test_a_batch_of_a_policy_is_the_mean_of_its_gradients_with_a_baseline_that_moves_between() -> None:
    space = Space([Choice("a", (1, 2, 3)), Choice("b", (1, 2))])
    begun = PolicyGradient(decay=0.5, batch=2).begin(posed(space))
    policy = begun._learn.__self__
    policy._baseline = 0.0
    archs = [space.arch({"a": 1, "b": 2}), space.arch({"a": 3, "b": 1})]
    p = torch.exp(policy.log_probabilities()).detach()
    policy.learn(archs, told([8.0, 2.0]))
    expected = torch.zeros_like(p)
    for arch, advantage in zip(archs, (8.0 - 4.0, 2.0 - 3.0), strict=True):
        for column, code in enumerate(arch.code):
            onehot = torch.nn.functional.one_hot(torch.tensor(code), 3)
            expected[column] -= advantage * (onehot - p[column]) / 2
    assert torch.allclose(policy.logits.grad, expected * policy._allowed)


def test_a_reward_is_the_objective_and_entropy_less_the_violation() -> None:
    space = Space([Choice("a", (1, 2, 3)), Choice("b", (1, 2))])
    limits = Constraints((Constraint("size", high=2.0),))
    begun = PolicyGradient(entropy=0.5).begin(posed(space, constraints=limits))
    begun.tell(begun.ask(1), [{"accuracy": 7.0, "size": 5.0}])
    entropy = np.log(3) + np.log(2)  # of logits that are nearly equal
    assert begun._learn.__self__._baseline == pytest.approx(7.0 - 1.5 + 0.5 * entropy, abs=1e-4)


def test_entropy_is_raised_by_its_own_gradient() -> None:
    """It is alike for all that is drawn, so that as a reward alone it would teach nothing."""
    space = Space([Choice("a", (1, 2, 3)), Choice("b", (1, 2))])
    policy = PolicyGradient(entropy=0.5).begin(posed(space))._learn.__self__
    logits = torch.tensor([[0.7, -0.2, 0.1], [0.4, 0.0, 9.0]], dtype=torch.float64)
    with torch.no_grad():
        policy.logits.copy_(logits)
    policy.learn([space.smallest()], told([3.0]))  # the first reward is the baseline
    for row, count in enumerate((3, 2)):
        p = logits[row, :count].softmax(0)
        slope = -p * (p.log() - (p * p.log()).sum())
        assert torch.allclose(policy.logits.grad[row, :count], -0.5 * slope)
    assert policy.logits.grad[1, 2] == 0, "no option"


def test_a_policy_leaves_what_does_not_matter_alone() -> None:
    depth = Choice("depth", (1, 2))
    space = Space([depth, Choice("k", (1, 2, 3), when=depth > 1)])
    begun = PolicyGradient(lr=0.5, decay=0.0).begin(posed(space, initial=space.codes([space.smallest()])))
    policy = begun._learn.__self__
    policy._baseline = 0.0
    policy.settings = PolicyGradient(lr=0.5, decay=0.5)
    (arch,) = begun.ask(5)
    begun.tell([arch], told([1.0]))
    assert policy.logits.grad[0].abs().sum() > 0
    assert policy.logits.grad[1].abs().sum() == 0


def tree_over(space: Space, known: Codes, values: Sequence[float], height: int) -> ucb_tree.Node:
    return ucb_tree.grown(space.encode(known, "ordinal"), np.asarray(values, dtype=np.float64), height, seed=0)


def test_a_tree_halves_what_is_known_at_the_median() -> None:
    """Values are the first choice: the better half has its upper options, the classifier finds that out."""
    space = Space([Choice("a", range(8)), Choice("b", range(4))])
    known = space.unindex(range(space.size))
    values = known[:, 0].astype(float)
    root = tree_over(space, known, values, 2)
    assert (root.value, root.n) == (3.5, 32)
    assert root.better is not None
    assert root.worse is not None
    assert (root.better.value, root.better.n, root.worse.value, root.worse.n) == (5.5, 16, 1.5, 16)
    inside = root.model.predict(space.encode(known, "ordinal")).astype(bool)
    assert (inside == (values >= 3.5)).all()
    assert root.better.better is not None
    assert root.better.better.better is None, "it is two levels high"
    flat = tree_over(space, known, np.ones(32), 3)
    assert flat.better is None, "what is all alike is not divided"


def test_walks_take_the_best_leaf_and_with_exploration_the_least_known() -> None:
    space = Space([Choice("a", range(8)), Choice("b", range(4))])
    known = space.unindex(range(space.size))
    root = tree_over(space, known, known[:, 0].astype(float), 2)
    for n in range(5):
        way = ucb_tree.walk(root, 0.0)
        assert [better for _, better in way] == [True, True]
        assert root.n == 33 + n
    assert root.worse is not None
    assert root.worse.n == 16
    assert next(better for _, better in ucb_tree.walk(root, 1e6)) is False, "the other half was asked for less often"


def test_a_tree_searches_as_published() -> None:
    """80 at random, then 8 by each tree, all new; most of them from the better half."""
    space = Space([Choice(f"c{place}", range(4)) for place in range(16)])
    begun = UCBTree().begin(posed(space))
    asked: list[list[Arch]] = []
    for _ in range(4):
        asked.append(begun.ask(1000))
        begun.tell(asked[-1], told([float(sum(arch.code)) for arch in asked[-1]]))
    assert [len(archs) for archs in asked] == [80, 8, 8, 8]
    assert len({arch for archs in asked for arch in archs}) == 104
    first = np.array([sum(arch.code) for arch in asked[0]])
    later = np.array([sum(arch.code) for archs in asked[1:] for arch in archs])
    assert later.mean() > first.mean() + 1
    heights = [UCBTree().height(known) for known in (80, 400, 401, 800, 801, 1601, 3201)]
    assert heights == [1, 1, 2, 2, 3, 4, 5]


def test_a_leaf_that_nothing_reaches_gives_way_to_anything_new() -> None:
    space = Space([Choice(f"c{place}", range(4)) for place in range(16)])
    begun = UCBTree(first=8, selects=2, attempts=1).begin(posed(space))
    for _ in range(3):
        archs = begun.ask(100)
        assert len(archs) in (8, 2)
        begun.tell(archs, told([float(sum(arch.code)) for arch in archs]))
    with pytest.raises(UsageError, match=r"ucb_tree\.heights is \(4, 4\)"):
        UCBTree(heights=(4, 4))
    with pytest.raises(UsageError, match="optimises one objective"):
        UCBTree().begin(posed(space, objectives=(ACCURACY, MACS)))


# -- from outside -------------------------------------------------------------------------------------------------


class Walker:
    """Asks for neighbours of the best so far, some of them again and some not allowed."""

    def __init__(self, problem: Problem) -> None:
        self.space, self.rng = problem.space, np.random.default_rng(problem.seed)
        self.best = problem.known[:1]
        self.loss: float | None = None
        self.log: list[tuple[str, Any]] = []

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        code = self.space.mutate(self.best, self.rng, p=0.4)
        self.log.append(("ask", code))
        return code, self.space.wrap(code)[0].options()

    def tell(self, handle: Any, losses: Sequence[float] | None) -> None:
        self.log.append(("tell", losses))
        if losses is not None and (self.loss is None or losses[0] < self.loss):
            self.best, self.loss = handle, losses[0]


class Wrong(Walker):
    """Asks for an option that there is not."""

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        return None, {"a": 99}


def walker(problem: Problem) -> Optimiser:
    return Walker(problem)


class TestOutside(SearcherLaws):
    searcher = Outside(make=walker, batch=3)


def test_an_outside_optimiser_is_told_every_handle_of_its_own() -> None:
    made: list[Walker] = []

    def making(problem: Problem) -> Walker:
        made.append(Walker(problem))
        return made[-1]

    begun = Outside(make=making).begin(posed(Space([Choice("a", range(4))]), feasible=lambda codes: codes[:, 0] != 2))
    while archs := begun.ask(10):
        begun.tell(archs, told([float(arch["a"]) for arch in archs]))
    log = made[0].log
    asked = [code[0, 0] for kind, code in log if kind == "ask"]
    answers = [losses for kind, losses in log if kind == "tell"]
    assert len(asked) == len(answers), "each of its questions has an answer"
    for code, losses in zip(asked, answers, strict=True):
        assert losses == (None if code == 2 else (-float(code),))


def test_what_violates_a_measured_constraint_is_told_as_worse() -> None:
    made: list[Walker] = []

    def making(problem: Problem) -> Walker:
        made.append(Walker(problem))
        return made[-1]

    limits = Constraints((Constraint("size", high=2.0),))
    begun = Outside(make=making).begin(posed(wide(), constraints=limits))
    for size in (1.0, 5.0):
        begun.tell(begun.ask(1), [{"accuracy": 3.0, "size": size}])
    answers = [losses for kind, losses in made[0].log if kind == "tell"]
    assert answers == [(-3.0,), (-3.0 + 1000 * 1.5,)]


def test_an_outside_optimiser_that_asks_for_nonsense_is_named() -> None:
    with pytest.raises(RunError, match="Wrong asked for what is no architecture"):
        run(Outside(make=Wrong), Toy(Space([Choice("a", (1, 2))])), objectives="accuracy", budget=2)


def test_an_outside_optimiser_is_named_by_its_place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from supernet import settings

    (tmp_path / "my_walk.py").write_text(
        "import numpy as np\n"
        "class Walk:\n"
        "    def __init__(self, problem):\n"
        "        self.space, self.rng = problem.space, np.random.default_rng(problem.seed)\n"
        "    def ask(self):\n"
        "        return 0, self.space.sample(self.rng).options()\n"
        "    def tell(self, handle, losses):\n"
        "        pass\n"
    )
    monkeypatch.chdir(tmp_path)
    searcher = settings.build("searchers", "outside", settings.parse(["make=my_walk:Walk", "batch=2"]))
    assert run(searcher, Toy(stages(2)), objectives="accuracy", budget=7).evaluations == 7
    with pytest.raises(UsageError, match=r"outside\.make is ''"):
        Outside()


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"pip install 'supernet\[optuna\]'"):
        Optuna().begin(posed(wide()))


@pytest.mark.slow
class TestOptuna(SearcherLaws):
    searcher = Optuna(startup=5)

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("optuna")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_optuna_beats_chance(sampler: Any) -> None:
    pytest.importorskip("optuna")
    wins = 0
    for seed in range(3):
        toy = Toy(stages(3), seed)
        own = run(Optuna(sampler=sampler), toy, objectives="accuracy", budget=60, seed=seed).best()
        chance = run(search.RandomSearch(), toy, objectives="accuracy", budget=60, seed=seed).best()
        wins += own.values["accuracy"] > chance.values["accuracy"]
    assert wins >= 2


# -- numbers ------------------------------------------------------------------------------------------------------


def test_the_published_numbers_are_the_defaults() -> None:
    def numbers(searcher: Any) -> dict[str, Any]:
        return {f.name: getattr(searcher, f.name) for f in fields(searcher)}

    assert numbers(OFAEvolution()) == {
        "population": 100,
        "parent_share": 0.25,
        "mutation_share": 0.5,
        "mutation_p": 0.1,
        "variant": "repository",
        "resolution_p": None,
        "iterations": 500,
        "attempts": 10,
    }
    assert numbers(HATEvolution()) == {
        "parents": 25,
        "mutations": 50,
        "crossovers": 50,
        "mutation_p": 0.3,
        "iterations": 30,
        "attempts": 10,
    }
    assert numbers(ParetoBins()) == {
        "sizes": "comments",
        "population": 512,
        "mutations": 128,
        "crossovers": 128,
        "mutation_p": 0.2,
        "quantity": "macs",
        "width": None,
        "iterations": 20,
        "attempts": 10,
    }
    assert numbers(CoarseToFine()) == {
        "levels": 3,
        "coarse": 1000,
        "fine": 200,
        "mutation_p": 0.1,
        "children": 1,
        "attempts": 64,
    }
    assert numbers(PolicyGradient()) == {"lr": 1e-3, "decay": 0.9, "entropy": 0.0, "batch": 1, "attempts": 64}
    assert numbers(RegularisedEvolution()) == {"population": 100, "sample": 25, "children": 1, "attempts": 64}
    rates = {"crossover_p": 0.9, "mutation_p": None, "attempts": 10}
    assert numbers(NSGA2()) == {"population": 50, **rates}
    assert numbers(NSGA3()) == {"partitions": 12, "population": None, **rates}


@pytest.mark.parametrize(
    ("short", "searcher", "budget"),
    [
        (search.autoformer_evolution, Evolution(mutation_p=0.2, global_p=0.4), 60),
        (search.rlnas_evolution, Evolution(population=100, parents=30, mutations=50, crossovers=50), 120),
        (search.ofa_evolution, OFAEvolution(), 120),
        (search.coarse_to_fine, CoarseToFine(), 60),
        (search.policy_gradient, PolicyGradient(), 20),
        (search.ucb_tree, UCBTree(), 100),
    ],
)
def test_short_forms(short: Any, searcher: Any, budget: int) -> None:
    mine = short(Toy(stages(2)), budget=budget, seed=2)
    assert mine.archive == run(searcher, Toy(stages(2)), objectives="accuracy", budget=budget, seed=2).archive
