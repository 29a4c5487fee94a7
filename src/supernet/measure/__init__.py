"""What a subnet costs and what it is worth: MACs, parameters, latency, accuracy."""

from supernet.measure.calibration import Calibration
from supernet.measure.costs import CostModel, cost_model, macs, params
from supernet.measure.counting import count_macs, count_params
from supernet.measure.evaluator import NetEvaluator, weights_version
from supernet.measure.machine import Device, Latency, ThisMachine, latency, latency_ms
from supernet.measure.recalibration import calibrate, calibrated
from supernet.measure.scores import Scores, accuracies, accuracy, loss, scores

__all__ = [
    "Calibration",
    "CostModel",
    "Device",
    "Latency",
    "NetEvaluator",
    "Scores",
    "ThisMachine",
    "accuracies",
    "accuracy",
    "calibrate",
    "calibrated",
    "cost_model",
    "count_macs",
    "count_params",
    "latency",
    "latency_ms",
    "loss",
    "macs",
    "params",
    "scores",
    "weights_version",
]
