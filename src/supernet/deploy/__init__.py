"""From a trained supernet to a file that runs elsewhere, and proof that it computes the same."""

from supernet.deploy.exporting import Exported, export
from supernet.deploy.finetuning import finetuned
from supernet.deploy.verification import Verification, verify

__all__ = ["Exported", "Verification", "export", "finetuned", "verify"]
