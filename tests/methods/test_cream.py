"""Cream: paths learn from the best so far, which a board keeps; a small network says which of them, and how much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as Folder
from typing import Any

import pytest
import torch
from torch.nn import functional

from method_trials import on_digits, published, squares, train
from small_nets import operations_net, sgd
from supernet import Arch, Choice, OpChoice, Supernet, data, fit, measure, zoo
from supernet.errors import UsageError
from supernet.methods import cream, spos
from supernet.nn import batch_norm
from supernet.train import Fixed, Linear, MatchedDistillation, PartOfBatch, Recipe, Uniform, Weighted, adam
from supernet.train.executor import Executor
from supernet.train.move import Move, Result
from supernet.train.parts.matching_net import MatchingNet
from supernet.train.parts.path_board import PathBoard
from supernet.train.step import Step

PRIOR = (0.05, 0.2, 0.05, 0.5, 0.05, 0.15)


def quick(**options: Any) -> Recipe:
    settings = {"prior": None, "every": 3, "label_smoothing": 0.0, **options}
    return cream(**settings).with_weights(lr=0.2, per=None)


def tiny() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.cream(variant="tiny", num_classes=10, in_channels=1, image_size=8, statistics="track")


TRIALS = {
    "cream": lambda: on_digits(quick(), operations_net(), steps=100),
    "cream, its own space": lambda: replace(
        on_digits(cream(every=1, board=3, label_smoothing=0.0, weights=adam(5e-3)), tiny(), steps=60),
        measure=lambda trained: trained.history[0]["loss"] - trained.history[-1]["loss"],
        least=0.1,
    ),
    "cream, as released": lambda: on_digits(
        quick(keeps="teacher", step_ahead=True, every=1, begin=0.0), operations_net(), steps=100
    ),
    "cream, the best": lambda: on_digits(quick(pick="best"), operations_net(), steps=100),
}
ALTERNATIVES = {
    "prior": None,
    "board": 5,
    "gap": 0.1,
    "begin": 0.5,
    "every": 100,
    "examples": 2,
    "pick": "best",
    "keeps": "teacher",
    "step_ahead": True,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
    "matching": sgd(0.2),
}
SETTINGS = {
    "prior": PRIOR,
    "board": 10,
    "gap": 0.05,
    "begin": 21 / 120,
    "every": 200,
    "examples": 4,
    "pick": "match",
    "keeps": "own",
    "step_ahead": False,
}
SMOOTHING = 0.1
SHORT = {"prior": None, "every": 2}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot", "sum_nas"}


class Seen:
    """Every move of the trainings that follow: step, families, paths, result, and the board as it was before."""

    def __init__(self) -> None:
        self.moves: list[tuple[Step, Move, Result]] = []
        self.boards: list[list[tuple[tuple[int, ...], float, float]]] = []


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    noted, original = Seen(), Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        board = now.part("board", PathBoard)
        noted.boards.append([(e.code, e.score, e.cost) for e in board.entries])
        noted.moves.append((now, move, original(self, move, now)))
        return noted.moves[-1][2]

    monkeypatch.setattr(Executor, "execute", noting)
    return noted


def test_the_updates_are_those_of_the_released_code() -> None:
    weights = {"lr": 1.0, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4, "per": 1024, "clip": None}
    assert published(cream().weights) == {**weights, "inactive": "decay", "decay_vectors": False, "end": 0.0}
    part: Any = cream().parts["matching"]
    matching = {"lr": 1e-4, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0, "per": None, "clip": 1.0}
    assert published(part.updates) == {**matching, "inactive": "freeze", "decay_vectors": True, "end": 0.0}
    assert cream().weights.schedule == part.updates.schedule == Linear()
    assert set(cream(pick="best").parts) == {"board"}


def test_the_prior_is_what_paths_are_drawn_by() -> None:
    program: Any = cream().program
    assert program.sampler == Weighted(PRIOR)
    assert replace(program, sampler=Uniform()) == cream(prior=None).program


def test_before_the_board_a_path_learns_from_labels_and_then_from_a_path_on_it(seen: Seen) -> None:
    train(quick(begin=0.4, every=100), steps=20)
    counts = [len(move.paths) for _, move, _ in seen.moves]
    assert counts == [1] * 9 + [2] * 11, "the board is begun after 40 % of 20 steps, by the path of step 8"
    for (_, move, result), board in zip(seen.moves[9:], seen.boards[9:], strict=True):
        teacher, student = move.paths
        assert (teacher.learns, student.learns) == (False, True)
        assert isinstance(teacher.decisions, Arch)
        assert teacher.decisions.code in [code for code, _, _ in board]
        assert set(result.terms) == {"labels", "distillation"}


def test_until_the_board_is_begun_it_is_training_by_spos() -> None:
    one, other = operations_net(), operations_net()
    train(quick(begin=0.9), net=one, steps=9 * 2, stop_after=16)
    train(replace(spos(label_smoothing=0.0), weights=quick().weights), net=other, steps=18, stop_after=16)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_matching_net_moves_every_so_many_steps(seen: Seen) -> None:
    train(quick(begin=0.25, every=4), steps=20)
    at = [now.index for now, move, _ in seen.moves if move.updates == "matching"]
    assert at == [8, 12, 16], "there is a board from step 5 on"
    train(quick(begin=0.25, every=4, step_ahead=True), steps=20)
    steps = [now.index for now, move, _ in seen.moves[23:] if move.updates == "weights"]
    assert sorted(i for i in set(steps) if steps.count(i) == 2) == [8, 12, 16]
    ahead = [move.gradient for _, move, _ in seen.moves[23:] if move.updates == "weights" and move.gradient]
    assert ahead == [PartOfBatch(examples=4, clip_norm=1.0)] * 3, "as in the released code, which clips these alone"


@pytest.mark.parametrize("step_ahead", [False, True])
def test_the_teacher_is_the_path_that_suits_best_and_its_match_weighs_the_loss(
    step_ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once more by hand, with the weights and the board as they were; a step ahead has moved the weights."""
    checked, original = [], Executor.execute

    def checking(self: Executor, move: Move, now: Step) -> Result:
        board, matching = now.part("board", PathBoard), now.part("matching", MatchingNet)
        if len(move.paths) == 2 and move.updates == "weights":
            before = {name: value.clone() for name, value in now.net.state_dict().items()}
            student: Any = move.paths[1]
            suits = []
            with torch.no_grad(), now.net.active(student.decisions):
                for entry in board.entries:
                    said = functional.softmax(now.net(entry.x), dim=1)
                    suits.append(float(matching.linear((said - entry.outputs).reshape(1, -1))))
            now.net.load_state_dict(before)
            best = max(range(len(suits)), key=suits.__getitem__)
            assert move.paths[0].decisions.code == board.entries[best].code  # type: ignore[union-attr]
            inner: MatchedDistillation = student.objective.objective
            assert inner.match == pytest.approx(torch.sigmoid(torch.tensor(suits[best])).item(), abs=1e-5)
            checked.append(len(suits))
        return original(self, move, now)

    monkeypatch.setattr(Executor, "execute", checking)
    net = operations_net()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    train(quick(begin=0.0, every=2, step_ahead=step_ahead), net=net, steps=16)
    assert max(checked) == 10


