"""Weight decay goes on in the stages that were trained before (DNA's released code)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames, as_names, stage_names, stages_module
from supernet.train.context import Context
from supernet.train.part import WEIGHTS


@dataclass(frozen=True, kw_only=True)
class DecayEarlierStages:
    """From the beginning of a phase weights of earlier stages count as in use, so that `inactive="decay"` moves them.

    An optimiser that is made anew of the whole network, while gradients of zero have stayed on what was trained before,
    goes on to decay it. That is what PyTorch before 2.0 did in DNA's released code.

    Args:
        index: Number of the stage that is trained from now on.
        stages: The stages of the network, see `nn.stage_modules.stage_names`; None: those that it says it has.
    """

    index: int
    stages: StageNames | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_names(self.stages))

    def check(self, net: Supernet) -> None:
        """Refuse a network whose stages are not known."""
        stage_names(net, self.stages)

    def __call__(self, context: Context) -> None:
        """Mark them."""
        stepper = context.steppers[WEIGHTS]
        earlier = stages_module(context.net, stage_names(context.net, self.stages)[: self.index])
        mine = {id(parameter) for parameter in earlier.parameters()}
        stepper.used.update(parameter for parameter in stepper.parameters if id(parameter) in mine)
