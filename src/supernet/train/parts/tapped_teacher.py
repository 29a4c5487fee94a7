"""A teacher whose features inside are learned from, stage by stage (DNA, DONNA)."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import Fields, called, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.modes import untouched_buffers
from supernet.nn.stage_modules import StageNames, as_names, outermost, stage_names, stage_shapes
from supernet.nn.taps import tapped
from supernet.space import Arch
from supernet.space.text import listed
from supernet.train.part import Setting
from supernet.train.parts.outside import PROGRAM, Network, Outside, is_file, opened


@dataclass(frozen=True, kw_only=True)
class TappedTeacher:
    """Builds a network that gives the features of its stages, for a part of a recipe; it never learns.

    It sees the images of the batch as the supernet does. Where the part is in the mode `"train"` its batch norms use
    the statistics of the batch; its buffers stay as they are.

    Args:
        network: The directory of another run, as `"runs/a"`, or `"runs/a:best"` with the architecture that is meant
            (`runs.teaching.of_run`); or a function without arguments that builds a network with its weights, also by
            name, `module:function`; or a file of `torch.export` (`.pt2`) of a module that was not traced before. None:
            the supernet itself as it is when the training begins, running its largest architecture.
        taps: The modules of it that end its stages, by name as `named_modules` has them, one for each stage of the
            supernet; `"name:input"` is what enters a module. None: the ends of the stages that it says it has.
        stages: The stages of the supernet, see `nn.stage_modules.stage_names`; None: those that it says it has.
        project: Whether features may have other channels than the stages of the supernet, because learned
            convolutions stand between them (`Projections`).
        sha256: The digest of the file in hexadecimal, which is compared where it is read; None: it is not.

    Raises:
        UsageError: a digest of something that is no file; where it is built, no such network, another file than the
            digest is of, taps that it does not have, or features that do not match what the stages return.
    """

    network: Network | None = None
    taps: tuple[str, ...] | None = None
    stages: StageNames | None = None
    project: bool = False
    sha256: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_names(self.stages))
        object.__setattr__(self, "taps", None if self.taps is None else tuple(self.taps))
        if self.sha256 is not None and not is_file(self.network):
            raise UsageError(f"A digest is compared with a file ({PROGRAM}), but the teacher is {self.network!r}.")

    def __call__(self, setting: Setting) -> Tapped:
        """The teacher, tried out on two images.

        Raises:
            UsageError: see the class.
        """
        net = setting.net
        stages = stage_names(net, self.stages)
        if self.network is None:
            given = Outside(copy.deepcopy(net), "")
        else:
            given = opened(self.network, inside=True, sha256=self.sha256)
        teacher = given.network
        taps = self._taps(teacher, self.stages if self.network is None else None)
        if len(taps) != len(stages):
            raise UsageError(
                f"The supernet has {len(stages)} stages and the teacher {len(taps)} taps ({', '.join(taps)}); give "
                "one tap for each stage, the module whose result the stage shall learn."
            )
        found = Tapped(teacher, taps, arch=given.arch, digest=given.digest or None)
        found.to(next(net.parameters(), torch.zeros(())).device)
        features = self._tried(net, found)
        self._compare(taps, features, stage_shapes(net, self.stages))
        found.channels = tuple(int(feature.shape[1]) for feature in features)
        return found

    def _taps(self, teacher: nn.Module, stages: StageNames | None) -> tuple[str, ...]:
        inside = dict((teacher.module if isinstance(teacher, Supernet) else teacher).named_modules())
        if self.taps is None:
            try:
                return tuple(stage[-1] for stage in stage_names(teacher, stages))
            except UsageError as error:
                raise UsageError(f"The teacher's features are needed, but no taps are given. {error}") from error
        for tap in self.taps:
            name = tap.partition(":")[0]
            if name not in inside:
                raise UsageError(
                    f"The teacher {type(teacher).__name__} has no module {name!r} to tap; it has "
                    f"{listed(outermost(inside), wanted=name)}."
                )
        return self.taps

    @property
    def outside(self) -> tuple[Network, ...]:
        """What comes from outside."""
        return () if self.network is None else (self.network,)

    @property
    def is_file(self) -> bool:
        """Whether it is read from a program of `torch.export`, whose modes cannot be set."""
        return is_file(self.network)

    def _tried(self, net: Supernet, teacher: Tapped) -> tuple[Tensor, ...]:
        """Its features of two images of zeros."""
        if net.input_shape is None:
            raise UsageError(
                "A teacher is tried out on images as the supernet takes them, whose shape it does not know. Give it: "
                "net.input_shape = (C, H, W)."
            )
        x = mapped(example(net.input_shape, 2), lambda t: placed(t, teacher.device))
        try:
            found = teacher.eval().try_out(x)
        except (RuntimeError, ValueError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"The teacher does not run on images {net.input_shape} ({error}); give one for images of this size."
            ) from error
        return found

    def _compare(self, taps: Sequence[str], features: Sequence[Tensor], wanted: Sequence[tuple[int, ...]]) -> None:
        for number, (tap, feature, mine) in enumerate(zip(taps, features, wanted, strict=True)):
            theirs = tuple(feature.shape[1:])
            if theirs == mine or (self.project and theirs[1:] == mine[1:] and len(mine) == 3):
                continue
            advice = "build the supernet with the widths of the teacher, or let project=True learn 1x1 convolutions"
            if theirs[1:] != mine[1:]:
                advice = "give other taps, or strides with which both have maps of one size"
            raise UsageError(
                f"Stage {number} of the supernet returns {mine} for an image, and the teacher {theirs} at {tap!r}; "
                f"{advice}."
            )


class Tapped(nn.Module):
    """The features of a network's stages: a batch of B examples -> one tensor (B, …) for each tap.

    Args:
        network: The network.
        taps: The modules whose results they are.
        arch: The architecture of a supernet that runs; None: the largest.
        digest: What its weights are recognised by; None: that is not known.

    Attributes:
        channels: The channels of each, where it was tried out.
        once: Whether every tap is known to run once in a pass, so that a pass may end at the last one that is needed.
    """

    def __init__(
        self, network: nn.Module, taps: Sequence[str], *, arch: Arch | None = None, digest: str | None = None
    ) -> None:
        super().__init__()
        self.arch, self.digest = arch, digest
        self.network, self.taps, self.channels = network.requires_grad_(False), tuple(taps), tuple[int, ...]()
        self.once = False

    def train(self, mode: bool = True) -> Tapped:
        """Sets the mode, but of a program of `torch.export`, which has none."""
        if isinstance(self.network, torch.export.UnflattenedModule):
            self.training = mode
            return self
        return super().train(mode)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(iter([*self.parameters(), *self.buffers()]), torch.zeros(())).device

    @torch.no_grad()
    def forward(self, x: Fields, count: int | None = None) -> tuple[Tensor, ...]:
        """The features of the first `count` stages, None: of all; nothing after them is computed."""
        taps = self.taps[:count]
        with tapped(self._inner, taps, enough=self.once) as found, self._running():
            called(self._inner, x)
        missing = [tap for tap in taps if tap not in found]
        if missing:
            raise UsageError(f"The module {missing[0]!r} of the teacher did not run; tap one that always does.")
        return tuple(found[tap].float() for tap in taps)

    def try_out(self, x: Fields) -> tuple[Tensor, ...]:
        """The features of one whole pass, in which the runs of every tap are counted for `once`."""
        inside, runs = dict(self._inner.named_modules()), Counter[str]()
        names = {tap.partition(":")[0] for tap in self.taps}
        hooks = [inside[name].register_forward_hook(lambda *_, name=name: runs.update([name])) for name in names]
        try:
            found: tuple[Tensor, ...] = self(x)
        finally:
            for hook in hooks:
                hook.remove()
        self.once = all(runs[name] == 1 for name in names)
        return found

    @property
    def _inner(self) -> nn.Module:
        return self.network.module if isinstance(self.network, Supernet) else self.network

    @contextmanager
    def _running(self) -> Iterator[None]:
        with untouched_buffers(self.network):
            if isinstance(self.network, Supernet):
                with self.network.active(self.arch or self.network.space.largest()):
                    yield
            else:
                yield
