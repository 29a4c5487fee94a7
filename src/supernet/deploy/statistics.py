"""A file must not depend on who shares a batch with whom: BatchNorm statistics are fixed before export."""

from __future__ import annotations

import torch
from torch import nn

from supernet.data import ImageData, Split
from supernet.errors import UsageError
from supernet.measure.scores.batch_statistics import BatchNorm, tracked_batch_norms
from supernet.measure.scores.calibration import Calibration
from supernet.measure.scores.recalibration import calibrate


def settle_statistics(module: nn.Module, data: ImageData | Split | None, calibration: Calibration) -> None:
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
