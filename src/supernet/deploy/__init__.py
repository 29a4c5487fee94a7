"""From a trained supernet to a file that runs elsewhere, to a network trained alone, or to other data."""

from supernet.deploy.exporting import Exported, export
from supernet.deploy.finetuning import finetuned
from supernet.deploy.resizing import resized
from supernet.deploy.retrained_run import best_on_front, retrain_run
from supernet.deploy.retraining import plain_sgd, retrained
from supernet.deploy.surgery import find_classifier, replace_classifier
from supernet.deploy.transfer import Transferred, adapted_data, data_before, transfer, transferred
from supernet.deploy.verification import Verification, verify

__all__ = [
    "Exported",
    "Transferred",
    "Verification",
    "adapted_data",
    "best_on_front",
    "data_before",
    "export",
    "find_classifier",
    "finetuned",
    "plain_sgd",
    "replace_classifier",
    "resized",
    "retrain_run",
    "retrained",
    "transfer",
    "transferred",
    "verify",
]
