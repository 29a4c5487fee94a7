"""A subnet that was taken out, made ready for use: in evaluation mode, with BatchNorm statistics of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from supernet.data import Data, Split
from supernet.errors import UsageError
from supernet.measure.scores.batch_statistics import BatchNorm, tracked_batch_norms
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.recalibration import calibrate


def settled(
    module: nn.Module,
    data: Data | Split | None,
    calibration: Calibration = DEFAULT,
    finetune: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """A plain module in evaluation mode, in the default memory layout, with BatchNorm statistics to be used.

    Args:
        module: The extracted subnet; it is changed.
        data: Training images to calibrate BatchNorm on; None: the statistics that it holds are kept.
        calibration: How the statistics are computed.
        finetune: A function that trains the module further, in place, before it is calibrated.

    Raises:
        UsageError: there is no data, and some BatchNorm has no statistics or never saw an image.
    """
    # Training leaves weights channels-last; a program keeps strides, and readers expect the default layout.
    module = module.to(memory_format=torch.contiguous_format)
    if finetune is not None:
        finetune(module)
    module.eval()
    _settle_statistics(module, data, calibration)
    return module


def _settle_statistics(module: nn.Module, data: Data | Split | None, calibration: Calibration) -> None:
    """Calibrate every BatchNorm of an extracted subnet, also those that normalised by the batch until now.

    Raises:
        UsageError: there is no data, and some BatchNorm has no statistics or never saw an image.
    """
    if data is not None:
        for layer in module.modules():
            if isinstance(layer, BatchNorm) and layer.running_mean is None:
                _start_tracking(layer)
        calibrate(module, None, data, calibration)
        return
    if any(isinstance(layer, BatchNorm) and layer.running_mean is None for layer in module.modules()):
        raise UsageError(
            'The BatchNorms of this subnet normalise by the evaluated batch (statistics="batch"), so a file would '
            "give an image different logits in different company. Pass data= to fix their statistics first."
        )
    if any(_is_blank(layer) for layer in tracked_batch_norms(module)):
        raise UsageError(
            "The BatchNorms of this subnet hold no statistics: the supernet was trained to calibrate them per subnet "
            '(statistics="calibrate"), or not at all. Pass data= to compute them.'
        )


def _start_tracking(layer: BatchNorm) -> None:
    device = layer.weight.device if layer.affine else torch.get_default_device()
    layer.running_mean = torch.zeros(layer.num_features, device=device)
    layer.running_var = torch.ones(layer.num_features, device=device)
    layer.num_batches_tracked = torch.tensor(0, device=device)
    layer.track_running_stats = True


def _is_blank(layer: BatchNorm) -> bool:
    mean, var = layer.running_mean, layer.running_var
    assert mean is not None
    assert var is not None
    return not mean.any() and bool((var == 1).all())
