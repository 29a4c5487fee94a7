"""DONNA: every path of every block is trained equally often, and a line in the blocks' losses predicts accuracy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from method_trials import digits, published, squares, train
from small_nets import operations_net
from staged_nets import STAGES, TAPS, closer, plain, running, staged_net
from supernet import deploy, search
from supernet.errors import UsageError
from supernet.measure import NetEvaluator
from supernet.measure.predictors.leave_one_out import leave_one_out
from supernet.measure.predictors.on_terms import OnTerms, TermsOf
from supernet.methods import dna, donna
from supernet.methods.blockwise.dna import RATING, TEACHER
from supernet.methods.blockwise.donna import FINE, NETWORKS, WEIGHTS, fine_tuning
from supernet.nn import Supernet
from supernet.train import BesideTeachers, Cosine, CrossEntropy, PathsOfStage, Recipe, StageLoss, TappedTeacher, adam
from supernet.train.laws import Trial

PLAIN = TappedTeacher(network=plain, taps=TAPS)
QUICK = StageLoss(kind="normalised", images=128)


def short(**options: Any) -> Recipe:
    return donna(**({"reference": PLAIN, "count": 3, "rating": QUICK} | options)).with_weights(lr=0.05)


TRIALS = {
    "donna": lambda: Trial(recipe=short(), net=staged_net(), data=digits(), steps=90, measure=closer, least=1.4),
}
ALTERNATIVES = {
    "reference": PLAIN,
    "stages": STAGES,
    "count": 3,
    "loss": "mse",
    "rating": StageLoss(),
    "label_smoothing": 0.0,
    "weights": adam(0.1),
}
SETTINGS = {"reference": TEACHER, "stages": None, "count": 5, "loss": "normalised", "rating": RATING}
SMOOTHING = 0.1
SHORT = {"count": 3}
NET = staged_net
REFUSED_BY = {"distilled", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


def test_the_settings() -> None:
    told = published(WEIGHTS)
    assert (told["lr"], told["weight_decay"], NETWORKS) == (0.001, 0.0, 30)
    assert WEIGHTS.schedule == Cosine()


def test_every_path_of_a_block_is_trained_equally_often() -> None:
    net = staged_net()
    _, now = running(net)
    for index, count in enumerate((2, 4, 2)):
        sampler = PathsOfStage(index=index)
        sampler.check(net)
        drawn = [sampler.paths(replace(now, index=step))[0] for step in range(3 * count)]
        assert set(Counter(drawn).values()) == {3}
        assert len(set(drawn[:count])) == count
        others = {
            tuple(code for name, code in zip("abcd", arch.code, strict=True) if name not in ("a", "bc", "d")[index])
            for arch in drawn
        }
        assert len(others) == 1, "other stages do not vary"
    orders = [
        [PathsOfStage(index=1).paths(replace(now, index=step, seed=seed))[0] for step in range(4)] for seed in range(6)
    ]
    assert any(order != orders[0] for order in orders)
    turns = [
        [PathsOfStage(index=1).paths(replace(now, index=4 * turn + place))[0] for place in range(4)]
        for turn in range(6)
    ]
    assert any(turn != turns[0] for turn in turns), "each turn has an order of its own"
    first = [
        [PathsOfStage(index=index).paths(replace(now, index=2 * turn))[0][name] for turn in range(12)]
        for index, name in ((0, "a"), (2, "d"))
    ]
    assert first[0] != first[1], "and so has each stage"


def test_a_library_of_too_many_options_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Stage 1 has 4 paths, and each is trained; at most 3"):
        PathsOfStage(index=1, most=3).check(staged_net())


def test_it_is_dna_with_every_option_in_turn() -> None:
    one, other = donna(count=3).phases, dna(rates=(1.0,) * 3, loss="normalised", weights=WEIGHTS).phases
    for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        program: Any = mine.program
        assert program.sampler == PathsOfStage(index=number)
        assert replace(program, sampler=theirs.program.sampler) == theirs.program  # type: ignore[attr-defined]


def predicted(noise: float) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """A trained library, its evaluator, architectures, and values that are a line in their stages' losses."""
    trained = train(short(), net=staged_net(), steps=12)
    evaluator = NetEvaluator(trained.net, squares(), score=trained.recipe.ranks_by, parts=trained.parts)
    codes = trained.net.space.codes(list(trained.net.space.enumerate()))
    terms = np.asarray([evaluator.terms(arch) for arch in trained.net.space.wrap(codes)])
    scaled = terms / terms.std(axis=0)
    values = 0.9 - 0.05 * scaled[:, 0] - 0.02 * scaled[:, 1] + np.random.default_rng(0).normal(0, noise, len(codes))
    return trained, evaluator, codes, values


