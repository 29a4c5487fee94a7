"""The best of several architectures that are drawn after the training (ENAS, One-Shot, random search)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.policies._protocol import policy
from supernet.train.ratings._protocol import Rating, lowest, only_architectures, rated
from supernet.train.ratings.validation import ValidationError
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class SampleAndRank:
    """Draw n architectures when the training is done, rate them with its weights, and take the best.

    Of several that are rated alike the first one drawn is taken. One that is drawn repeatedly is rated once.

    Args:
        samples: n.
        rating: Tells good from bad, such as `ValidationError(images=None)` on a whole split, or `FreshBatch()` on a
            batch for each (ENAS, §2).
        sampler: Draws them; None: uniform, where no part does.
        part: The part of the recipe that draws them, a policy; None: the sampler does.

    Raises:
        UsageError: no sample, or a sampler beside a part.
    """

    samples: int = 10
    rating: Rating = field(default_factory=ValidationError)
    sampler: Sampler | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise UsageError(f"The best of {self.samples} architectures was to be derived; draw at least 1.")
        if self.sampler is not None and self.part is not None:
            raise UsageError(
                f"Architectures were to be drawn by {type(self.sampler).__name__} and by the part {self.part!r}. Give "
                "one of the two."
            )

    def check(self, net: Supernet) -> None:
        if self.sampler is not None:
            self.sampler.check(net)

    def derive(self, context: Context) -> Arch:
        """The best architecture that was drawn.

        Raises:
            UsageError: the sampler draws mixtures, or the recipe has no such part.
        """
        drawn = self._drawn(context.step)
        archs = [next(drawn) for _ in range(self.samples)]
        return archs[lowest(rated(self.rating, context.step, archs), 1)[0]]

    def _drawn(self, step: Step) -> Iterator[Arch]:
        if self.part is not None:
            drawing = policy(step.parts, self.part)
            yield from (drawing.draw(step, f"derivation {number}") for number in range(self.samples))
        sampler = Uniform() if self.sampler is None else self.sampler
        while True:
            yield from only_architectures(sampler.paths(step), of=sampler)
