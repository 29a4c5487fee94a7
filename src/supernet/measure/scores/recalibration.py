"""Giving one subnet BatchNorm statistics of its own: for a while inside a supernet, or for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from supernet.data import Data, Split
from supernet.errors import UsageError
from supernet.measure.scores.batch_statistics import BUFFERS, recompute
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.untouched import placed_like, untouched
from supernet.nn import Supernet
from supernet.space import Arch


@contextmanager
def calibrated(net: nn.Module, arch: Arch | None, data: Data | Split, policy: Calibration = DEFAULT) -> Iterator[None]:
    """Inside, the subnet is active, in evaluation mode, with BatchNorm statistics of its own.

    Only the BatchNorms that run for this architecture are recalibrated, an elastic one in its first c channels.
    Those that keep no statistics (`statistics="batch"`) need none; where no BatchNorm with statistics runs,
    nothing is computed. On leaving, buffers, momenta and modes are bit for bit what they were.

    Args:
        net: A supernet, or any module (then `arch` is None).
        arch: The architecture to calibrate; None where `net` is no supernet.
        data: A data set, of which the policy says the split; or a split to be used as it is.
        policy: How the statistics are computed.

    Raises:
        UsageError: the architecture belongs to another space, or is missing for a supernet.
    """
    with untouched(net), activated(net, arch):
        recompute(net, (placed_like(net, x) for x in policy.batches(data)), policy)
        yield


def calibrate(net: nn.Module, arch: Arch | None, data: Data | Split, policy: Calibration = DEFAULT) -> int:
    """Recompute the BatchNorm statistics of one subnet inside its supernet, or of a plain module, for good.

    Those of the supernet's other subnets are overwritten; modes and momenta stay as they are. Arguments and errors are
    those of `calibrated`.

    Returns:
        The number of BatchNorms that were recalibrated.
    """
    with untouched(net), activated(net, arch):
        layers = recompute(net, (placed_like(net, x) for x in policy.batches(data)), policy)
        found = [dict(layer.named_buffers(recurse=False)) for layer in layers]
    with torch.no_grad():
        for layer, buffers in zip(layers, found, strict=True):
            for name in BUFFERS:
                layer.get_buffer(name).copy_(buffers[name])
    if isinstance(net, Supernet) and arch is not None:
        net.statistics_belong_to(arch)
    return len(layers)


@contextmanager
def activated(net: nn.Module, arch: Arch | None) -> Iterator[None]:
    """Make an architecture active on a supernet; a plain module runs as it is.

    Raises:
        UsageError: a supernet without an architecture, or an architecture without a supernet.
    """
    if isinstance(net, Supernet):
        if arch is None:
            raise UsageError("A supernet runs one architecture at a time: pass one, such as net.space.largest().")
        with net.active(arch):
            yield
    elif arch is None:
        yield
    else:
        raise UsageError(
            f"An architecture was given for a {type(net).__name__}, which is no Supernet. Pass None for a plain "
            "module, or the supernet that the architecture comes from."
        )