def test_a_line_in_the_losses_is_found_exactly_and_leave_one_out_tells_its_error() -> None:
    trained, evaluator, codes, values = predicted(noise=0.0)
    predictor, space = OnTerms(terms=TermsOf(evaluator)), trained.net.space
    some = [0, 3, 5, 6, 9, 10, 12, 15]
    fitted = predictor.fit(space, codes[some], values[some])
    np.testing.assert_allclose(fitted.predict(codes).mean, values, atol=1e-8)
    assert fitted.params == 4
    assert leave_one_out(predictor, space, codes, values).rmse < 1e-8


def test_the_short_cut_of_leaving_one_out_is_the_long_way() -> None:
    trained, evaluator, codes, values = predicted(noise=0.01)
    predictor, space = OnTerms(terms=TermsOf(evaluator)), trained.net.space
    found = leave_one_out(predictor, space, codes, values)
    assert predictor.fit(space, codes, values).error == pytest.approx(found.rmse, rel=1e-6)
    assert found.n == 16
    for some in ([0, 1, 2, 8], [0, 1, 2, 4, 8]):  # the line goes through what alone tells a weight, and says nothing
        few = leave_one_out(predictor, space, codes[some], values[some])
        assert predictor.fit(space, codes[some], values[some]).error == pytest.approx(few.rmse, rel=1e-6)
        assert few.rmse > 1e-3
    assert found.rmse < found.rmse_of_mean
    assert found.rmse_of_mean == pytest.approx(values.std() * 16 / 15), "the mean of the fifteen others"
    with pytest.raises(UsageError, match="3 architectures are too few to leave one out"):
        leave_one_out(predictor, space, codes[:3], values[:3])
    with pytest.raises(UsageError, match="is fitted to 3 or more"):
        predictor.fit(space, codes[:2], values[:2])


def test_an_evolution_searches_its_predictions() -> None:
    """NSGA-II over what is predicted and MACs, with what exists."""
    _, evaluator, _, _ = predicted(noise=0.0)
    searcher = search.WithPredictor(
        searcher=search.NSGA2(population=8),
        predictor=OnTerms(terms=TermsOf(evaluator)),
        measured=6,
        queries=16,
        picks=3,
    )
    front = search.run(searcher, evaluator, objectives=("accuracy", "macs"), budget=9)
    assert front.evaluations == 9


def sure() -> nn.Module:
    """A reference that says class 3 of every image."""
    head = nn.Linear(64, 10)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(20.0 * torch.eye(10)[3])
    return nn.Sequential(nn.Flatten(), head)


def test_fine_tuning_learns_from_the_reference_too() -> None:
    """With labels alone no class is preferred; a reference that is sure of one moves the network towards it."""

    def third(weight: float) -> float:
        net, x = staged_net(), next(squares().validation.batches(64)).x
        arch = net.space.smallest()
        recipe = fine_tuning(reference=sure, weight=weight).with_weights(lr=0.05)
        tuned: Supernet = deploy.retrained(
            net, arch, squares(), steps=20, start="inherited", recipe=recipe, accelerator="cpu", progress=False
        )
        assert not any("teacher" in name for name, _ in tuned.named_parameters())
        return tuned.train()(x, arch).detach().softmax(1)[:, 3].mean().item()

    assert third(1.0) > third(0.01) + 0.2


def test_the_settings_of_the_fine_tuning() -> None:
    recipe = fine_tuning(reference="reference.pt2", weight=0.3, sharpness=0.5, label_smoothing=0.2)
    told = published(recipe.weights)
    assert (recipe.weights, told["lr"], told["weight_decay"], told["decay_vectors"]) == (FINE, 0.01, 1e-4, False)
    (program,) = recipe.programs
    assert program.objective == BesideTeachers(weight=0.3, labels=CrossEntropy(0.2))  # type: ignore[attr-defined]
    teachers: Any = recipe.parts["teachers"]
    assert (teachers.build.networks, teachers.build.sharpness) == (("reference.pt2",), 0.5)
    assert (teachers.mode, teachers.kept) == ("eval", False)
    (program,) = fine_tuning(reference="reference.pt2").programs
    assert program.objective == BesideTeachers(weight=0.5, labels=CrossEntropy(0.1))  # type: ignore[attr-defined]
    assert fine_tuning(reference="reference.pt2").parts["teachers"].build.sharpness == 1.0  # type: ignore[union-attr]
    assert (FINE.schedule, told["momentum"]) == (Cosine(), 0.9)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: donna(count=0), "No rates are given"),
        (lambda: fine_tuning(reference="reference.pt2", weight=0.0), "The weight of the teachers"),
        (lambda: train(donna(), net=staged_net()), "5 stages are to be trained, but Row has 3"),
        (lambda: train(short(), net=operations_net()), "Sequential does not say what its stages are"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_first_step(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
