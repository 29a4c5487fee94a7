"""What a task promises: a loss, scores, and what a network has to return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from supernet.nn.batch import Batch, Fields
from supernet.nn.output import Output
from supernet.quantity import Quantity

__all__ = ["AsksForTokens", "Generates", "Meter", "Network", "Reduction", "Task", "take_in"]

Reduction: TypeAlias = Literal["mean", "sum"]
"""Of the losses of the examples of a batch."""

Network: TypeAlias = Callable[[Fields], object]
"""A network that is asked again and again, such as for one word after another: ``lambda x: module(**x)``, or an
exported file. It returns what a network may return, see `nn.output.as_output`."""


class Meter(Protocol):
    """Takes in the answers to batches, and tells the scores of all of them together."""

    def add(self, output: Output, batch: Batch) -> None:
        """Take in one batch, on whichever device it is."""
        ...

    def values(self) -> dict[str, float]:
        """The loss and the scores of the task, by the names of `Task.scores`."""
        ...


@runtime_checkable
class Generates(Protocol):
    """A `Meter` whose scores need more of the network than one output: what it writes by itself, word by word."""

    def generate(self, network: Network, batch: Batch) -> None:
        """Let the network answer the inputs of a batch, and take in what it says.

        Args:
            network: What is measured; takes inputs of the shapes and on the device of the batch's.
            batch: The examples that `Meter.add` was given with the network's output.
        """
        ...


def take_in(meter: Meter, output: Output, batch: Batch, network: Network) -> None:
    """Give a meter one batch, and the network where it wants to ask more of it (`Generates`)."""
    meter.add(output, batch)
    if isinstance(meter, Generates):
        meter.generate(network, batch)


@runtime_checkable
class Task(Protocol):
    """What a network is asked for. A task is a value: a frozen dataclass whose fields are its settings.

    Training, search, judgement, retraining and verification of exported files take their loss and their scores from the
    task of the data (`Data.task`), and call them by their names.
    """

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """What subnets are compared by, with directions and units; the first is what a search maximises or minimises
        unless it is told otherwise. `loss` is among them."""
        ...

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            output: What the network returned, in float32.
            batch: The examples.
            label_smoothing: Share of the target that is spread evenly over the classes; a task whose targets are no
                classes has none to spread, and leaves it out.
            reduction: Mean or sum over the examples.
        """
        ...

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """How far a network is from its teacher, a mean over the examples whose gradient has the size of the loss's.

        Args:
            output: What the network returned.
            teacher: What its teacher returned, without a graph.
            batch: The examples of both.
            temperature: T that both logits are divided by, where the task has logits; the distance is multiplied by T².
        """
        ...

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """A scalar: the sum over the examples of how wrong each answer is, from 0 to 1; some methods rate by it.

        Raises:
            UsageError: The task has no such measure.
        """
        ...

    def meter(self) -> Meter:
        """A new meter."""
        ...

    def outputs(self, classes: int) -> int:
        """The number of values that the head of a network returns per example, pixel or token.

        Args:
            classes: Number of classes of the data; 0 if there are none.
        """
        ...

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """Refuse what a network returns, or what the data ask, before it is trained or measured.

        Args:
            output: What the network returned for the batch.
            batch: Some examples.
            data: Name of the data set, for the sentence.
            classes: Number of its classes; 0 if there are none.

        Raises:
            UsageError: They do not fit the task; names the field, what was found and what is asked for.
        """
        ...

    def chance(self, classes: int) -> float | None:
        """The loss of a network that tells no example from another; None: nobody knows."""
        ...


@runtime_checkable
class AsksForTokens(Protocol):
    """A `Task` whose examples hold many answers, which can weigh the same whatever example they are in."""

    def token_loss(self, output: Output, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """The mean over all tokens of the batch that count, a scalar.

        Args:
            output: What the network returned, in float32.
            batch: The examples.
            label_smoothing: Share of the target that is spread evenly over the vocabulary.
        """
        ...
