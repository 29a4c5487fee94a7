"""From a trained supernet to a file that runs elsewhere, to a network trained alone, or to other data."""

from supernet.deploy.export import Exported, export, extract
from supernet.deploy.finetuning import finetuned
from supernet.deploy.resize import resized
from supernet.deploy.surgery import find_classifier, replace_classifier
from supernet.deploy.train_one import plain_sgd, retrained
from supernet.deploy.verify import Verification, verify
from supernet.runs.retrain import retrain_run
from supernet.runs.transfer import Transferred, adapted_data, data_before, transfer, transferred

__all__ = [
    "Exported",
    "Transferred",
    "Verification",
    "adapted_data",
    "data_before",
    "export",
    "extract",
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