def test_comparing_with_the_board_leaves_the_statistics_of_batch_norm_alone() -> None:
    """With the best as the teacher nothing is compared."""

    def counted(pick: Any) -> int:
        net = operations_net()
        train(quick(begin=0.0, every=100, pick=pick), net=net, steps=6)
        return int(net.get_buffer("module.1.num_batches_tracked"))

    assert counted("match") == counted("best") > 6


def test_the_best_teaches_by_half(seen: Seen) -> None:
    train(quick(begin=0.0, pick="best"), steps=12)
    for (_, move, _), board in zip(seen.moves[1:], seen.boards[1:], strict=True):
        teacher, student = move.paths
        assert isinstance(teacher.decisions, Arch)
        assert teacher.decisions.code == board[0][0]
        assert student.objective.objective.match == 0.5  # type: ignore[attr-defined]
    assert all(move.updates == "weights" for _, move, _ in seen.moves)


def test_what_comes_onto_the_board_is_the_path_its_accuracy_its_macs_and_its_examples(seen: Seen) -> None:
    net = operations_net()
    trained = train(quick(begin=0.0, every=100), net=net, steps=2)
    board = trained.parts["board"]
    assert isinstance(board, PathBoard)
    assert len(board.entries) == 2
    for number, (_, move, _) in enumerate(seen.moves):
        student: Any = move.paths[-1]
        (outcome,) = student.objective.outcomes
        right = (outcome.logits.argmax(1) == outcome.batch.labels).float().mean().item()
        (entry,) = [e for e in board.entries if torch.equal(e.outputs, outcome.logits[:4].softmax(1))]
        assert entry.score == pytest.approx(right)
        assert entry.code == student.decisions.code, number
        assert entry.cost == measure.macs(net, student.decisions, input_shape=(1, 8, 8))
        assert torch.equal(entry.x, outcome.batch.x[:4])


