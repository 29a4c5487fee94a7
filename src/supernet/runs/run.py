"""A run: a configuration bound to a directory, with its data, method and network built once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from supernet import search
from supernet.data import Data
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.config import Config, Named, Training
from supernet.io.locking import further_process
from supernet.io.run_directory import MARKER, RunDirectory
from supernet.nn import Supernet
from supernet.nn.input_shape import shape_to_json
from supernet.runs.kept import refuse_changes
from supernet.runs.naming import build_data, build_method, build_net
from supernet.space import Arch, Space
from supernet.train import Recipe, checkpoint, load_parts, load_weights
from supernet.train.loop import RESTRICTION

Say = Callable[[str], None]


def silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class Run:
    """A configuration bound to a directory: what every verb of a run takes.

    Its parts are built when they are first asked for, each once.

    Attributes:
        config: What was asked for; where a search or a judgement is on record, with its settings.
        directory: The directory of the training.
        say: A function that is called with each sentence about the progress.
        results: The directory of the search, where its exports and their like go too; None: that of the training.
    """

    config: Config
    directory: RunDirectory
    say: Say = silent
    results: RunDirectory | None = None

    @classmethod
    def create(
        cls, config: Config, out: Path, *, overwrite: bool = False, resume: bool = False, say: Say = silent
    ) -> Run:
        """Bind a configuration to a directory that is free for it, or to the run of this configuration there.

        Nothing is written yet: `RunDirectory.begin` does so when the first verb has found its settings sound.

        Args:
            config: The settings of everything that the run is to do.
            out: The directory of the run; it need not exist.
            overwrite: Whether to replace the run that is there, if there is one.
            resume: Whether to go on with the run that is there. What is trained must be the same; what comes after the
                training may change, as far as the verbs allow it.
            say: A function that is called with each sentence about the progress.

        Raises:
            UsageError: the directory holds something else, or a run of another configuration, or nothing to resume; or
                the configuration names what there is not.
        """
        directory = RunDirectory(out, replaces=overwrite)
        if further_process():  # the first process checks and prepares the directory
            return cls(config, directory)
        if resume and overwrite:
            raise UsageError("--resume goes on with the run that --overwrite would replace; give one of them.")
        if overwrite:
            directory.check_replaceable()
        elif resume:
            if not directory.is_run:
                raise UsageError(
                    f"{out} holds no run to resume. Give the directory of one with --out, or leave --resume out to "
                    "begin there."
                )
            refuse_changes(_config(directory), config, directory / "config.json", free=("search", "export", "judge"))
        elif directory.is_run:
            raise UsageError(
                f"{out} already holds a run. Continue it with --resume, replace it with --overwrite, "
                "or choose another directory with --out."
            )
        else:
            directory.check_free()
        made = cls(config, directory, say)
        _ = made.net
        directory.first = {"config.json": config.to_json(), "data.json": made.facts}
        return made

    @classmethod
    def open(
        cls,
        path: Path | str,
        say: Say = silent,
        *,
        space: Named | None = None,
        method: Named | None = None,
        data: Named | None = None,
    ) -> Run:
        """Open the directory of a run, or that of a search in a directory of its own.

        Args:
            path: The directory of the run or of the search.
            say: A function that is called with each sentence about the progress.
            space: How to build the network of a run that was made in Python, which does not say so itself; what is
                given is kept in the directory, once it has been found to fit.
            method: How to build the method of such a run. None: the method of the name that the training has noted,
                with its defaults.
            data: How to load the data of such a run. None: `digits`.

        Raises:
            UsageError: there is no run; or it was made in Python and cannot be built without these, or not with these;
                or it was not and says them itself.
            RunError: a file is damaged.
        """
        results = RunDirectory(path)
        kept, directory = kept_search(results), trained_in(results)
        if not made_in_python(directory):
            if space or method or data:
                raise UsageError(
                    f"{directory.path} says itself which space, method and data it has; leave these options out."
                )
            config = _config(directory)
        else:
            config = _adopted(directory, space, method, data)
        if kept is not None:
            config = replace(config, search=kept.search)
        if (results / "judging.json").is_file():
            config = replace(config, judge=results.read("judging.json", schema.Judgement).judge)
        return cls(config, directory, say, None if results.path == directory.path else results)

    @property
    def place(self) -> RunDirectory:
        """Where a search and what follows it are written."""
        return self.directory if self.results is None else self.results

    @cached_property
    def data(self) -> Data:
        """The images."""
        return build_data(self.config)

    @cached_property
    def recipe(self) -> Recipe:
        """The method."""
        return build_method(self.config.method.name, self.config.method.options)

    @cached_property
    def fresh(self) -> Supernet:
        """The supernet of the space as the training begins with it."""
        return self.begun(self.config.seed)

    def begun(self, seed: int) -> Supernet:
        """A new supernet of the space, its initial weights drawn from a seed."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return build_net(self.config, self.data)

    @cached_property
    def net(self) -> Supernet:
        """The supernet that the method trains; untrained until a verb trains it or loads its weights."""
        return self.recipe.adapted(self.fresh)

    @property
    def space(self) -> Space:
        """What the training has left of the space, where the method shrinks it: what is searched and judged.

        Raises:
            UsageError: the options are not those of the space.
            RunError: the file is damaged.
        """
        if not (self.directory / RESTRICTION).is_file():
            return self.net.space
        kept = self.directory.read(RESTRICTION, dict[str, list[schema.Option]])
        return self.net.space.restrict(kept)

    def say_what_is_left(self) -> None:
        """Say so if the training has left a part of the space."""
        whole, left = self.net.space, self.space
        if len(left.counts) and (left.counts != whole.counts).any():
            self.say(
                f"the training has left {left.size:,} of {whole.size:,} architectures ({RESTRICTION}), and these "
                "alone are considered"
            )

    def say_what_ranks(self) -> None:
        """Say so if subnets are ranked by something else than accuracy."""
        if (by := self.recipe.ranks_by) is not None:
            usual = self.data.task.scores[0].name
            self.say(f"{self.recipe.name} ranks subnets by {by.name}, which takes the place of {usual}")

    @property
    def derived(self) -> Arch | None:
        """The architecture that the method has derived itself; None where it has not.

        Raises:
            UsageError: it is not of the space.
            RunError: the file is damaged.
        """
        if not (self.directory / "derived.json").is_file():
            return None
        return self._arch(self.directory.read("derived.json", schema.Derived))

    @property
    def derived_by_task(self) -> Mapping[str, Arch]:
        """The architectures that the method has derived for each task; empty where it has not.

        Raises:
            UsageError: one is not of the space.
            RunError: the file is damaged.
        """
        if not (self.directory / "derived_by_task.json").is_file():
            return {}
        found = self.directory.read("derived_by_task.json", dict[str, schema.Derived])
        return {task: self._arch(arch) for task, arch in found.items()}

    def _arch(self, told: schema.Derived) -> Arch:
        return self.net.space.from_json({"space": told.space, "decisions": told.decisions})

    @property
    def facts(self) -> schema.Data:
        """What a reader of the run has to know about its data."""
        data = self.data
        test = 0 if data.held_out is None else len(data.held_out)
        return schema.Data(
            data.name,
            shape_to_json(data.shape),
            data.num_classes,
            schema.Images(len(data.train), len(data.validation), test),
            task=type(data.task).__name__,
            scores=data.task.scores,
        )

    def holding(self, net: Supernet) -> Self:
        """The same run with this network; whatever has been built stays."""
        return self._with({"net": net})

    def asking(self, **sections: Any) -> Self:
        """The same run with other settings of what comes after the training, such as `search=Searching(budget=60)`."""
        return self._with({}, config=replace(self.config, **sections))

    def with_final(self, *, space: Named | None = None, method: Named | None = None) -> Self:
        """The same run with its network built, or its method made, in another way, for a final training.

        Args:
            space: What builds the network; its architectures must be those of the run. None: as it is.
            method: The method. None: as it is.

        Raises:
            UsageError: the network has other choices; names them.
        """
        config = replace(self.config, space=space or self.config.space, method=method or self.config.method)
        changed = replace(self, config=config)
        vars(changed)["data"] = self.data
        if space is None:
            return changed
        ours, theirs = self.net.space, changed.fresh.space
        if ours.fingerprint != theirs.fingerprint:
            named = config.space.name + (f" with {config.space.options}" if config.space.options else "")
            raise UsageError(
                f"{named} has other choices than the run, and so other architectures: {_difference(ours, theirs)}. "
                "Change only settings that leave the choices as they are, such as widths and numbers of cells."
            )
        return changed

    def into(self, results: Path | str) -> Self:
        """The same run with a directory of its own for its next search and what follows it."""
        return self._with({}, results=RunDirectory(results))

    def _with(self, parts: dict[str, Any], **changes: Any) -> Self:
        other = replace(self, **changes)
        built = {name: vars(self)[name] for name in ("data", "recipe", "fresh", "net") if name in vars(self)}
        vars(other).update(built | parts)
        return other

    @property
    def batch(self) -> tuple[int, int | None]:
        """Examples per training step over all processes, and how many of them go through the network at a time.

        No more than there are; None: all of them at once.
        """
        settings = self.config.train
        whole = settings.batch_size * settings.devices
        if (self.directory / "training.json").is_file():
            whole = self.directory.read("training.json", schema.Training).batch_size
        whole = min(whole, len(self.data.train))
        piece = settings.micro_batch or settings.batch_size
        return whole, None if piece >= whole else piece

    def load(self) -> Mapping[str, nn.Module]:
        """Load the weights that the training has left, on the accelerator that it used, if there is one.

        Returns:
            The modules that the method has beside the supernet, by name.

        Raises:
            UsageError: there is no checkpoint.
            RunError: it is damaged.
        """
        load_weights(self.net, self.directory.path)
        parts = load_parts(self.net, self.recipe.on(self.net.space), self.directory.path, task=self.data.task)
        cuda = self.config.train.accelerator in ("auto", "cuda") and torch.cuda.is_available()
        self.net.to("cuda" if cuda else "cpu")
        self.net.to(memory_format=torch.contiguous_format)
        return parts

    def load_searched(self) -> Mapping[str, nn.Module]:
        """Load the weights that the search ended with: those of the training, unless it has shifted them."""
        parts = self.load()
        if self.config.search.shifting is not None and (self.place / "shifted").is_dir():
            search.load_shifted(self.net, self.place.path)
        return parts

    def say_if_unfinished(self) -> None:
        """Say so if the training was stopped early."""
        newest = checkpoint.latest(self.directory.checkpoints)
        if newest is None or not (self.directory / "training.json").is_file():
            return
        wanted, done = self.directory.read("training.json", schema.Training).steps, int(newest.stem.split("-")[1])
        if done < wanted and not (self.directory / "counts.json").is_file():
            self.say(
                f"warning: the training was stopped after {done} of {wanted} steps, and these are its weights; "
                f"supernet train --out {self.directory.path} --resume goes on with it"
            )


