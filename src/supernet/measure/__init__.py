"""What a subnet costs and what it is worth: MACs, parameters, latency, accuracy."""

from supernet.measure.calibration import Calibration
from supernet.measure.costs import CostModel, cost_model, macs, params
from supernet.measure.counting import count_macs, count_params
from supernet.measure.evaluator import NetEvaluator, weights_version
from supernet.measure.latency_check import LatencyCheck
from supernet.measure.latency_files import read_latency
from supernet.measure.latency_model import Figure, LatencyModel, Subject
from supernet.measure.latency_predictor import LatencyPredictor
from supernet.measure.latency_table import LatencyTable
from supernet.measure.machine import Device, Latency, ThisMachine, latency, latency_ms
from supernet.measure.recalibration import calibrate, calibrated
from supernet.measure.scores import Scores, accuracies, accuracy, loss, scores

__all__ = [
    "Calibration",
    "CostModel",
    "Device",
    "Figure",
    "Latency",
    "LatencyCheck",
    "LatencyModel",
    "LatencyPredictor",
    "LatencyTable",
    "NetEvaluator",
    "Scores",
    "Subject",
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
    "read_latency",
    "scores",
    "weights_version",
]
