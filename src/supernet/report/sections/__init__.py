"""The parts of the page, in their order. A new part is one function in one file, and one line here."""

from __future__ import annotations

from collections.abc import Callable

from supernet.report.run import RunFiles
from supernet.report.section import Section
from supernet.report.sections.exports import exports
from supernet.report.sections.front import front
from supernet.report.sections.networks import networks
from supernet.report.sections.progress import progress
from supernet.report.sections.ranking import ranking
from supernet.report.sections.reproduce import reproduce
from supernet.report.sections.shifting import shifting
from supernet.report.sections.space import space
from supernet.report.sections.training import training

SECTIONS: tuple[Callable[[RunFiles], Section | None], ...] = (
    front,
    networks,
    exports,
    ranking,
    training,
    progress,
    shifting,
    space,
    reproduce,
)
