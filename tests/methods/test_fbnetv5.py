"""FBNetV5: one architecture per step teaches the policies of all tasks, each as if it were its own."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import published, squares, train, vector
from small_nets import executor, operations_net, step
from small_tasks import answered, task_net
from small_tasks import squares as task_squares
from supernet import Supernet, fit, measure
from supernet.methods import fbnetv5
from supernet.nn.one_head import one_head
from supernet.space import Arch
from supernet.tasks import Joint
from supernet.train import (
    CrossEntropy,
    IndependentPolicy,
    Move,
    Part,
    Path,
    Recipe,
    Reinforce,
    ReinforcePerTask,
    RewardsByTask,
    Trained,
    WeighedTasks,
    adam,
    sgd,
)
from supernet.train.laws import Trial
from supernet.train.move import Outcome
from supernet.train.part import Setting
from supernet.train.policies.policy_per_task import PoliciesOfTasks
from task_rewards import Made, OnePolicy

FAST = sgd(0.1, clip_norm=5.0)
BY_ERROR = RewardsByTask(worth="error", weight=0.0)


def _learned(trained: Trained) -> float:
    """The negative of the last loss of both tasks, which is 1.65 for answers by chance."""
    return -trained.history[-1]["loss"]


TRIALS = {
    "fbnetv5": lambda: Trial(recipe=fbnetv5(begin=0.0, weights=FAST), net=operations_net(), data=squares(), steps=60),
    "fbnetv5, two tasks": lambda: Trial(
        recipe=fbnetv5(begin=0.0, weights=FAST),
        net=task_net("joint"),
        data=task_squares("joint"),
        steps=30,
        measure=_learned,
        least=-1.0,
    ),
}
ALTERNATIVES = {
    "rewards": RewardsByTask(worth="loss"),
    "every": 2,
    "rewarded_on": "train",
    "samples": 4,
    "entropy": 0.1,
    "decay": 0.5,
    "begin": 0.0,
    "label_smoothing": 0.1,
    "policies": adam(0.2),
    "weights": sgd(0.1),
}
SETTINGS = {
    "rewards": RewardsByTask(),
    "every": 1,
    "rewarded_on": "validation",
    "samples": 0,
    "entropy": 0.0,
    "decay": 0.9,
    "begin": None,
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


WANTED = Made(wanted={"mask": "conv3", "label": "conv5"})


def on_two_tasks(recipe: Recipe, steps: int) -> Trained:
    return fit(
        task_net("joint"), recipe, task_squares("joint"), steps=steps, batch_size=8, accelerator="cpu", progress=False
    )


def unequal(net: Supernet, tasks: int, scale: float = 1.0) -> PoliciesOfTasks:
    """Policies of random logits."""
    policies = {f"t{number}": IndependentPolicy()(Setting(net, 0, {})) for number in range(tasks)}
    generator = torch.Generator().manual_seed(3)
    for parameter in nn.ModuleList(policies.values()).parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    return PoliciesOfTasks(dict(policies))


def test_its_settings_are_those_of_the_reconstruction() -> None:
    recipe = fbnetv5()
    found = published(recipe.weights)
    assert (found["lr"], found["momentum"], found["weight_decay"], found["clip"]) == (0.1, 0.9, 4e-5, 5.0)
    part = recipe.parts["policies"]
    assert isinstance(part, Part)
    assert part.updates is not None
    assert (published(part.updates)["lr"], published(part.updates)["betas"]) == (0.01, (0.5, 0.999))
    assert RewardsByTask() == RewardsByTask(worth="score", cost="macs", weight=0.1)


def test_what_a_task_expects_of_its_policy_is_read_off_the_mixture() -> None:
    net, now = operations_net(), step(operations_net())
    drawing = unequal(net, 3)
    archs = net.space.wrap(net.space.unindex(range(net.space.size)))
    q = [math.exp(drawing.likelihood(now, arch).log_prob.item()) for arch in archs]
    ratios = [drawing.ratios(now, arch) for arch in archs]
    assert sum(q) == pytest.approx(1)
    for number, task in enumerate(drawing.tasks):
        p = [math.exp(drawing.of(task).likelihood(now, arch).log_prob.item()) for arch in archs]
        assert [a * r[task] for a, r in zip(q, ratios, strict=True)] == pytest.approx(p, abs=1e-6), number
    assert all(sum(r.values()) / 3 == pytest.approx(1) for r in ratios)
    assert all(0 <= gamma <= 3 for r in ratios for gamma in r.values())
    far = unequal(net, 3, scale=400.0)  # probabilities that are 0 in single precision
    for arch in archs:
        gammas = far.ratios(now, arch).values()
        assert max(gammas) <= 3
        assert sum(gammas) / 3 == pytest.approx(1)


def test_architectures_are_drawn_from_the_policies_of_all_tasks_alike() -> None:
    net = operations_net()
    drawing = unequal(net, 2)
    for task, code in (("t0", 0), ("t1", 2)):
        for logits in drawing.of(task).logits:  # type: ignore[attr-defined]
            logits.data = 50.0 * torch.eye(3)[code]
    drawn = [drawing.draw(step(net, index), "weights").code[0] for index in range(200)]
    assert set(drawn) == {0, 2}
    assert 70 < drawn.count(0) < 130


BEFORE = {"t0": 0.5, "t1": -1.0, "t2": 0.0}
OPTION = "conv3"


def gradients(
    net: Supernet, drawing: PoliciesOfTasks, arch: Arch, *, t1: float = 3.0, entropy: float = 0.0
) -> tuple[dict[str, Any], Any]:
    """∇ of the logits by task, from the rewards of an architecture; and the baselines that are kept."""
    now = replace(step(net), parts={"policies": drawing}, memory={"baselines of policies": dict(BEFORE)})
    stub: Any = SimpleNamespace(
        parameters=lambda _: list(drawing.parameters()),
        batch=lambda _: SimpleNamespace(device="cpu"),
        note=lambda *_: None,
        fabric=SimpleNamespace(world_size=1, device="cpu"),
    )
    wanted = Made(wanted=dict.fromkeys(drawing.tasks, OPTION), factors={"t1": t1})
    rule = ReinforcePerTask(rewards=wanted, decay=0.8, entropy=entropy)
    for parameter in drawing.parameters():
        parameter.grad = torch.zeros_like(parameter)
    rule(stub, Move(updates="policies", paths=[Path(arch, CrossEntropy())], gradient=rule), now)
    found = {task: [logits.grad.clone() for logits in drawing.of(task).logits] for task in drawing.tasks}  # type: ignore[attr-defined]
    return found, now.memory["baselines of policies"]


def reward(task: str, arch: Arch) -> float:
    return list(arch.options().values()).count(OPTION) * (3.0 if task == "t1" else 1.0)


@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_the_gradient_of_each_policy_is_that_of_the_formula(entropy: float) -> None:
    net = operations_net()
    drawing, arch = unequal(net, 2), net.space.arch(dict.fromkeys(net.space.names, OPTION))
    found, kept = gradients(net, drawing, arch, entropy=entropy)
    for task, gamma in drawing.ratios(step(net), arch).items():
        spread = drawing.of(task).likelihood(step(net), arch).entropy.item()
        distance = reward(task, arch) + entropy * spread - BEFORE[task]
        assert kept[task] == pytest.approx(BEFORE[task] + min(1, 0.2 * gamma) * distance)
        for column, logits in enumerate(drawing.of(task).logits):  # type: ignore[attr-defined]
            p = logits.softmax(0)
            expected = gamma * 0.8 * distance * (p - torch.eye(3)[arch.code[column]])
            expected = expected + entropy * p * (p.log() - (p * p.log()).sum())  # that of the entropy itself
            assert torch.allclose(found[task][column], expected.detach(), atol=1e-6)


def test_a_task_about_which_the_batch_says_nothing_learns_nothing_from_it() -> None:
    net = operations_net()
    drawing = unequal(net, 2)
    found, kept = gradients(net, drawing, net.space.smallest(), t1=math.nan)
    assert all(gradient.abs().max() == 0 for gradient in found["t1"])
    assert all(gradient.abs().max() > 0 for gradient in found["t0"])
    assert kept["t1"] == BEFORE["t1"]


def test_over_the_mixture_each_policy_gets_the_gradient_of_what_it_expects_of_itself() -> None:
    """Also where an architecture is of one policy alone, and its weight is the number of tasks."""
    net, now = operations_net(), step(operations_net())
    drawing = unequal(net, 3, scale=2.0)
    archs = net.space.wrap(net.space.unindex(range(net.space.size)))
    assert max(max(drawing.ratios(now, arch).values()) for arch in archs) > 2
    total = {task: [torch.zeros(3) for _ in net.space.names] for task in drawing.tasks}
    for arch in archs:
        q = drawing.likelihood(now, arch).log_prob.exp().item()
        for task, of in gradients(net, drawing, arch)[0].items():
            for column, gradient in enumerate(of):
                total[task][column] += q * gradient
    for task in drawing.tasks:
        drawing.zero_grad()
        lost = [-(reward(task, a) - BEFORE[task]) * drawing.of(task).likelihood(now, a).log_prob.exp() for a in archs]
        torch.stack(lost).sum().backward()  # type: ignore[no-untyped-call]
        for column, logits in enumerate(drawing.of(task).logits):  # type: ignore[attr-defined]
            assert torch.allclose(total[task][column], 0.8 * logits.grad, atol=1e-5)


def test_the_weights_learn_from_the_losses_by_their_ratios() -> None:
    output, batch = answered("joint")
    task = task_squares("joint").task
    assert isinstance(task, Joint)
    now = replace(step(task_net("joint")), task=task)
    found = WeighedTasks(CrossEntropy(), {"mask": 1.7, "label": 0.3})(Outcome(output, batch, now))
    parts = {n: one.loss(task.head(n, output), task.asked(n, batch)) for n, (one, _) in task.tasks.items()}
    assert isinstance(found, Tensor)
    assert found.item() == pytest.approx((1.7 * parts["mask"] + 0.3 * 0.5 * parts["label"]).item(), rel=1e-5)


def test_one_architecture_trains_the_weights_by_its_ratios_and_then_the_policies() -> None:
    net = operations_net()
    drawing = unequal(net, 3)
    (program,) = fbnetv5().programs
    weights, policies = program.moves(replace(step(net), parts={"policies": drawing}))
    assert isinstance(weights, Move)
    assert isinstance(policies, Move)
    (path,), (rated,) = weights.paths, policies.paths
    assert path.decisions == rated.decisions
    assert isinstance(path.decisions, Arch)
    assert isinstance(path.objective, WeighedTasks)
    assert path.objective.factors == drawing.ratios(step(net), path.decisions)
    assert (weights.families, policies.families, policies.data) == (("weights",), ("policies",), "validation")


def test_policies_learn_in_every_nth_step() -> None:
    net = operations_net()
    (program,) = fbnetv5(every=3).programs
    parts: Any = {"policies": unequal(net, 2)}
    moves = [len(list(program.moves(replace(step(net, index), parts=parts)))) for index in range(6)]
    assert moves == [1, 1, 2, 1, 1, 2]


def test_where_less_is_better_a_reward_is_minus_the_score() -> None:
    net, data = task_net("regression"), task_squares("regression")
    net.input_shape = (1, 16, 16)
    assert data.task.scores[0].goal == "min"
    now = replace(step(net), task=data.task, runner=executor(net, data))  # type: ignore[arg-type]
    batch = next(data.train.batches(16))
    assert RewardsByTask(weight=0.0)(now, net.space.smallest(), [batch])["task"] < 0


def test_with_one_task_it_is_reinforce_to_the_bit() -> None:
    ours = fbnetv5(rewards=BY_ERROR, weights=FAST, policies=adam(0.1), entropy=0.1)
    part = Part(build=IndependentPolicy(), updates=adam(0.1))
    rule = Reinforce(decay=0.9, begin=None, entropy=0.1, part="policies")
    plain = Recipe(name="plain", program=OnePolicy(rule), weights=FAST, parts={"policies": part})
    found, expected = train(ours), train(plain)
    assert torch.equal(vector(found.net), vector(expected.net))
    assert torch.equal(vector(found.parts["policies"]), vector(expected.parts["policies"]))
    assert vector(found.parts["policies"]).abs().max() > 0.01
    assert found.memory["baselines of policies"] == {"task": expected.memory["baseline of policies"]}


def test_each_task_ends_with_what_is_rewarded_for_it() -> None:
    trained = on_two_tasks(fbnetv5(rewards=WANTED, policies=adam(0.2), weights=FAST), 25)
    wanted = {task: set(arch.options().values()) for task, arch in trained.derived_by_task.items()}
    assert wanted == {"label": {"conv5"}, "mask": {"conv3"}}
    assert trained.derived == trained.derived_by_task["label"]  # whose accuracy ranks
    assert next(iter(trained.derived_by_task)) == "label"


def test_a_task_does_not_move_the_policy_of_another() -> None:
    def logits(factor: float) -> dict[str, Tensor]:
        rewards = replace(WANTED, factors={"mask": factor})
        trained = on_two_tasks(fbnetv5(rewards=rewards, policies=adam(0.2)), 3)
        drawing = trained.parts["policies"]
        assert isinstance(drawing, PoliciesOfTasks)
        return {task: vector(module) for task, module in zip(drawing.tasks, drawing.policies, strict=True)}

    zero, one = logits(0.0), logits(-1.0)
    assert zero["mask"].abs().max() == 0
    assert one["mask"].abs().max() > 0


def test_of_several_that_a_policy_draws_the_best_is_derived() -> None:
    trained = on_two_tasks(fbnetv5(rewards=WANTED, samples=16), 1)
    found = {task: set(arch.options().values()) for task, arch in trained.derived_by_task.items()}
    assert found == {"label": {"conv5"}, "mask": {"conv3"}}


def test_a_cost_makes_cheap_options_likely() -> None:
    def probability(weight: float) -> list[float]:
        rewards = RewardsByTask(worth="loss", weight=weight)
        trained = on_two_tasks(fbnetv5(rewards=rewards, policies=adam(0.2)), 20)
        drawing = trained.parts["policies"]
        assert isinstance(drawing, PoliciesOfTasks)
        now, choice = step(trained.net), trained.net.space.choices[0]
        return [drawing.of(t).probabilities(now, choice)[0].item() for t in drawing.tasks]  # type: ignore[attr-defined]

    assert min(probability(20.0)) > 0.8  # of conv3 rather than conv5


def test_the_cost_is_a_share_of_the_greatest() -> None:
    net = task_net("joint")
    net.input_shape = (1, 16, 16)
    share = RewardsByTask().share(net, net.space.smallest())
    largest, smallest = (measure.macs(net, arch) for arch in (net.space.largest(), net.space.smallest()))
    assert share == pytest.approx(smallest / largest)
    assert RewardsByTask().share(net, net.space.largest()) == 1


def test_a_network_with_one_head_answers_as_the_whole_one_does() -> None:
    from supernet import zoo

    heads = ("kinds=images:3", "mask=pixels:4")
    net = zoo.fbnetv5(variant="tiny", heads=heads, in_channels=1, image_size=8).eval()
    alone, arch = one_head(net, "mask"), net.space.largest()
    x = torch.randn(2, 1, 8, 8)
    assert list(alone(x, arch)) == ["mask"]
    assert torch.equal(alone(x, arch)["mask"], net(x, arch)["mask"])
    assert list(net.module.heads) == ["kinds", "mask"]  # type: ignore[arg-type]
    pooled = sum(p.numel() for p in net.module.heads["kinds"].parameters())  # type: ignore[index,union-attr]
    assert measure.params(net, arch) - measure.params(alone, arch) == pooled
