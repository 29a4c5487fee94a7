"""Networks from outside that teach: files, or functions that build them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.batch import Fields, called
from supernet.nn.output import as_output
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Setting

Network: TypeAlias = str | Path | Callable[[], nn.Module]
"""A file of `torch.export` (`.pt2`), as `supernet export` writes it; or a function without arguments that builds a
network with its weights, also by name, `module:function`."""

PROGRAM = ".pt2"


@dataclass(frozen=True, kw_only=True)
class Teachers:
    """What several networks say together: the mean of softmax(s · logits), for a part of a recipe.

    NASViT ([OpenReview](https://openreview.net/forum?id=Qaw16njk6L), released code) has two ResNeXt-101 and s = 5. The
    networks see the training images as the supernet does, normalised by the same means; they run in evaluation mode
    and never learn.

    Args:
        networks: The networks. A module itself has no name by which a resumed training could find it again: give the
            function that builds it.
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
            if isinstance(network, nn.Module) or not (isinstance(network, str | Path) or callable(network)):
                raise UsageError(
                    f"A teacher is a file ({PROGRAM}), or a function that builds a network; got a "
                    f"{type(network).__name__}. Write `def teacher(): …` at the top of a module, and give the function "
                    "or its name, 'module:teacher'."
                )
        check_number("The sharpness of the teachers", self.sharpness, above=0)

    def __call__(self, setting: Setting) -> TaughtBy:
        """The networks, read and built.

        Raises:
            UsageError: there is no such file or function, or it makes no network.
        """
        return TaughtBy([_network(network) for network in self.networks], self.sharpness)


class TaughtBy(nn.Module):
    """The mean of softmax(s · logits) of several networks: a batch of B examples -> (B, K).

    The networks stay in evaluation mode, whatever is around them, and have no gradient.

    Args:
        networks: The networks.
        sharpness: s.
    """

    def __init__(self, networks: list[nn.Module], sharpness: float) -> None:
        super().__init__()
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


def _network(given: Network) -> nn.Module:
    if isinstance(given, Path) or (isinstance(given, str) and given.endswith(PROGRAM)):
        path = Path(given).expanduser()
        if not path.is_file() or path.suffix != PROGRAM:
            what = "is no file" if not path.is_file() else "is of another kind"
            raise UsageError(f"The teacher {str(path)!r} {what}; give a {PROGRAM} that `supernet export` wrote.")
        try:
            return torch.export.load(path).module()
        except Exception as error:
            raise UsageError(f"The teacher {str(path)!r} cannot be read ({error}); export it once more.") from error
    name = given if isinstance(given, str) else getattr(given, "__qualname__", repr(given))
    built: Any = (_function(given) if isinstance(given, str) else given)()
    if not isinstance(built, nn.Module):
        raise UsageError(f"The teacher {name} builds a {type(built).__name__}; it has to return an nn.Module.")
    return built.eval()


def _function(name: str) -> Callable[[], nn.Module]:
    module, _, function = name.partition(":")
    try:
        found: Callable[[], nn.Module] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"There is no teacher {name!r} ({error}). Give a file ({PROGRAM}), or module:function."
        ) from error
    return found
