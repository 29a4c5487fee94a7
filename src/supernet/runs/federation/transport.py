"""Flower as the transport: tensors as bytes, no telemetry, and silence."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import numpy as np
import safetensors.torch
from torch import Tensor

from supernet.errors import require
from supernet.train.federation.federated_average import Tensors


def packed(tensors: Tensors) -> Any:
    """Tensors as an array of the bytes of a safetensors file: Flower sends arrays, and nothing is pickled."""
    raw = safetensors.torch.save({name: tensor.contiguous().clone() for name, tensor in tensors.items()})
    return np.frombuffer(raw, dtype=np.uint8)


def unpacked(array: Any) -> dict[str, Tensor]:
    """The tensors that `packed` made an array of."""
    found: dict[str, Tensor] = safetensors.torch.load(array.tobytes())
    return found


def quiet() -> None:
    """Flower without its telemetry and its log, which says of this interface in every line that it is deprecated."""
    require("flwr", "federated", "A federation of devices")
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    import flwr  # noqa: F401 - it sets its log up

    usual = threading.excepthook

    def told(args: threading.ExceptHookArgs) -> None:
        if "Channel closed" not in str(args.exc_value):  # a thread of gRPC, of every connection that has ended
            usual(args)

    threading.excepthook = told
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
