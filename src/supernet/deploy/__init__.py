"""From a trained supernet to a file that runs elsewhere, to a network trained alone, or to other data."""

from supernet.deploy.export import Exported, Format, export, extract
from supernet.deploy.finetuning import finetuned
from supernet.deploy.new_data import fitted, inherit, tuned
from supernet.deploy.resize import resized
from supernet.deploy.surgery import find_classifier, replace_classifier
from supernet.deploy.train_one import plain_sgd, retrained
from supernet.deploy.verify import Verification, verify

__all__ = [
    "Exported",
    "Format",
    "Verification",
    "export",
    "extract",
    "find_classifier",
    "finetuned",
    "fitted",
    "inherit",
    "plain_sgd",
    "replace_classifier",
    "resized",
    "retrained",
    "tuned",
    "verify",
]
