"""The stages that a network is a row of, each as modules that run one after the other, so that one can run alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.batch import Fields, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.mutable import Mutable
from supernet.nn.supernet import Supernet
from supernet.space import Expr
from supernet.space.text import listed

StageNames: TypeAlias = Sequence[str | Sequence[str]]
"""The modules of each stage, by name below `Supernet.module`, in the order in which they run; one may stand alone."""


@runtime_checkable
class Staged(Protocol):
    """A network that says which modules its stages are: from the images on, without the head."""

    @property
    def stage_names(self) -> tuple[tuple[str, ...], ...]:
        """The modules of each stage, by name, in the order in which they run; the first stage begins with the stem."""
        ...


def as_names(given: StageNames | None) -> StageNames | None:
    """The names as tuples, which a frozen value can hold."""
    return None if given is None else tuple(one if isinstance(one, str) else tuple(one) for one in given)


def stage_names(net: nn.Module, given: StageNames | None = None) -> tuple[tuple[str, ...], ...]:
    """The modules of each stage of a network, by name.

    Args:
        net: The network, a `Supernet` or any module.
        given: The names; None: those that the network itself says (`Staged`).

    Raises:
        UsageError: none are given and the network says none, there is no module of a name, or one is named twice.
    """
    module = net.module if isinstance(net, Supernet) else net
    inside = dict(module.named_modules())
    if given is None:
        if not isinstance(module, Staged):
            raise UsageError(
                f"{type(module).__name__} does not say what its stages are. Name their modules in order, as in "
                f"stages=(('stem', 'layer1'), ('layer2',)); it has {_some(inside)}."
            )
        given = module.stage_names
    found = tuple((stage,) if isinstance(stage, str) else tuple(stage) for stage in given)
    if not found or not all(found):
        raise UsageError(f"The stages are {found}; name at least one, and at least one module in each.")
    names = [name for stage in found for name in stage]
    for name in names:
        if name not in inside or not name:
            raise UsageError(f"There is no module {name!r} in {type(module).__name__}; it has {_some(inside)}.")
        if names.count(name) > 1:
            raise UsageError(f"The module {name!r} stands in two places of the stages {found}; name it once.")
    return found


def stages_module(net: nn.Module, stages: Sequence[Sequence[str]]) -> nn.Sequential:
    """The modules of some stages in a row, which are those of the network itself: (B, …) -> (B, …).

    What is active in a supernet is active in them.
    """
    module = net.module if isinstance(net, Supernet) else net
    return nn.Sequential(*(module.get_submodule(name) for stage in stages for name in stage))


def stage_choices(net: Supernet, given: StageNames | None = None) -> tuple[tuple[str, ...], ...]:
    """The choices that each stage reads, by name, in the order of the space.

    Raises:
        UsageError: two stages read the same choice, so that they cannot be chosen apart; or as `stage_names`.
    """
    found: list[tuple[str, ...]] = []
    for stage in stage_names(net, given):
        layers = [m for m in stages_module(net, [stage]).modules() if isinstance(m, Mutable)]
        read = {c.name for layer in layers for e in layer.depends_on() if isinstance(e, Expr) for c in e.choices()}
        found.append(tuple(name for name in net.space.names if name in read))
    for number, mine in enumerate(found):
        for other, theirs in enumerate(found[:number]):
            if shared := sorted({*mine} & {*theirs}):
                raise UsageError(
                    f"The stages {other} and {number} both read the choice {shared[0]!r}, so that they cannot be "
                    "chosen apart. Take a network whose stages have choices of their own, or join these two."
                )
    return tuple(found)


def stage_shapes(net: Supernet, given: StageNames | None = None) -> tuple[tuple[int, ...], ...]:
    """The shape of what each stage returns for one example, such as (C, H, W), found by a pass of the smallest subnet.

    Raises:
        UsageError: the network does not know the shape of its images, a stage cannot run on what the one before it
            returns, or as `stage_names`.
    """
    stages = stage_names(net, given)
    if net.input_shape is None:
        raise UsageError(
            "What the stages return is seen by a pass, but the network does not know the shape of its images. Give "
            "it: net.input_shape = (C, H, W)."
        )
    training, shapes = [(m, m.training) for m in net.modules()], []
    device = next(net.parameters(), torch.zeros(())).device
    x: Fields = mapped(example(net.input_shape, 2), lambda t: placed(t, device))
    net.eval()
    belong_to, net.calibrated_for = net.calibrated_for, None
    try:
        with torch.no_grad(), net.active(net.space.smallest()):
            for number, stage in enumerate(stages):
                x = _ran(net, number, stage, x)
                shapes.append(tuple(x.shape[1:]))
    finally:
        net.calibrated_for = belong_to
        for module, mode in training:
            module.training = mode
    return tuple(shapes)


def _ran(net: Supernet, number: int, stage: Sequence[str], x: Fields) -> Tensor:
    try:
        found = stages_module(net, [stage])(x)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"Stage {number}, the modules {', '.join(stage)}, does not run on what comes before it ({error}). A stage "
            "takes one tensor, the result of the stage before it; the first one takes the images."
        ) from error
    if not isinstance(found, Tensor):
        raise UsageError(f"Stage {number}, {', '.join(stage)}, returns a {type(found).__name__} and no tensor.")
    return found


def _some(inside: dict[str, nn.Module]) -> str:
    return listed(outermost(inside))


def outermost(inside: Iterable[str]) -> list[str]:
    """Names of modules, those that are least deep first."""
    return sorted((name for name in inside if name), key=lambda name: (name.count("."), name))
