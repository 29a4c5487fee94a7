"""Short trainings by which methods are tried; nothing is built before it is asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn

import supernet.data
from small_nets import executor, images, operations_net, step
from supernet import Supernet
from supernet.data import ImageData
from supernet.methods import few_shot
from supernet.train import Context, Move, Recipe, Step, Trained, Updates, fit
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.laws import Trial
from supernet.train.state import TrainingState


@cache
def digits() -> ImageData:
    """Augmented digits."""
    return supernet.data.digits(augment=supernet.data.Augment())


@cache
def squares() -> ImageData:
    """Images that load at once."""
    return images()


def on_digits(recipe: Recipe, net: Supernet, *, steps: int = 80) -> Trial:
    """A training on digits in which the recipe learns."""
    return Trial(recipe=recipe, net=net, data=digits(), steps=steps)


def train(recipe: Recipe, *, net: Supernet | None = None, steps: int = 8, seed: int = 0, **options: Any) -> Trained:
    """A few steps on squares, of a fresh net of operations unless one is given."""
    net = operations_net() if net is None else net
    return fit(
        net, recipe, squares(), steps=steps, batch_size=16, seed=seed, accelerator="cpu", progress=False, **options
    )


def moves(recipe: Recipe, net: Supernet, *, index: int = 5, total: int = 10) -> list[Move]:
    """The moves of a step."""
    (program,) = recipe.programs
    now = step(net, index, total=total, parts=TrainingState(net, recipe, seed=0, batch_size=16).parts)
    return [move for move in program.moves(now) if isinstance(move, Move)]


def published(updates: Updates) -> dict[str, Any]:
    """What torch's optimiser is told, the factor on the learning rate at the very end, and the largest norm."""
    (group,) = updates.optimiser([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups
    told = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "betas") if name in group}
    end = updates.schedule(step(operations_net(), 10**6 - 1, total=10**6), []) if _plain(updates) else None
    return {
        **told,
        "per": getattr(updates.optimiser, "per", None),
        "clip": updates.clip_norm,
        "inactive": updates.inactive,
        "decay_vectors": updates.decay_vectors,
        "end": None if end is None else round(end, 4),
    }


def _plain(updates: Updates) -> bool:
    return updates.alone() == updates


def vector(module: nn.Module) -> torch.Tensor:
    """All parameters in one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


class Watch:
    """A monitor that keeps the weights of every leaf after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[list[torch.Tensor]] = []

    def __call__(self, step: Step) -> dict[str, float]:
        self.seen.append([vector(module) for module in step.net.module.copies])
        return {}


def split_by(net: Supernet, choices: tuple[str, ...] | None) -> Supernet:
    """A net of leaves, divided as few-shot NAS does before its first leaf."""
    adapted = few_shot().adapted(net)
    SplitByOption(choices)(Context(step(adapted), executor(adapted, squares())))
    return adapted
