"""A file of latencies, whichever it is."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from supernet.measure.latency import fitted, predictor, table
from supernet.measure.latency.record import read_record
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape

AnyLatency: TypeAlias = "table.LatencyTable | predictor.LatencyPredictor | fitted.FittedLatency"
"""What tells latencies and is kept in a file."""

_MODELS: dict[str, type[AnyLatency]] = {
    table.FORMAT: table.LatencyTable,
    predictor.FORMAT: predictor.LatencyPredictor,
    fitted.FORMAT: fitted.FittedLatency,
}


def read_latency(path: Path | str, net: Supernet, *, input_shape: InputShape | None = None) -> AnyLatency:
    """Read a latency table, a predictor or a fit; arguments and errors as of `LatencyTable.read`."""
    model = _MODELS[read_record(path, *_MODELS).format]
    return model.read(path, net, input_shape=input_shape)
