"""What a training has taken, by its log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from supernet.report.run_files import RunFiles


def minutes(run: RunFiles) -> float | None:
    """Minutes of training steps, without what was measured along the way; None where the log does not tell."""
    told = elapsed(run)
    return told[-1] if told else None


def elapsed(run: RunFiles) -> Sequence[float]:
    """Minutes of training by each line of the log that tells them; none where there is one that does not."""
    seconds = [record.scalars.get("seconds") for record in run.train if "loss" in record.scalars]
    known = [one for one in seconds if one is not None]
    return [total / 60 for total in accumulate(known)] if len(known) == len(seconds) else ()
