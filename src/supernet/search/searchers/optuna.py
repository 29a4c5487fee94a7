"""Samplers of Optuna: Parzen estimators and Gaussian processes (Akiba et al., KDD 2019)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from supernet.errors import require
from supernet.io.section import Positive, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.searchers.outside import Asking
from supernet.space import Choice, Space

Sampler: TypeAlias = Literal["tpe", "gp"]

PAPER = Paper(
    name="Optuna",
    title="Optuna: A Next-generation Hyperparameter Optimization Framework",
    authors=("Akiba", "Sano", "Yanase", "Ohta", "Koyama"),
    venue="KDD",
    year=2019,
    arxiv="1907.10902",
    provenance="official code",
)


@dataclass(frozen=True, kw_only=True)
class Optuna(Section, place="optuna."):
    """A sampler of Optuna, asked and told one architecture at a time. Any number of objectives.

    Akiba et al., [arXiv 1907.10902](https://arxiv.org/abs/1907.10902); the package is the extra `optuna`. A choice of
    numbers is an integer parameter, its place in the order; others are categorical. Choices that do not
    matter are not suggested. What violates cheap constraints is told as failed, see `Outside`.

    Args:
        sampler: `"tpe"`: tree-structured Parzen estimators, multivariate and by groups of choices that occur together.
            `"gp"`: a Gaussian process.
        startup: Number of architectures at random before the sampler begins.
        batch: Number of architectures that are asked for before any is told.
        attempts: Number of questions in a row that lead to nothing new and feasible; then one is drawn at random.

    Raises:
        UsageError: a number outside its range, or another sampler.
    """

    name: ClassVar[str] = "optuna"

    sampler: Sampler = "tpe"
    startup: Positive = 10
    batch: Positive = 1
    attempts: Positive = 100

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            RunError: Optuna is not installed (extra "optuna").
        """
        require("optuna", "optuna", "A sampler of Optuna")
        asking = Asking(problem, _Study(self, problem), batch=self.batch, attempts=self.attempts)
        return Rounds(asking.round, asking.learn)


class _Study:
    """An `Optimiser`: a study of Optuna in memory."""

    def __init__(self, settings: Optuna, problem: Problem) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = problem.space
        self._failed = optuna.trial.TrialState.FAIL
        self._study = optuna.create_study(
            directions=["minimize"] * len(problem.objectives), sampler=_sampler(settings, problem.seed % 2**32)
        )

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """A trial, and what it suggests for the choices that matter."""
        trial = self._study.ask()
        code = [0] * len(self.space)
        for column, choice in enumerate(self.space.choices):
            if self.space.active(code)[column]:
                code[column] = _suggested(trial, self.space, column, choice)
        active = self.space.active(code)
        names = zip(self.space.choices, code, active, strict=True)
        return trial, {choice.name: choice.options[place] for choice, place, on in names if on}

    def tell(self, handle: Any, losses: Sequence[float] | None) -> None:
        """Tell a trial; one that is not allowed has failed."""
        if losses is None:
            self._study.tell(handle, state=self._failed)
        else:
            self._study.tell(handle, list(losses))


def _sampler(settings: Optuna, seed: int) -> Any:
    import optuna

    match settings.sampler:
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=settings.startup)
        case "tpe":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # that of `group`
                return optuna.samplers.TPESampler(
                    seed=seed, n_startup_trials=settings.startup, multivariate=True, group=True
                )


def _suggested(trial: Any, space: Space, column: int, choice: Choice) -> int:
    """The code that a trial suggests for one choice."""
    allowed = set(space.allowed_codes[column].tolist())
    codes = [choice.position(option) for option in choice.order if choice.position(option) in allowed]
    if all(isinstance(option, int | float) for option in choice.options):
        return codes[int(trial.suggest_int(choice.name, 0, len(codes) - 1))]
    return codes[int(trial.suggest_categorical(choice.name, list(range(len(codes)))))]
