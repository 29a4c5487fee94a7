"""Networks from outside that teach by what they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.untouched import placed_like, untouched
from supernet.nn import Supernet
from supernet.nn.batch import Fields, called
from supernet.nn.input_shape import example
from supernet.nn.output import as_output
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Setting
from supernet.train.parts.outside import PROGRAM, Network, Outside, is_network, opened


@dataclass(frozen=True, kw_only=True)
class Teachers:
    """What several networks say together: the mean of softmax(s · logits), for a part of a recipe.

    NASViT ([OpenReview](https://openreview.net/forum?id=Qaw16njk6L), released code) has two ResNeXt-101 and s = 5. The
    networks see the training images as the supernet does, normalised by the same means; they run in evaluation mode
    and never learn.

    Args:
        networks: The networks: directories of runs, as `"runs/a"` or, with the architecture that is meant,
            `"runs/a:best"` (`runs.teaching.of_run`); files of `torch.export`; or functions that build them, also by
            name, `module:function`. A module itself has no name by which a resumed training could find it again: give
            the function that builds it.
        sharpness: s.

    Raises:
        UsageError: no networks, something else than a file or a function, or a sharpness that is not positive; where
            the networks are built, one that cannot be.
    """

    networks: tuple[Network, ...]
    sharpness: float = 5.0

    def __post_init__(self) -> None:
        if not isinstance(self.networks, list | tuple) or not self.networks:
            raise UsageError(
                f"The teachers are {self.networks!r}; give at least one file or function, as in ('a.pt2',)."
            )
        object.__setattr__(self, "networks", tuple(self.networks))
        for network in self.networks:
            if not is_network(network):
                raise UsageError(
                    f"A teacher is a file ({PROGRAM}), a run directory, or a function that builds a network; got a "
                    f"{type(network).__name__}. Write `def teacher(): …` at the top of a module, and give the function "
                    "or its name, 'module:teacher'."
                )
        check_number("The sharpness of the teachers", self.sharpness, above=0)

    @property
    def outside(self) -> tuple[Network, ...]:
        """What comes from outside."""
        return self.networks

    def __call__(self, setting: Setting) -> TaughtBy:
        """The networks, read and built, and tried out.

        Raises:
            UsageError: there is no such file, run or function, or it makes no network; or one does not take what the
                supernet takes, or knows other classes.
        """
        found = [opened(network) for network in self.networks]
        for given, one in zip(self.networks, found, strict=True):
            _try_out(given, one, setting.net)
        return TaughtBy([one.network for one in found], self.sharpness, digest=" ".join(one.digest for one in found))


class TaughtBy(nn.Module):
    """The mean of softmax(s · logits) of several networks: a batch of B examples -> (B, K).

    The networks stay in evaluation mode, whatever is around them, and have no gradient.

    Args:
        networks: The networks.
        sharpness: s.
        digest: What their weights are recognised by; None: that is not known.
    """

    def __init__(self, networks: Sequence[nn.Module], sharpness: float, *, digest: str | None = None) -> None:
        super().__init__()
        self.digest = digest
        self.networks, self.sharpness = nn.ModuleList(networks).requires_grad_(False), sharpness

    def train(self, mode: bool = True) -> TaughtBy:
        """Leaves the networks as they are: programs of `torch.export` have no modes, and others teach in evaluation."""
        self.training = mode
        return self

    @torch.no_grad()
    def forward(self, x: Fields) -> Tensor:
        said = [as_output(called(network, x)).logits.float() for network in self.networks]
        sizes = {tuple(logits.shape) for logits in said}
        if len(sizes) > 1:
            raise UsageError(f"The teachers return logits of the shapes {sorted(sizes)}; give teachers of one task.")
        return torch.stack([(self.sharpness * logits).softmax(-1) for logits in said]).mean(0)


def _try_out(given: Network, teacher: Outside, net: Supernet) -> None:
    """Compare what a teacher and the smallest subnet return for the same examples."""
    if net.input_shape is None:
        return
    x, network = example(net.input_shape, teacher.batch or 2), teacher.network
    name = getattr(given, "__qualname__", str(given))
    try:
        with torch.no_grad():
            theirs = tuple(as_output(called(network.eval() if teacher.batch is None else network, x)).logits.shape[1:])
    except UsageError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise UsageError(
            f"The teacher {name} does not run on examples {net.input_shape} ({error}); give one for such examples."
        ) from error
    mine = _returned(net, x)
    if theirs != mine:
        raise UsageError(
            f"The teacher {name} returns logits {theirs} for an example, and the supernet {mine}; both have to know "
            "the same classes. Give a teacher of this task."
        )


def _returned(net: Supernet, x: Fields) -> tuple[int, ...]:
    with untouched(net), net.active(net.space.smallest()), torch.no_grad():
        return tuple(as_output(called(net.module, placed_like(net, x))).logits.shape[1:])
