"""What the paths of each stage were rated, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.part import Part, Setting


class StageRatings(nn.Module):
    """A table for each stage that was rated so far: its paths and a number for each, less being better.

    It is a part without updates; checkpoints hold it.

    Attributes:
        paths: What each path is to its stage, by stage (N, C), see `StagePaths.key`.
        values: The numbers, by stage (N,).
        best: The code (D,) of the best way through each stage and those before it.
    """

    _NAMES = ("paths", "values", "best")

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[Tensor] = []
        self.values: list[Tensor] = []
        self.best: list[Tensor] = []
        self._found: list[dict[tuple[int, ...], float]] = []

    def add(self, paths: Sequence[tuple[int, ...]], values: Sequence[float], best: Sequence[int]) -> None:
        """Take in the next stage."""
        self.paths.append(torch.tensor(paths, dtype=torch.int64).reshape(len(paths), -1))
        self.values.append(torch.tensor(values, dtype=torch.float64))
        self.best.append(torch.tensor(best, dtype=torch.int64))

    def of(self, stage: int, path: tuple[int, ...]) -> float | None:
        """The number of a path; None: it was not rated.

        Raises:
            UsageError: the stage was not rated.
        """
        if stage >= len(self.paths):
            raise UsageError(
                f"Stage {stage} has no ratings: the training ended after {len(self.paths)} rated stages. Train to the "
                "end first; the last step of a stage's phase rates its paths."
            )
        for number in range(len(self._found), len(self.paths)):
            keys = (tuple(row) for row in self.paths[number].tolist())
            self._found.append(dict(zip(keys, self.values[number].tolist(), strict=True)))
        return self._found[stage].get(path)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name in self._NAMES:
            for number, value in enumerate(getattr(self, name)):
                destination[f"{prefix}{name}/{number}"] = value

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
        self._found = []
        for name in self._NAMES:
            held = {int(k.rsplit("/", 1)[1]): v for k, v in state_dict.items() if k.startswith(f"{prefix}{name}/")}
            setattr(self, name, [held[number].clone().cpu() for number in sorted(held)])


def stage_ratings() -> Part:
    """The part of a recipe that holds ratings; it begins with none."""
    return Part(build=_empty)


def _empty(_: Setting) -> StageRatings:
    return StageRatings()
