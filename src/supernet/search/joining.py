"""Objectives that several parts make together, such as `accuracy+az_nas`, and scores without training as objectives.

A searcher remembers values, so those of an architecture must not change as others are found. The parts are therefore
not ranked among the architectures of the search but within a *reference*: M architectures that are drawn uniformly from
the space, constraints or not, before the first evaluation. The objective is

    Σ log(r / M) over the parts, r the rank of the architecture's value within the reference,

the sum of the logarithms of ranks of AZ-NAS ([arXiv 2403.19232](https://arxiv.org/abs/2403.19232), eq. 11), between two
values of the reference interpolated. Below the worst r is 1/2. Beyond the best it goes on, M + M x / (M + x) with x the
distance to the best in mean gaps of the upper half: a search ends where random architectures do not reach. So it is a
function of the architecture alone, it rises with every part, and searches of the same weights, seed and M may be
compared.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from supernet import catalog
from supernet.errors import UsageError
from supernet.io.lines import LinesFile, read_lines
from supernet.measure import NetEvaluator
from supernet.measure.proxies import Joined, proxy_of, proxy_scores
from supernet.quantity import SCORE, Quantity
from supernet.rank import kendall_tau
from supernet.search.evaluation import Evaluation, Evaluator, LooksAhead
from supernet.space import Arch, Codes, Space
from supernet.train.checkpoint import digest

__all__ = ["Joining"]

JOIN = "+"
FILE_NAME = "reference.jsonl"
FLOOR = -float(np.finfo(np.float32).max)
"""What stands for a score without training that is not finite: it ranks last."""


class Joining:
    """An evaluator that also tells scores without training, and joined objectives.

    Args:
        inner: What tells the rest; scores without training need a `NetEvaluator`.
        names: The names that are asked for, of which those are looked up that `inner` does not know.
        reference: Number M of architectures that parts are ranked within.
        seed: The seed of the reference, of fresh weights and of noise.

    Attributes:
        parts: The parts of each joined objective, by its name.
        quantities: Everything that can be told, by name.

    Raises:
        UsageError: an unknown part, a part that is given twice, fewer than two architectures to rank within, or a score
            without training of what is no supernet.
    """

    def __init__(self, inner: Evaluator, names: Iterable[str], *, reference: int = 100, seed: int = 0) -> None:
        self.inner, self.seed = inner, seed
        self.parts: dict[str, tuple[str, ...]] = {}
        self._proxies: dict[str, Any] = {}
        asked = [name for name in names if name not in inner.quantities]
        for name in asked:
            parts = tuple(name.split(JOIN))
            for part in parts:
                if part not in inner.quantities:
                    self._proxies[part] = self._found(part, name)
            if len(parts) > 1:
                if len(set(parts)) < len(parts):
                    raise UsageError(f"The objective {name!r} has a part twice; name each once.")
                self.parts[name] = parts
        told = {name: Quantity(name, goal="max") for name in (*self._proxies, *self.parts)}
        self.quantities: Mapping[str, Quantity] = {**inner.quantities, **told}
        if reference < 2:
            raise UsageError(f"Parts are ranked within {reference} architectures; give two or more.")
        self.size = min(reference, inner.space.size)
        self._known: dict[tuple[str, str], Mapping[str, float]] = {}
        self._within: list[tuple[Arch, dict[str, float]]] = []
        self._path: Path | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def space(self) -> Space:
        """The space that is searched."""
        return self.inner.space

    @property
    def cheap(self) -> frozenset[str]:
        """Names that `costs` tells for whole populations."""
        return self.inner.cheap

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        """One cheap quantity (N,) for a population (N, D)."""
        return self.inner.costs(codes, name)

    def settings(self) -> dict[str, Any]:
        """How values are measured, and the size of the reference."""
        measured = getattr(self.inner, "settings", None)
        ranked = self.parts or any(isinstance(proxy, Joined) for proxy in self._proxies.values())
        return {**(measured() if callable(measured) else {}), **({"reference": self.size} if ranked else {})}

    def keep_in(self, folder: Path) -> None:
        """Keep the values of the reference in a folder, and take those that are there."""
        self._path = folder / FILE_NAME

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        """The named quantities of one architecture."""
        wanted = dict.fromkeys(part for name in names for part in self.parts.get(name, (name,)))
        told = self._told(arch, tuple(wanted))
        for name, proxy in self._proxies.items():
            if name in wanted and isinstance(proxy, Joined):
                told[name] = self._joined_proxy(name, proxy, arch)
        return {name: self._joint(name, told) if name in self.parts else told[name] for name in names}

    def look_ahead(self, archs: Sequence[Arch], names: Sequence[str]) -> None:
        """Let the evaluator within measure the parts of many architectures together, see `LooksAhead`."""
        if isinstance(self.inner, LooksAhead):
            self.inner.look_ahead(archs, [part for name in names for part in self.parts.get(name, (name,))])

    def findings(self, archive: Sequence[Evaluation]) -> dict[str, Any]:
        """How each part of each joined objective agrees with it on what was evaluated, as JSON.

        `tau` is that of the part with the objective, `without` that of the objective without the part with the
        objective; None where a part is constant, or there are fewer than three architectures.
        """
        values = list({one.arch: one.values for one in archive}.values())
        found = {}
        for name, parts in self.parts.items():
            joint = [one[name] for one in values]
            logs = {part: [self._log(part, one[part]) for one in values] for part in parts}
            rows = {}
            for part in parts:
                rest = [sum(logs[other][place] for other in parts if other != part) for place in range(len(values))]
                rows[part] = {"tau": _tau(logs[part], joint), "without": _tau(rest, joint)}
            found[name] = {"reference": self.size, "evaluations": len(values), "parts": rows}
        return found

    # -- parts -----------------------------------------------------------------------------------------------------

    def _found(self, part: str, name: str) -> Any:
        try:
            if not catalog.is_own(part):
                catalog.find("proxies", part)
        except UsageError as error:
            names = [*self.inner.quantities, *catalog.names("proxies")]
            alike = difflib.get_close_matches(part, names, n=1)
            known = ", ".join(names) + (f". Did you mean {alike[0]}?" if alike else ".")
            within = f", a part of {name!r}," if part != name else ""
            raise UsageError(f"The quantity {part!r}{within} is not known; there are {known}") from error
        if not isinstance(self.inner, NetEvaluator):
            raise UsageError(
                f"{part} rates networks with fresh weights, and {type(self.inner).__name__} has none. Search a "
                "supernet."
            )
        return proxy_of(part)

    def _told(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        """Quantities of the evaluator within, and scores without training of a single number."""
        proxies = [name for name in names if name in self._proxies]
        plain = [name for name in names if name in self.inner.quantities]
        told: dict[str, float] = {}
        codes = self.space.codes([arch])
        for name in plain:
            if name in self.cheap:
                told[name] = float(self.inner.costs(codes, name)[0])
        if dear := [name for name in plain if name not in self.cheap]:
            told |= self.inner.evaluate(arch, dear)
        if proxies:
            rated = self._rated(arch, proxies)
            told |= {name: rated[name][""] for name in proxies if not isinstance(self._proxies[name], Joined)}
        return told

    def _rated(self, arch: Arch, proxies: Sequence[str]) -> dict[str, Mapping[str, float]]:
        """The parts of scores without training."""

        def keep(name: str, text: str, parts: Mapping[str, float]) -> None:
            self._known[name, text] = {part: _finite(value) for part, value in parts.items()}

        inner = cast(NetEvaluator, self.inner)
        proxy_scores(inner.net, [arch], inner.data, proxies, seed=self.seed, known=self._known, done=keep)
        return {name: self._known[name, str(arch)] for name in proxies}

    def _joined_proxy(self, name: str, proxy: Joined, arch: Arch) -> float:
        """A proxy of several parts, joined over the reference and the architecture itself."""
        own = self._rated(arch, [name])[name]
        columns = {part: [values[f"{name}/{part}"] for _, values in self._reference()] for part in own}
        return _finite(proxy.joined({part: np.asarray([*columns[part], own[part]]) for part in own})[-1])

    # -- the reference ---------------------------------------------------------------------------------------------

    def _reference(self) -> list[tuple[Arch, dict[str, float]]]:
        """The architectures that parts are ranked within, with the values of all that is ranked."""
        if self._within:
            return self._within
        ranked = dict.fromkeys([part for parts in self.parts.values() for part in parts] + list(self._proxies))
        codes = self.space.unindex(range(self.size)) if self.space.size == self.size else self._drawn()
        of = f"{self._of()}, seed {self.seed}"
        rows = [] if self._path is None else read_lines(self._path, _Row).rows
        known = {row.arch: row.values for row in rows if row.of == of and row.ranked == list(ranked)}
        within = []
        with LinesFile(self._path) as file:
            for arch in self.space.wrap(codes):
                values = known.get(str(arch))
                if values is None:
                    values = self._told(arch, tuple(ranked))
                    rated = self._rated(arch, list(self._proxies)) if self._proxies else {}
                    for name, parts in rated.items():
                        values |= {f"{name}/{part}": value for part, value in parts.items() if part}
                    file.append(_Row(of, str(arch), list(ranked), values))
                within.append((arch, values))
        self._within = within
        for name, proxy in self._proxies.items():
            if isinstance(proxy, Joined):
                joined = [self._joined_of(name, proxy, values) for _, values in within]
                for (_, values), value in zip(within, joined, strict=True):
                    values[name] = value
        return self._within

    def _joined_of(self, name: str, proxy: Joined, own: Mapping[str, float]) -> float:
        """The same of an architecture of the reference: it and the reference, as for any other."""
        parts = [key for key in own if key.startswith(f"{name}/")]
        columns = {part: [values[part] for _, values in self._within] for part in parts}
        joined = proxy.joined({p.removeprefix(f"{name}/"): np.asarray([*columns[p], own[p]]) for p in parts})
        return _finite(joined[-1])

    def _drawn(self) -> Codes:
        """Different architectures, drawn uniformly."""
        rng = np.random.default_rng([self.seed, 3])
        found: dict[tuple[int, ...], None] = {}
        while len(found) < self.size:
            for row in self.space.population(rng, self.size).tolist():
                found.setdefault(tuple(row))
        return np.asarray(list(found)[: self.size])

    def _of(self) -> str:
        """What the values of the reference depend on."""
        if not isinstance(self.inner, NetEvaluator):
            return self.space.fingerprint
        weights = digest(self.inner.net.state_dict())
        return f"{self.space.fingerprint}, {self.inner.data.fingerprint()}, weights {weights}"

    def _joint(self, name: str, told: Mapping[str, float]) -> float:
        return sum(self._log(part, told[part]) for part in self.parts[name])

    def _log(self, part: str, value: float) -> float:
        sign = self.quantities[part].sign
        within = np.sort([sign * values[part] for _, values in self._reference()])
        return math.log(rank_within(within, sign * value) / len(within))


def rank_within(reference: NDArray[np.float64], value: float) -> float:
    """The rank of a value within sorted ones (M,), 1 … M, interpolated between them and going on beyond the best.

    >>> within = np.array([1.0, 2.0, 2.0, 4.0])
    >>> [rank_within(within, value) for value in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 1e9)]
    [0.5, 1.0, 2.5, 3.25, 4.0, 5.333333333333333, 7.9999999840000005]
    """
    m = len(reference)
    if value < reference[0]:
        return 0.5
    if value > reference[-1]:
        gap = float(reference[-1] - reference[(m - 1) // 2]) / (m / 2)
        beyond = (value - float(reference[-1])) / gap if gap > 0 else float(m)
        return m + m * beyond / (m + beyond) if math.isfinite(beyond) else 2.0 * m
    values, first, counts = np.unique(reference, return_index=True, return_counts=True)
    return float(np.interp(value, values, first + (counts + 1) / 2))


class _Row(msgspec.Struct, frozen=True):
    """An architecture of the reference."""

    of: str
    arch: str
    ranked: list[str]
    values: dict[str, float]


def resolved(name: str, ranking: Quantity) -> str:
    """The name of an objective in which `score` is what subnets are ranked by."""
    return JOIN.join(ranking.name if part == SCORE else part for part in name.split(JOIN))


def told(findings: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What each part brings, for people; `findings` are those of a front, None says nothing."""
    sentences = []
    for name, one in (findings or {}).items():
        parts = []
        for part, found in one["parts"].items():
            if found["tau"] is None:
                parts.append(f"{part} is the same for all, and decides nothing")
            else:
                left = "" if found["without"] is None else f" (without it the order agrees by {found['without']:.2f})"
                parts.append(f"{part} τ {found['tau']:.2f}{left}")
        sentences.append(
            f"{name}, ranked within {one['reference']} random architectures, on {one['evaluations']} evaluated: "
            f"{'; '.join(parts)}"
        )
    return tuple(sentences)


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else FLOOR if value < 0 or math.isnan(value) else -FLOOR


def _tau(values: Sequence[float], joint: Sequence[float]) -> float | None:
    if len(values) < 3 or len(set(values)) < 2 or len(set(joint)) < 2:
        return None
    return kendall_tau(values, joint)
