"""Latency models on disk: a table or a predictor, whichever a file holds."""

from __future__ import annotations

from pathlib import Path

from supernet.measure.latency import predictor as latency_predictor
from supernet.measure.latency import table as latency_table
from supernet.measure.latency.predictor import LatencyPredictor
from supernet.measure.latency.record import read_record
from supernet.measure.latency.table import LatencyTable
from supernet.nn import Supernet


def read_latency(
    path: Path | str, net: Supernet, *, input_shape: tuple[int, ...] | None = None
) -> LatencyTable | LatencyPredictor:
    """Read a latency table or a latency predictor; arguments and errors as of `LatencyTable.read`."""
    form = read_record(path, latency_table.FORMAT, latency_predictor.FORMAT).format
    model = LatencyTable if form == latency_table.FORMAT else LatencyPredictor
    return model.read(path, net, input_shape=input_shape)
