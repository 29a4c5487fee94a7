"""FBNetV5: Neural Architecture Search for Multiple Tasks in One Run (Wu et al., arXiv 2021)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import (
    Cosine,
    CrossEntropy,
    LikeliestPerTask,
    Part,
    PolicyPerTask,
    Recipe,
    ReinforcePerTask,
    RewardsByTask,
    TasksInOneDraw,
    Updates,
    adam,
    sgd,
)

PAPER = Paper(
    name="FBNetV5",
    title="FBNetV5: Neural Architecture Search for Multiple Tasks in One Run",
    authors=("Wu", "Li", "Zhang", "Dai", "Zhang", "Yu", "Wang", "Lin", "Vajda"),
    venue="arXiv",
    year=2021,
    arxiv="2111.10007",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.1, weight_decay=4e-5, schedule=Cosine(), clip_norm=5.0)
POLICIES = adam(0.01, betas=(0.5, 0.999))


def fbnetv5(
    *,
    rewards: RewardsByTask = RewardsByTask(),
    every: int = 1,
    rewarded_on: str = "validation",
    samples: int = 0,
    entropy: float = 0.0,
    decay: float = 0.9,
    begin: float | None = None,
    label_smoothing: float = 0.0,
    policies: Updates = POLICIES,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """FBNetV5: one supernet learns several tasks, and each task a policy of its own from the same architectures.

    [arXiv 2111.10007](https://arxiv.org/abs/2111.10007), §3.4. A step draws one architecture a from the mixture
    q = (1 / T) Σ_t π_t of the policies of T tasks, so that it costs the same whatever T. The weights learn from
    Σ_t γ_t ℓ_t(a) with γ_t = π_t(a) / q(a), each policy from γ_t (R_t − b_t) ∇ log π_t(a), where the reward R_t is the
    score of its task less a cost. In the end the likeliest architecture of each policy is taken for its task, to be
    trained alone. The tasks are those of the data (`tasks.Joint`), with a head each; with any other task this is
    REINFORCE with a policy of independent choices.

    A reconstruction: no code was released. From the paper are the policies, sampling, weights and rule; the form of q,
    the baseline, the scale of the cost and all settings of optimisers are not. Its space is `zoo.fbnetv5`; any other
    will do.

    Args:
        rewards: What an architecture is worth to each task, less its cost.
        every: Steps from one move on the policies to the next.
        rewarded_on: The split whose batches rewards come from.
        samples: Architectures that are drawn from each policy in the end. Of these and its likeliest one, that with the
            best reward is taken; 0: the likeliest.
        entropy: The factor on the entropy of a policy in its reward.
        decay: The share of a baseline that is kept at each reward.
        begin: The baselines before the first reward; None: the first reward, from which nothing is learned.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        policies: How the policies are stepped.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = TasksInOneDraw(
        objective=CrossEntropy(label_smoothing),
        policy_gradient=ReinforcePerTask(rewards=rewards, decay=decay, begin=begin, entropy=entropy),
        data=rewarded_on,
        every=every,
    )
    return Recipe(
        name="fbnetv5",
        program=program,
        weights=weights,
        parts={"policies": Part(build=PolicyPerTask(), updates=policies)},
        derive=LikeliestPerTask(samples=samples, rewards=rewards),
    )
