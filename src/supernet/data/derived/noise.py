"""What is wrong with data: labels, images, or both."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data.corruption import Corruption
from supernet.data.data import Kind
from supernet.data.derived.corrupted import Corrupted
from supernet.data.derived.wrong_labels import WrongLabels


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Data with wrong labels, corrupted images or both: what `-D noise.…` asks for on the command line.

    It is part of the data set: also architectures that are trained alone, and networks that are trained for use, learn
    from it.

    Args:
        labels: Which training labels are wrong; None: none. Those for validation and test are right in any case.
        train: How training images are corrupted; None: not at all.
        validation: How those are corrupted that architectures are compared by; None: not at all.
        test: How those are corrupted that results are reported on; None: not at all.

    >>> from supernet.data import digits
    >>> blurred = Corruption(kind="gaussian_blur", severity=2)
    >>> print(Noise(labels=WrongLabels(rate=0.4, kind="pair"), test=blurred)(digits()).name)
    digits, 40.3 % wrong labels, gaussian_blur 2 (test)
    """

    labels: WrongLabels | None = None
    train: Corruption | None = None
    validation: Corruption | None = None
    test: Corruption | None = None

    def __call__(self, data: Kind) -> Kind:
        """The data as it is with this noise.

        Raises:
            UsageError: as in `WrongLabels` and `Corrupted`.
        """
        if self.labels is not None:
            data = self.labels(data)
        if self.train is None and self.validation is None and self.test is None:
            return data
        return Corrupted(train=self.train, validation=self.validation, test=self.test)(data)