def kept_search(directory: RunDirectory) -> schema.Search | None:
    """The settings of the search in a directory; None where there is none, or one of before these were kept."""
    return directory.read("searching.json", schema.Search) if (directory / "searching.json").is_file() else None


def _difference(ours: Space, theirs: Space) -> str:
    """The first choice in which two spaces differ, in words."""
    for name in dict.fromkeys([*ours.names, *theirs.names]):
        before, now = (
            repr(space.choices[space.column(name)]) if name in space.names else "none" for space in (ours, theirs)
        )
        if before != now:
            return f"{name} was {before}, and is {now}"
    return f"their order was {', '.join(ours.names)}, and is {', '.join(theirs.names)}"


def trained_in(results: RunDirectory) -> RunDirectory:
    """The directory of the training that a directory belongs to: itself, or the one that its search is of."""
    kept = kept_search(results)
    return results if kept is None or kept.run is None else RunDirectory(os.path.normpath(results / kept.run))


def made_in_python(directory: RunDirectory) -> bool:
    """Whether a training was made in Python, so that its directory does not say how its network is built."""
    return not (directory / "config.json").is_file() and (directory / "training.json").is_file()


def _config(directory: RunDirectory) -> Config:
    value = directory.read("config.json", object)
    try:
        return Config.from_json(value)
    except UsageError as error:
        made = (
            directory.read(MARKER, dict[str, Any]).get("supernet", "?")
            if (directory / MARKER).is_file()
            else "an early version"
        )
        raise UsageError(
            f"{directory / 'config.json'}, made by supernet {made}, cannot be read by this version: {error}"
        ) from error


