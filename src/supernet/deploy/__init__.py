"""From a trained supernet to a file that runs elsewhere, to a network trained alone, or to other data."""

from supernet.deploy.export import Exported, export, extract
from supernet.deploy.formats import Format
from supernet.deploy.new_data import fitted, inherit, tuned
from supernet.deploy.resize import resized
from supernet.deploy.surgery import find_classifier, replace_classifier
from supernet.deploy.train_one import plain_sgd, retrained
from supernet.deploy.verify import Verification, missed, verify

__all__ = [
    "Exported",
    "Format",
    "Verification",
    "export",
    "extract",
    "find_classifier",
    "fitted",
    "inherit",
    "missed",
    "plain_sgd",
    "replace_classifier",
    "resized",
    "retrained",
    "tuned",
    "verify",
]