def test_the_board_may_keep_what_teachers_say(seen: Seen) -> None:
    board = train(quick(begin=0.0, every=100, keeps="teacher"), steps=2).parts["board"]
    assert isinstance(board, PathBoard)
    student: Any = seen.moves[1][1].paths[1]
    (outcome,) = student.objective.outcomes
    (teacher,) = outcome.earlier
    found = [torch.equal(e.outputs, teacher.logits[:4].softmax(1)) for e in board.entries]
    assert sum(found) == 1
    assert not torch.equal(teacher.logits, outcome.logits)


def test_the_board_is_never_larger_than_it_is_told_and_the_best_is_derived() -> None:
    trained = train(quick(begin=0.0, board=3), steps=20)
    board = trained.parts["board"]
    assert isinstance(board, PathBoard)
    assert len(board.entries) == 3
    assert trained.derived is not None
    assert trained.derived.code == board.entries[0].code
    assert [e.score for e in board.entries] == sorted((e.score for e in board.entries), reverse=True)


def test_the_matching_net_learns_by_the_gradient_through_the_look_ahead() -> None:
    """Against one function of its weights, written out with `create_graph`, without BatchNorm and dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ops = {"a": torch.nn.Conv2d(1, 4, 3, padding=1), "b": torch.nn.Conv2d(1, 4, 1)}
        net = Supernet(
            torch.nn.Sequential(OpChoice("op", ops), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(256, 10))
        )
    wanted: list[torch.Tensor] = []
    found: list[torch.Tensor] = []
    original = Executor.execute

    def checking(self: Executor, move: Move, now: Step) -> Result:
        if move.updates != "matching":
            return original(self, move, now)
        board, matching = now.part("board", PathBoard), now.part("matching", MatchingNet)
        student: Any = move.paths[0].decisions
        teacher, entry, batch = move.paths[0].objective.teacher, move.paths[0].objective.entry, self.batch("train")  # type: ignore[attr-defined]
        assert entry in board.entries
        weights = list(net.parameters())
        names = [name for name, _ in net.named_parameters()]
        call = torch.func.functional_call
        with net.active(teacher):
            soft = net(batch.x[:4]).softmax(1).detach()
        with net.active(student):
            taught = -(soft * net(batch.x[:4]).log_softmax(1)).sum(1).mean()
            said = net(entry.x).softmax(1) - entry.outputs
            match = torch.sigmoid(matching.linear(said.reshape(1, -1))).squeeze()
            ahead = torch.autograd.grad(match * taught, weights, create_graph=True, allow_unused=True)
            rate = self.steppers["weights"].lr(now, move.paths)
            moved = {n: w if g is None else w - rate * g for n, w, g in zip(names, weights, ahead, strict=True)}
            judged = functional.cross_entropy(call(net, moved, (batch.x[4:8],)), batch.y[4:8])
        wanted.append(torch.autograd.grad(judged, matching.linear.weight)[0].clone())
        before = matching.linear.weight.detach().clone()
        result = original(self, move, now)
        found.append(before - matching.linear.weight.detach())
        return result

    recipe = quick(begin=0.0, every=1, matching=sgd(1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", checking)
        train(recipe, net=net, steps=6)
    assert len(wanted) == 5
    for one, other in zip(wanted, found, strict=True):
        assert one.norm() > 1e-6
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)


def test_a_look_ahead_costs_at_most_three_plain_steps(seen: Seen) -> None:
    """A plain step: path and teacher forwards, one backward, of all images. The moves are counted from their images."""
    steps, batch, slices = 20, 16, 4
    one = train(quick(begin=0.0, every=100), steps=steps)
    other = train(quick(begin=0.0, every=1), steps=steps)
    looks = steps - 1
    forwards = (other.history[-1]["forwards"] - one.history[-1]["forwards"]) / looks
    backwards = (other.history[-1]["backwards"] - one.history[-1]["backwards"]) / looks
    assert forwards <= 7 * slices / batch, "twice path, teacher and match, and a judgement; the board is compared once"
    assert forwards <= 3 * 2
    assert backwards <= 3 * slices / batch


def test_a_resumed_training_has_the_same_board(tmp_path: Folder) -> None:
    whole = train(quick(begin=0.0), steps=14, out=tmp_path / "whole")
    for stop in (1, 5, 14):
        parts = train(quick(begin=0.0), steps=14, out=tmp_path / "parts", resume=True, stop_after=stop)
    one, other = whole.parts["board"].state_dict(), parts.parts["board"].state_dict()
    assert one.keys() == other.keys()
    assert len(one) == 4 * 10
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole.derived == parts.derived


# -- what is refused -------------------------------------------------------------------------------------------


def test_batches_of_fewer_than_two_slices_are_refused_at_once(tmp_path: Folder) -> None:
    with pytest.raises(UsageError, match=r"two slices of 9 examples from a batch, but batches have 16"):
        train(quick(examples=9), out=tmp_path / "run")
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_a_prior_for_other_spaces_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has 3 options, and 6 probabilities.*prior=None"):
        train(cream())


def test_other_tasks_than_classification_are_refused() -> None:
    scenes = data.digit_scenes(scenes=40, size=16, downscale=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ops = {"a": torch.nn.Conv2d(1, 11, 3, stride=2, padding=1), "b": torch.nn.Conv2d(1, 11, 1, stride=2)}
        net = Supernet(torch.nn.Sequential(OpChoice(Choice("op", ("a", "b")), ops), batch_norm(11)))
    with pytest.raises(UsageError, match=r"Segmentation|network that classifies"):
        fit(net, quick(), scenes, steps=2, batch_size=8, accelerator="cpu", progress=False)
    with pytest.raises(UsageError, match=r"matched by the probabilities.*Segmentation"):
        fit(net, quick(pick="best"), scenes, steps=2, batch_size=8, accelerator="cpu", progress=False)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"begin": 1.0}, r"one in \[0, 1\)"),
        ({"every": 0}, "every of LearnFromBoard is 0"),
        ({"examples": 0}, "examples"),
        ({"pick": "worst"}, "pick is one of"),
        ({"keeps": "none"}, "keeps is one of"),
        ({"pick": "best", "step_ahead": True}, "Leave one out"),
        ({"board": 0}, "at least 1"),
        ({"gap": -0.1}, "gap"),
        ({"prior": (0.5, 0.6)}, "whose sum is 1"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        cream(**options)


def test_one_path_alone_has_neither_board_nor_teacher() -> None:
    net = operations_net()
    alone = cream().alone(net.space.largest())
    assert dict(alone.parts) == {}
    assert alone.derive is None
    assert alone.samplers == (Fixed(net.space.largest()),)
    assert squares().num_classes == 10