def _adopted(directory: RunDirectory, space: Named | None, method: Named | None, data: Named | None) -> Config:
    """The configuration of a run that was made in Python, kept once its network is found to be that of the training."""
    if space is None:
        raise UsageError(
            f"{directory.path} was made in Python and does not say how its network and data are built. "
            "`supernet report` works as it is; for search, judge, export and retrain give --space module:function, "
            "with --data and --method where they are not the defaults."
        )
    told = directory.read("training.json", schema.Training)
    config = Config(
        space=space,
        method=method or Named(str(told.recipe.get("name", "?"))),
        data=data or Config().data,
        train=Training(
            steps=told.steps,
            batch_size=told.batch_size,
            precision=told.precision,  # type: ignore[arg-type]
            average=told.average,
        ),
        seed=told.seed,
    )
    run = Run(config, directory)
    if run.fresh.space.fingerprint != told.space:
        raise UsageError(
            f"{space.name} builds a network over the space {run.fresh.space.fingerprint}, but {directory.path} was "
            f"trained over {told.space}. Give the function, and its options, that the network was built with."
        )
    if run.data.fingerprint() != told.data:
        raise UsageError(
            f"{run.data.name} is not the data that {directory.path} was trained on. Give them with --data, with the "
            "options that they were loaded with."
        )
    load_weights(run.net, directory.path)
    if run.recipe.on(run.net.space).describe() != told.recipe:
        raise UsageError(
            f"{config.method.name} with these options is not the method that {directory.path} was trained by. Give it "
            "with --method and its options, or as module:function."
        )
    directory.write("config.json", config.to_json())
    if not (directory / "data.json").is_file():
        directory.write("data.json", run.facts)
    return config
