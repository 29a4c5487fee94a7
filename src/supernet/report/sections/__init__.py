"""The parts of the page, in their order.

A new part is one function, one template of its name, and one line here: the function prepares what the template
shows, with the heading as `title`, or returns None where the run has nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from supernet.report.run_files import RunFiles
from supernet.report.sections.choices import choices
from supernet.report.sections.exports import exports
from supernet.report.sections.front import front
from supernet.report.sections.networks import networks
from supernet.report.sections.predictor import predictor
from supernet.report.sections.progress import progress
from supernet.report.sections.ranking import ranking
from supernet.report.sections.reproduce import reproduce
from supernet.report.sections.samples import samples
from supernet.report.sections.shifting import shifting
from supernet.report.sections.space import space
from supernet.report.sections.training import training

SECTIONS: Mapping[str, tuple[str, Callable[[RunFiles], dict[str, Any] | None]]] = {
    "front": ("Front", front),
    "networks": ("Networks", networks),
    "exports": ("Exports", exports),
    "samples": ("Samples", samples),
    "ranking": ("Ranking", ranking),
    "training": ("Training", training),
    "choices": ("Choices", choices),
    "progress": ("Search", progress),
    "predictor": ("Predictor", predictor),
    "shifting": ("Shifting", shifting),
    "space": ("Space", space),
    "reproduce": ("Reproduce", reproduce),
}
"""By anchor: the short name in the menu, and what prepares the part."""
