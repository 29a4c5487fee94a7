"""What a subnet costs and what it is worth: MACs, parameters, memory, latency, accuracy."""

from supernet.measure.conflict import Agreement, agreement, gradient_conflict, path_gradients
from supernet.measure.costs.counting import count_macs, count_params
from supernet.measure.costs.memory import Memory, MemoryModel, memory, memory_model
from supernet.measure.costs.model import CostModel, cost_model, macs, params
from supernet.measure.evaluator import NetEvaluator, weights_version
from supernet.measure.latency.check import LatencyCheck
from supernet.measure.latency.fitted import FittedLatency
from supernet.measure.latency.machine import Device, Latency, ThisMachine, latency, latency_ms
from supernet.measure.latency.measurements import Measurements, read_measurements
from supernet.measure.latency.model import Figure, LatencyModel, Subject
from supernet.measure.latency.predictor import LatencyPredictor
from supernet.measure.latency.reading import read_latency
from supernet.measure.latency.remote import RemoteMachine
from supernet.measure.latency.table import LatencyTable
from supernet.measure.predictors._held_out import HeldOut, held_out
from supernet.measure.predictors._observed import Observed, read_observed
from supernet.measure.predictors._protocol import Fitted, Prediction, Predictor
from supernet.measure.predictors.curve import CurvePoint, predictor_curve
from supernet.measure.predictors.features import Encoding, stack_means
from supernet.measure.predictors.forest import Forest
from supernet.measure.predictors.gaussian_process import GaussianProcess
from supernet.measure.predictors.mlp import MLP
from supernet.measure.predictors.neighbours import Neighbours
from supernet.measure.predictors.rank_weighted import RankWeighted, weighted_by_ranks
from supernet.measure.predictors.rbf import RBF
from supernet.measure.predictors.ridge import Ridge
from supernet.measure.scores.calibration import Calibration
from supernet.measure.scores.recalibration import calibrate, calibrated
from supernet.measure.scores.score import Score, Subnet
from supernet.measure.scores.scores import Scores, accuracies, accuracy, loss, scores
from supernet.measure.shifts import Shift, feature_shift, parameter_shift
from supernet.quantity import Quantity

__all__ = [
    "MLP",
    "RBF",
    "Agreement",
    "Calibration",
    "CostModel",
    "CurvePoint",
    "Device",
    "Encoding",
    "Figure",
    "Fitted",
    "FittedLatency",
    "Forest",
    "GaussianProcess",
    "HeldOut",
    "Latency",
    "LatencyCheck",
    "LatencyModel",
    "LatencyPredictor",
    "LatencyTable",
    "Measurements",
    "Memory",
    "MemoryModel",
    "Neighbours",
    "NetEvaluator",
    "Observed",
    "Prediction",
    "Predictor",
    "Quantity",
    "RankWeighted",
    "RemoteMachine",
    "Ridge",
    "Score",
    "Scores",
    "Shift",
    "Subject",
    "Subnet",
    "ThisMachine",
    "accuracies",
    "accuracy",
    "agreement",
    "calibrate",
    "calibrated",
    "cost_model",
    "count_macs",
    "count_params",
    "feature_shift",
    "gradient_conflict",
    "held_out",
    "latency",
    "latency_ms",
    "loss",
    "macs",
    "memory",
    "memory_model",
    "parameter_shift",
    "params",
    "path_gradients",
    "predictor_curve",
    "read_latency",
    "read_measurements",
    "read_observed",
    "scores",
    "stack_means",
    "weighted_by_ranks",
    "weights_version",
]
