"""A recipe: a published method as a value."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import PurePath
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from supernet.data import Data
from supernet.errors import UsageError
from supernet.measure.scores.score import Score
from supernet.nn import Supernet
from supernet.space import Arch, Space
from supernet.train.alone import NeedsParts, alone
from supernet.train.context import Edit
from supernet.train.derivations._protocol import Derivation
from supernet.train.move import Objective
from supernet.train.part import WEIGHTS, Part, Slice
from supernet.train.phases import Phase, PhasesBySpace
from supernet.train.programs._protocol import Program, TrainsOne, WeighsOptions
from supernet.train.programs.train_paths import TrainPaths
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.draws import Draws, drawn_by
from supernet.train.samplers.fixed import Fixed
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number

__all__ = ["Recipe"]


@runtime_checkable
class HasObjective(Protocol):
    """A program that trains under one objective."""

    objective: Objective


@runtime_checkable
class OfPaths(Protocol):
    """A program that trains the paths of one sampler, and makes nothing else of them than their order."""

    sampler: Sampler
    objective: Objective


@runtime_checkable
class Repeats(Protocol):
    """Phases that all train by one program, each on a part of the space."""

    program: Program


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything the training loop needs to know about a method.

    Recipes are made by the functions of `supernet.methods` or written out by hand; `dataclasses.replace`
    changes a piece.

    Attributes:
        name: What logs and reports call it.
        program: The moves of a step; or several phases, each with moves of its own; or what lists the phases once the
            space is known.
        weights: How the supernet's weights are stepped.
        parts: What the method has beside the weights, by name: modules (`Part`), such as architecture parameters, a
            controller or a teacher, and parameters of the supernet that are stepped in a way of their own (`Slice`).
        edits: Changes after the moves of a step that no gradient makes, such as an average of the weights.
        derive: How the method's own architecture is found after the training.
        adapt: What the method makes of the user's supernet before it trains it, such as several copies of its
            weights; it keeps the space. None: the supernet as it is.
        data: What the method makes of the user's data, such as random labels; None: nothing.
        settings: Scalars that layers read in every pass of the training, such as the rate of a drop-path, each a number
            or a value over time such as `Ramp(0, 0.2)`.
        ranks_by: What searches and judgements rank the subnets of this method by; None: accuracy. A supernet that is
            ranked by something else need not know its labels, and is not called collapsed where it does not.

    Raises:
        UsageError: the pieces do not fit together.
    """

    name: str
    program: Program | tuple[Phase, ...] | PhasesBySpace
    weights: Updates
    parts: Mapping[str, Part | Slice] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    derive: Derivation | None = None
    adapt: Callable[[Supernet], Supernet] | None = None
    data: Callable[[Data], Data] | None = None
    settings: Mapping[str, Number] = field(default_factory=dict)
    ranks_by: Score | None = None

    def __post_init__(self) -> None:
        for edit in self.edits:
            if not isinstance(edit, Edit):
                raise UsageError(f"{edit!r} is no edit of the recipe {self.name!r}; give Edit(name=…, apply=…) of it.")
        if WEIGHTS in self.parts:
            raise UsageError(f"A part of the recipe {self.name!r} is called {WEIGHTS!r}, as the supernet's own are.")
        if isinstance(self.program, PhasesBySpace):
            return
        if not self.phases:
            raise UsageError(f"The recipe {self.name!r} has no phases; give at least one, or a program.")
        for phase in self.phases:
            self._check_phase(phase)
        for before, after in itertools.pairwise(self.phases):
            self._check_transition(before, after)
        part = getattr(self.derive, "part", None)
        if part is not None and part not in self.parts:
            raise UsageError(
                f"The recipe {self.name!r} derives an architecture from a part {part!r}, but it has none of this name; "
                "leave `derive` out and search instead."
            )
        moved = {family for phase in self.phases for family in phase.program.parts}
        for name, given in self.parts.items():
            if given.updates is not None and name not in moved:
                raise UsageError(
                    f"The recipe {self.name!r} has updates for the part {name!r}, but its program never moves it; "
                    "leave the part out, or its updates."
                )

    def _check_phase(self, phase: Phase) -> None:
        names = ((type(phase.program).__name__, phase.program.parts), (f"phase {phase.name!r}", phase.updates))
        for who, families in names:
            for family in families:
                part = self.parts.get(family)
                if family != WEIGHTS and (part is None or part.updates is None):
                    raise UsageError(
                        f"The recipe {self.name!r} needs a part {family!r} with updates: its {who} steps it. Give "
                        f"parts={{{family!r}: Part(build=…, updates=…)}}."
                    )
        if isinstance(phase.program, WeighsOptions) and self.derive is None:
            raise UsageError(
                f"The recipe {self.name!r} learns how much options count, so it needs `derive=…` to read an "
                "architecture off that."
            )

    def _check_transition(self, before: Phase, phase: Phase) -> None:
        for family in () if phase.restart else {WEIGHTS, *before.updates, *phase.updates}:
            kinds = [_kind(self._updates_of(family, given).optimiser) for given in (before, phase)]
            if kinds[0] != kinds[1]:
                raise UsageError(
                    f"The phase {phase.name!r} of the recipe {self.name!r} keeps what optimisers remember, but "
                    f"steps {family!r} by another optimiser than the phase before it. Give it restart=True."
                )

    def _updates_of(self, family: str, phase: Phase) -> Updates:
        found = phase.updates.get(family) or (self.weights if family == WEIGHTS else self.parts[family].updates)
        assert found is not None
        return found

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases; a plain program is a single one.

        Raises:
            UsageError: they depend on the space, see `on`.
        """
        if isinstance(self.program, PhasesBySpace):
            raise UsageError(
                f"The phases of the recipe {self.name!r} depend on the space; take recipe.on(net.space).phases."
            )
        if isinstance(self.program, tuple):
            return self.program
        return (Phase(name=self.name, share=1.0, program=self.program),)

    def on(self, space: Space) -> Recipe:
        """The recipe with the phases it has on this space.

        Raises:
            UsageError: the space does not suit it, or the pieces do not fit together.
        """
        return replace(self, program=self.program.phases(space)) if isinstance(self.program, PhasesBySpace) else self

    def adapted(self, net: Supernet) -> Supernet:
        """The supernet that this method trains, see `adapt`.

        Raises:
            UsageError: adapting has changed the space.
        """
        if self.adapt is None:
            return net
        adapted = self.adapt(net)
        if adapted.space.fingerprint != net.space.fingerprint:
            raise UsageError(
                f"The recipe {self.name!r} turned a supernet over {net.space.fingerprint} into one over "
                f"{adapted.space.fingerprint}. `adapt` must keep the space."
            )
        return adapted

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs of all phases, in order; one that is repeated on every part of the space counts once.

        Raises:
            UsageError: the phases depend on the space and repeat no one program.
        """
        if not isinstance(self.program, PhasesBySpace):
            return tuple(phase.program for phase in self.phases)
        if not isinstance(self.program, Repeats):
            raise UsageError(
                f"The phases of the recipe {self.name!r} depend on the space, and {type(self.program).__name__} does "
                "not say which program they repeat. Give it a field `program`."
            )
        return (self.program.program,)

    def with_programs(self, change: Callable[[Program], Program]) -> Recipe:
        """The recipe with every program exchanged for what `change` makes of it.

        Raises:
            UsageError: as in `programs`.
        """
        program: Any = self.program
        if isinstance(program, tuple):
            return replace(self, program=tuple(replace(phase, program=change(phase.program)) for phase in program))
        (only,) = self.programs
        if isinstance(program, PhasesBySpace):
            return replace(self, program=replace(cast(Any, program), program=change(only)))
        return replace(self, program=change(only))

    @property
    def samplers(self) -> tuple[Sampler, ...]:
        """The samplers of all programs.

        Raises:
            UsageError: a program does not train the paths of a sampler, or as in `programs`.
        """
        return tuple(self._of_paths(program).sampler for program in self.programs)

    def with_sampler(self, wrap: Callable[[Sampler], Sampler]) -> Recipe:
        """The recipe with the sampler of every program exchanged for what `wrap` makes of it.

        Raises:
            UsageError: as in `samplers`.
        """
        return self.with_programs(lambda p: replace(cast(Any, p), sampler=wrap(self._of_paths(p).sampler)))

    def with_objective(self, wrap: Callable[[Objective], Objective]) -> Recipe:
        """The recipe with the objective of every program exchanged for what `wrap` makes of it.

        Raises:
            UsageError: a program has no objective, or as in `programs`.
        """

        def change(program: Program) -> Program:
            own = {field.name for field in fields(cast(Any, program))} if is_dataclass(program) else {"objective"}
            if not isinstance(program, HasObjective) or "objective" not in own:
                raise UsageError(
                    f"The program {type(program).__name__} of the recipe {self.name!r} has no objective that could be "
                    "changed. Give it a field `objective`."
                )
            return cast(Program, replace(cast(Any, program), objective=wrap(program.objective)))

        return self.with_programs(change)

    def with_weights(self, **settings: Any) -> Recipe:
        """The recipe with some settings of `weights`, or of their optimiser, exchanged.

        They are exchanged too in phases that step the weights in a way of their own (`Phase.updates`), which keep what
        is not named here, such as their schedule.

        Raises:
            UsageError: there is no such setting, or a value is outside its range.

        >>> from supernet.methods import spos
        >>> spos().with_weights(lr=0.1, per=None).weights.optimiser
        SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=4e-05, per=None, whole=False)
        """
        program = self.program
        if isinstance(program, tuple):
            program = tuple(
                replace(
                    phase,
                    updates={
                        family: updates.with_settings(**settings) if family == WEIGHTS else updates
                        for family, updates in phase.updates.items()
                    },
                )
                for phase in program
            )
        return replace(self, program=program, weights=self.weights.with_settings(**settings))

    @property
    def draws(self) -> frozenset[Draws]:
        """What the moves of all programs train: one architecture, several, or mixtures.

        Raises:
            UsageError: as in `samplers`, or a sampler does not say what it draws.
        """
        drawn = [(drawn_by(sampler), program) for sampler, program in zip(self.samplers, self.programs, strict=True)]
        return frozenset(
            "one" if found != "mixtures" and getattr(program, "one_by_one", False) else found
            for found, program in drawn
        )

    def _of_paths(self, program: Program) -> OfPaths:
        if not isinstance(program, OfPaths):
            raise UsageError(
                f"The program {type(program).__name__} of the recipe {self.name!r} does not train the paths of a "
                "sampler, so no method can go around it. Take a recipe that samples architectures, such as spos()."
            )
        return program

    def alone(self, arch: Arch) -> Recipe:
        """This recipe for one architecture trained alone: one path, and nothing that treats subnets differently.

        Objective, schedule and data are what they say themselves, momentum is one, and weights are those of the
        supernet as it is given, once. Settings that layers read, such as the rate of a drop-path, and what is made of
        the data belong to the training of an architecture, so they stay; those of a method that weighs options belong
        to its search, and are left out. Parts stay where the objective needs them for one architecture too. What judges
        a supernet by trainings of its subnets and what trains one for use both do this.

        Args:
            arch: The architecture to train.

        Raises:
            UsageError: the last program has no objective, or as in `programs`.
        """
        program = self.programs[-1]
        if not isinstance(program, HasObjective):
            raise UsageError(
                f"The program {type(program).__name__} of the recipe {self.name!r} does not say under which loss one "
                "architecture trains alone. Give it a field `objective`."
            )
        if isinstance(program, TrainsOne):
            return self._several_moves(program.for_one(arch))
        search = isinstance(program, WeighsOptions)
        objective = alone(program.objective)
        return Recipe(
            name=f"{self.name}, alone",
            program=TrainPaths(sampler=Fixed(arch), objective=objective, gradient=getattr(program, "gradient", None)),
            weights=self.weights.alone(),
            parts={name: self.parts[name] for name in _needed_by(objective)},
            data=None if search else alone(self.data),
            settings={} if search else self._last_settings,
        )

    def _several_moves(self, program: Program) -> Recipe:
        """This recipe for one architecture by a program of its own, see `alone`."""
        needed = _needed_by(program.objective) if isinstance(program, HasObjective) else ()
        kept = {name: self.parts[name] for name in (*program.parts, *needed)}
        return Recipe(
            name=f"{self.name}, alone",
            program=program,
            weights=self.weights.alone(),
            parts={
                name: part if part.updates is None else replace(part, updates=part.updates.alone())
                for name, part in kept.items()
            },
            data=alone(self.data),
            settings=self._last_settings,
        )

    @property
    def _last_settings(self) -> dict[str, Number]:
        """What layers read in the last phase; where phases depend on the space, what they read in all."""
        return {**self.settings, **({} if isinstance(self.program, PhasesBySpace) else self.phases[-1].settings)}

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON: every piece by name, with all its settings.

        Raises:
            UsageError: a piece cannot be told from another, see `describe`.
        """
        described = describe(self)
        assert isinstance(described, dict)
        return described


def describe(value: Any) -> Any:
    """A JSON-able description of pieces: dataclasses by name and fields, functions by name, partial calls by both.

    Names are `module:name`, in this package without the leading `supernet.`.

    Raises:
        UsageError: a piece that another could pass for, so that a training would go on with the wrong one: a lambda,
            a function inside a function, or an object that has no fields.

    >>> from supernet.train import SGD, Uniform
    >>> describe(Uniform(2))
    {'piece': 'train.samplers.uniform:Uniform', 'count': 2}
    >>> describe(functools.partial(pow, 2))
    {'call': 'builtins:pow', 'arguments': [2]}
    """
    if isinstance(value, Mapping):  # an architecture too
        return {str(name): describe(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"piece": _name(type(value))} | {f.name: describe(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, functools.partial):
        given = {"arguments": describe(value.args)} if value.args else {}
        return {"call": describe(value.func)} | given | {name: describe(v) for name, v in value.keywords.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if inspect.isroutine(value) or isinstance(value, type):
        return _name(_told_apart(value))
    raise UsageError(
        f"An object of {_name(type(value))} has no fields by which it could be told from another, so a training could "
        "not be resumed with it. Make it a frozen dataclass, or a function at the top of a module."
    )


def _needed_by(objective: Objective) -> tuple[str, ...]:
    """The parts that an objective needs for one architecture alone too."""
    return objective.parts_alone if isinstance(objective, NeedsParts) else ()


def _kind(optimiser: Any) -> Any:
    """What two optimisers share whose states have the same form."""
    return optimiser.func if isinstance(optimiser, functools.partial) else type(optimiser)


def _told_apart(function: Any) -> Any:
    bound = not isinstance(function, type) and getattr(function, "__self__", None) is not None
    if bound and not inspect.isbuiltin(function):
        what = f"The method {function.__qualname__} of an object"
    elif "<" in function.__qualname__:
        what = f"{function.__qualname__} is a lambda or stands inside a function: it"
    else:
        return function
    raise UsageError(
        f"{what} has no name by which it could be told from another, so a training could not be resumed with it. Make "
        "it a function at the top of a module, or a frozen dataclass with `__call__`."
    )


def _name(thing: Any) -> str:
    module = getattr(thing, "__module__", None) or "builtins"
    return f"{module.removeprefix('supernet.')}:{thing.__qualname__}"
