"""What a training consists of beyond its recipe, and its way into a checkpoint and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch
from torch import Tensor, nn

from supernet.errors import RunError, UsageError
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.nn.initial_weights import digest_of
from supernet.space.restriction import Restriction
from supernet.tasks import Classification, Task
from supernet.train import checkpoint
from supernet.train.averaging import WeightAverage
from supernet.train.checkpoint import packed, unpacked
from supernet.train.part import Part, Setting, Slice, families_of
from supernet.train.processes.exchange import exchange
from supernet.train.processes.seeds import seeded
from supernet.train.processes.sharding import USE_DDP, Sharding, mesh_of
from supernet.train.processes.shared_weight import gathered, local_of, part_of
from supernet.train.recipe import Recipe
from supernet.train.rewriting import Rewriter
from supernet.train.updates import Stepper

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["load_parts", "load_weights"]

_KEPT = ("phase", "began", "draws", "losses", "passed", "counts", "memory", "restricted")
"""JSON-able attributes, so that a checkpoint holds them as they are."""


class TrainingState:
    """Everything that a step changes.

    Args:
        net: The supernet that is trained.
        recipe: The recipe, as it holds for the net's space.
        seed: The seed of the training.
        batch_size: Number of images per step over all processes.
        task: What the network is asked for.

    Attributes:
        average: The running average of the weights, if there is one, see `keep_average`.
        sharding: How processes share the weights out, see `share_out`; None: each holds all of them.
        parts: The modules beside the supernet, by name.
        steppers: Optimisers, by the family of parameters they step.
        done: Number of steps done.
        phase: Number of the present phase, from 0; as many as there are once all are done.
        began: Number of steps that were done when it began.
        draws: Number of batches drawn from each split.
        losses: Losses since the last line of the log, by name.
        passed: Images that went `forward` and `backward` through the supernet, see `Executor`.
        counts: How often each option was trained, see `UpdateCounts`.
        memory: What programs remember from step to step.
        restricted: Where `restriction` keeps what is allowed.
        streams: Where the splits stand that say so themselves, by name, see `data.split.Standing`.
    """

    def __init__(
        self,
        net: Supernet,
        recipe: Recipe,
        *,
        seed: int,
        batch_size: int,
        task: Task = Classification(),  # noqa: B008
    ) -> None:
        self.task = task
        self.net, self.recipe, self.seed, self.batch_size = net, recipe, seed, batch_size
        self.average: WeightAverage | None = None
        self.done = self.phase = self.began = 0
        self.draws: dict[str, int] = {}
        self.losses: dict[str, list[float]] = {}
        self.passed: dict[str, int] = {}
        self.counts: dict[str, list[int]] = {}
        self.memory: dict[str, Any] = {}
        self.restricted: dict[str, list[int]] = {}
        self.streams: dict[str, Any] = {}
        self.restriction = Restriction(net.space, self.restricted)
        self.steppers: dict[str, Stepper] = {}
        self.parts: dict[str, nn.Module] = {}
        self.sharding: Sharding | None = None
        for family, parameters in families_of(net, recipe.parts).items():
            given = recipe.parts.get(family)
            updates = given.updates if isinstance(given, Slice) else recipe.weights
            self.steppers[family] = Stepper(updates, parameters, batch_size=batch_size)
        for name, part in recipe.parts.items():
            if isinstance(part, Part):
                self.build(name)

    def share_out(self, fabric: Fabric) -> None:
        """Let the processes of the training share out the weights, and what optimisers hold of them.

        Raises:
            UsageError: the network, or a part beside it, does not suit that.
        """
        weights = {id(parameter) for parameter in self.net.parameters()}
        for name, module in self.parts.items():
            if any(id(parameter) in weights for parameter in module.parameters()):
                raise UsageError(
                    f"The part {name!r} has parameters of the supernet, which processes were to share out. {USE_DDP}"
                )
        self.sharding = Sharding(self.net, mesh_of(fabric), self.steppers.values())

    def keep_average(self, decay: float) -> None:
        """Average the weights along the training, from now on."""
        self.average = WeightAverage(self.net, decay)
        if self.sharding is not None:
            self.sharding.holders.append(self.average)

    def _whole(self) -> AbstractContextManager[None]:
        return nullcontext() if self.sharding is None else self.sharding.whole()

    @property
    def rewriter(self) -> Rewriter:
        """What changes the structure of the network."""
        families = partial(families_of, self.net, self.recipe.parts)
        return Rewriter(self.net, self.steppers, self.average, families, self.seed)

    def build(self, name: str) -> None:
        """Build a part, and what steps it; one that was there is forgotten with the state of its optimiser.

        Raises:
            UsageError: there is no such part, or one that has updates has nothing to step.
        """
        part = self.recipe.parts.get(name)
        if not isinstance(part, Part):
            known = [name for name, part in self.recipe.parts.items() if isinstance(part, Part)]
            raise UsageError(f"There is no part {name!r} that could be built; the parts are {known}.")
        with self._whole():
            self.parts[name] = built(part, name, Setting(self.net, self.seed, self.memory, self.task))
        if part.updates is None:
            return
        updates, batch_size = part.updates, self.batch_size
        if (before := self.steppers.get(name)) is not None:  # those of the present phase
            updates, batch_size = before.updates, before.batch_size
        self.steppers[name] = Stepper(updates, self.parts[name].parameters(), batch_size=batch_size)
        if not self.steppers[name].parameters:
            raise UsageError(
                f"The part {name!r} has updates, but no parameter that needs a gradient. Leave the updates out, or "
                "give it parameters."
            )

    @property
    def kept_parts(self) -> dict[str, nn.Module]:
        """The parts that checkpoints hold."""
        found = {name: self.recipe.parts[name] for name in self.parts}
        return {name: self.parts[name] for name, part in found.items() if isinstance(part, Part) and part.kept}

    def save(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        """Write a checkpoint; `identity` says which training it belongs to.

        A process that writes none gives no path. Where weights are shared out it brings its part of them to the others,
        and the one that writes gathers them in main memory, one after the other.

        Raises:
            RunError: a weight is not finite (nothing is written), or the file cannot be written.
        """
        self.check_finite()
        if path is None and self.sharding is None:
            return
        tensors = gathered(self._tensors(), keep=path is not None)
        if path is None:
            return
        kept = {name: getattr(self, name) for name in _KEPT}
        used = {
            family: [number for number, p in enumerate(stepper.parameters) if p in stepper.used]
            for family, stepper in self.steppers.items()
        }
        meta = {"step": self.done, **kept, "journal": self.net.changes, "used": used, "identity": identity}
        if self.streams:
            meta["streams"] = packed(self.streams, "stream", tensors)
        checkpoint.save(path, tensors, meta)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint, as this process holds them."""
        tensors = {f"net/{name}": value for name, value in self.net.state_dict(keep_vars=True).items()}
        for part, module in self.kept_parts.items():
            tensors |= {f"parts/{part}/{name}": value for name, value in module.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average/{name}": value for name, value in self.average.tensors.items()}
        for family, stepper in self.steppers.items():
            for group, held in stepper.states.items():
                for number, parameter in enumerate(stepper.parameters):
                    for key, value in held.get(parameter, {}).items():
                        if value is not None:
                            tensors[f"optimizer/{family}/{group}/{number}/{key}"] = torch.as_tensor(value)
        return tensors

    def check_finite(self, *, agreed: bool = True) -> None:
        """Check the weights after a step: the loss that was computed before it may still have been finite.

        Args:
            agreed: Whether all processes do so, and say the same where weights are shared out.

        Raises:
            RunError: a weight, or a parameter of a part, is not finite.
        """
        named = [(name, parameter) for name, parameter in self.net.named_parameters()]
        for part, module in self.parts.items():
            named += [(f"{name} of the part {part!r}", parameter) for name, parameter in module.named_parameters()]
        sound = torch.stack([torch.isfinite(local_of(parameter)).all() for _, parameter in named]).float()
        if agreed and self.sharding is not None:
            with exchange():
                torch.distributed.all_reduce(sound, torch.distributed.ReduceOp.MIN)
        for (name, _), value in zip(named, sound.tolist(), strict=True):
            if not value:
                raise RunError(
                    f"The weights of {name} are no longer finite after step {self.done}. Lower the learning "
                    "rate or clip the gradient (clip_norm); earlier checkpoints are untouched."
                )

    def load(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Go back to a checkpoint.

        Raises:
            UsageError: it belongs to another training.
            RunError: it is damaged.
        """
        tensors, meta = checkpoint.load(path)
        found = meta["identity"]
        refuse_others(path.parent.parent, found.get("outside", {}), identity.get("outside", {}))
        now = {"micro_batch": None, **identity}  # a whole batch is not named
        different = [
            f"{key} is {_short(found.get(key), now[key])} there and {_short(now[key], found.get(key))} now"
            for key in now
            if key != "outside" and found.get(key) != now[key]
        ]
        if different:
            raise UsageError(
                f"{path.parent.parent} holds a different training: {'; '.join(different)}. "
                "Resume with the same settings, or choose another directory."
            )
        self.done = int(meta["step"])
        for name in _KEPT:
            setattr(self, name, meta[name])
        self.streams = unpacked(meta.get("streams", {}), tensors)
        self.restriction.kept = self.restricted
        with self._whole():
            self.rewriter.replay(meta["journal"])
            _load(path, "net/", tensors, self.net)
            for name in self.parts:
                self.build(name)  # from what is remembered now
        for name, module in self.kept_parts.items():
            _load(path, f"parts/{name}/", tensors, module)
        if self.average is not None:
            for name, value in _under("average/", tensors).items():
                held = self.average.tensors[name]
                held.copy_(part_of(value, held))
        for family, stepper in self.steppers.items():
            stepper.used = {stepper.parameters[number] for number in meta["used"][family]}
            for name, value in _under(f"optimizer/{family}/", tensors).items():
                group, number, key = name.split("/", 2)
                parameter = stepper.parameters[int(number)]
                if value.shape == parameter.shape:
                    held = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False)
                    held.copy_(part_of(value, parameter))
                else:
                    held = value.clone()
                stepper.select(int(group))
                stepper.optimizer.state[parameter][key] = held


def built(part: Part, name: str, setting: Setting) -> nn.Module:
    """The module of a part, on the device of the supernet."""
    with seeded(setting.seed, crc32(name.encode())):
        module = part.build(setting)
    if not isinstance(module, nn.Module):
        raise UsageError(f"The part {name!r} is built as {module!r}; its function has to return an nn.Module.")
    for parameter_name, parameter in module.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UsageError(
                f"The part {name!r} is built with weights that are not finite, in {parameter_name}. Look at the "
                "source of its weights."
            )
    return module.to(next(setting.net.parameters()).device).train(part.mode == "train")


def digests(recipe: Recipe, parts: Mapping[str, nn.Module]) -> dict[str, str]:
    """What the weights of parts that no checkpoint holds are recognised by, such as those of a teacher from a file."""
    found = {name: parts[name] for name, part in recipe.parts.items() if isinstance(part, Part) and not part.kept}
    known = {name: getattr(module, "digest", None) for name, module in found.items()}
    return {name: known[name] or digest_of(module.state_dict()) for name, module in found.items()}


def refuse_others(run: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Check that parts that no checkpoint holds are what a training was begun with.

    Raises:
        UsageError: one has other weights.
    """
    for name in sorted(before.keys() & now.keys()):
        if before[name] != now[name]:
            raise UsageError(
                f"The part {name!r} is not the one that {run} was begun with: its weights or its architecture "
                f"have changed since (the digest was {before[name]} and is {now[name]}). Bring the former back to its "
                "place, or train anew in another directory."
            )


def load_weights(net: Supernet, run: Path | str) -> None:
    """Load the newest checkpoint of a run directory into a supernet of the same space: averaged weights, if it has any.

    Raises:
        UsageError: the directory has no checkpoint, or one of another space or network.
        RunError: the checkpoint is damaged.
    """
    newest, tensors, meta = _newest(net, run)
    # What a transfer saves has neither seed nor, where the network is as it was built, a journal.
    Rewriter(net, {}, None, dict, meta["identity"].get("seed", 0)).replay(meta.get("journal", ()))
    averaged = {f"net/{name}": value for name, value in _under("average/", tensors).items()}
    _load(newest, "net/", tensors | averaged, net)
    net.statistics_belong_to()


def load_parts(
    net: Supernet,
    recipe: Recipe,
    run: Path | str,
    *,
    task: Task = Classification(),  # noqa: B008
) -> dict[str, nn.Module]:
    """The modules beside the supernet (`Recipe.parts`) as the newest checkpoint of a run directory has them, by name.

    Args:
        net: The supernet of the run.
        recipe: The method of the run.
        run: The run directory.
        task: What the network is asked for.

    Raises:
        UsageError: as `load_weights`, or the checkpoint holds other parts, or was begun with others.
        RunError: as `load_weights`.
    """
    newest, tensors, meta = _newest(net, run)
    setting = Setting(net, meta["identity"].get("seed", 0), meta.get("memory", {}), task)
    parts = {name: built(part, name, setting) for name, part in recipe.parts.items() if isinstance(part, Part)}
    for name, part in recipe.parts.items():
        if isinstance(part, Part) and part.kept:
            _load(newest, f"parts/{name}/", tensors, parts[name])
    refuse_others(Path(run), meta["identity"].get("outside", {}), digests(recipe, parts))
    return parts


def _newest(net: Supernet, run: Path | str) -> tuple[Path, dict[str, Tensor], dict[str, Any]]:
    directory = RunDirectory(run)
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        raise UsageError(f"{directory.path} holds no checkpoint; train first (supernet train --out {directory.path}).")
    tensors, meta = checkpoint.load(newest)
    if meta["identity"]["space"] != net.space.fingerprint:
        raise UsageError(
            f"{newest} was trained on the space {meta['identity']['space']}, but this supernet spans "
            f"{net.space.fingerprint}. Build the supernet with the options of the run (its config.json)."
        )
    return newest, tensors, meta


def _load(path: Path, prefix: str, tensors: Mapping[str, Tensor], module: nn.Module) -> None:
    try:
        module.load_state_dict(_under(prefix, tensors))
    except RuntimeError as error:
        reason = abridged(" ".join(str(error).splitlines()[1:2]).strip())
        what, built = "the weights of another network over the same space", "supernet"
        if prefix.startswith("parts/"):
            what, built = f"another part {prefix.split('/')[1]!r}", "recipe"
        raise UsageError(
            f"{path} holds {what}: {reason} Build the {built} with the options of the run (its config.json)."
        ) from error


def abridged(reason: str, names: int = 3) -> str:
    """What torch says of a state dict, with the first few of its names.

    >>> abridged('Missing key(s) in state_dict: "a", "b", "c", "d", "e". ', names=2)
    'Missing key(s) in state_dict: "a", "b" and 3 more.'
    """
    beginning, colon, rest = reason.partition(": ")
    listed = re.findall(r'"[^"]*"', rest)
    if not colon or len(listed) <= names:
        return reason
    return f"{beginning}: {', '.join(listed[:names])} and {len(listed) - names} more."


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _short(value: Any, other: Any) -> str:
    """The value, or of two tables only what differs."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        parts = [f"{key}: {_short(value[key], other.get(key))}" for key in value if value[key] != other.get(key)]
        return "{" + ", ".join(parts) + "}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
