"""A tree of classifiers that halves what is known, and draws from the best leaf (Peng et al., ICCV 2021; LaNAS)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError, require
from supernet.io.section import NotNegative, Positive, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, countable, distinct, population, sampler_of
from supernet.space import Arch, Codes

PAPER = Paper(
    name="Π-NAS",
    title="Pi-NAS: Improving Neural Architecture Search by Reducing Supernet Training Consistency Shift",
    authors=("Peng", "Zhang", "Li", "Wang", "Liang", "Lin"),
    venue="ICCV",
    year=2021,
    arxiv="2108.09671",
    provenance="reconstruction",
)

_CHUNK = 1024
_LISTED = 2**16


@dataclass(frozen=True, kw_only=True)
class UCBTree(Section, place="ucb_tree."):
    """Classifiers split what is known into better and worse halves, again and again; new ones come from a good leaf.

    Π-NAS's search ([arXiv 2108.09671](https://arxiv.org/abs/2108.09671), released code), after LaNAS
    ([arXiv 1906.06832](https://arxiv.org/abs/1906.06832)). The first `first` architectures are random. Then, again and
    again, a tree is fitted: at each node a classifier learns which architectures are at or above the node's median, and
    the two halves are nodes below it. `selects` architectures are drawn, each by a walk from the root to the child
    with the larger m + explore · √(2 ln N / n), where m is the median of its values, n the number of its architectures
    with those asked for since, N that of the node. A random architecture that all classifiers of the walk put on its
    side is asked for. The released code does not explore, so it always takes the best leaf. One objective.

    The released code tunes LightGBM for each node; here the classifiers are the histogram-based gradient boosting of
    scikit-learn with its own settings, on the options as numbers.

    Args:
        first: Number of random architectures before the first tree.
        selects: Number of architectures that are asked for by one tree.
        heights: Numbers of known architectures beyond each of which the tree gets a level more; up to the first it has
            one.
        explore: The factor on what little known leaves are worth more, in units of the objective.
        attempts: Number of random architectures per draw until one is in the leaf; then any new one is taken.

    Raises:
        UsageError: a number outside its range, or heights that do not rise.
    """

    name: ClassVar[str] = "ucb_tree"
    most_objectives: ClassVar[int] = 1

    first: Positive = 80
    selects: Positive = 8
    heights: tuple[int, ...] = (400, 800, 1600, 3200)
    explore: NotNegative = 0.0
    attempts: Positive = 200_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if list(self.heights) != sorted(set(self.heights)) or min(self.heights, default=1) < 1:
            raise UsageError(
                f"ucb_tree.heights is {self.heights}; the tree grows with the number of known architectures, so give "
                "rising numbers of 1 or more."
            )

    def height(self, known: int) -> int:
        """The height of the tree for so many known architectures."""
        return int(np.searchsorted(self.heights, known)) + 1

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            RunError: scikit-learn is not installed (extra "search").
            UsageError: several objectives.
        """
        problem.require_one_objective("A tree of classifiers")
        require("sklearn", "search", "A tree of classifiers")
        growing = _Growing(self, problem)
        return Rounds(growing.round, growing.learn)


@dataclass(eq=False)
class Node:
    """A node over some of the known architectures.

    Attributes:
        value: The median of their values; larger is better.
        n: How many they are, with those that were asked for since.
        model: Tells whether an architecture belongs to the better half; None: the node is a leaf.
        better: The node over the better half.
        worse: The node over the other one.
    """

    value: float
    n: int
    model: Any = None
    better: Node | None = None
    worse: Node | None = None


def grown(x: NDArray[np.float32], values: NDArray[np.float64], height: int, *, seed: int) -> Node:
    """The tree over architectures with features (N, F) and values (N,), at most so high."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    node = Node(float(np.median(values)), len(values))
    better = values >= node.value
    if height < 1 or min(better.sum(), (~better).sum()) < 2:
        return node
    leaf = max(1, min(20, len(values) // 8))
    node.model = HistGradientBoostingClassifier(min_samples_leaf=leaf, early_stopping=False, random_state=seed)
    node.model.fit(x, better)
    node.better = grown(x[better], values[better], height - 1, seed=seed)
    node.worse = grown(x[~better], values[~better], height - 1, seed=seed)
    return node


def walk(root: Node, explore: float) -> list[tuple[Node, bool]]:
    """From the root to a leaf: each inner node with whether its better half is taken. Those on the way count it."""
    way: list[tuple[Node, bool]] = []
    node = root
    while node.better is not None and node.worse is not None:
        worth = [child.value + explore * np.sqrt(2 * np.log(node.n) / child.n) for child in (node.better, node.worse)]
        way.append((node, bool(worth[0] >= worth[1])))
        node.n += 1
        node = node.better if way[-1][1] else node.worse
    node.n += 1
    return way


class _Growing:
    def __init__(self, settings: UCBTree, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self._visited: set[Code] = set()
        self._known: dict[Arch, float] = {}

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        for arch, told in zip(archs, values, strict=True):
            violation, loss = self.problem.rank(told)
            self._known[arch] = -loss - 1000 * violation

    def round(self) -> list[Arch]:
        """Random ones first, then those that a new tree selects."""
        space = self.problem.space
        if self.problem.keep is not None:
            self._visited.clear()
        missing = self.settings.first - len(self._known)
        found = distinct(self._sampler.draw(missing, self._visited)) if missing > 0 else self._selected()
        self._visited.update(found)
        return space.wrap(population(space, found))

    def _selected(self) -> list[Code]:
        space = self.problem.space
        x = space.encode(space.codes(list(self._known)), "ordinal")
        values = np.array(list(self._known.values()))
        seed = int(self._rng.integers(2**31))
        root = grown(x, values, self.settings.height(len(values)), seed=seed)
        found: list[Code] = []
        for _ in range(self.settings.selects):
            way = walk(root, self.settings.explore)
            known = {*self._visited, *found}
            inside = self._inside(way, known)
            found += distinct(self._sampler.draw(1, known)) if inside is None else [inside]
        return found

    def _inside(self, way: Sequence[tuple[Node, bool]], known: set[Code]) -> Code | None:
        """A new feasible architecture that all classifiers put on the side of the walk; None: none was drawn."""
        for codes in self._drawn():
            inside = codes[self.problem.feasible(codes)]
            for node, better in way:
                if len(inside):
                    inside = inside[node.model.predict(self.problem.space.encode(inside, "ordinal")) == better]
            if new := distinct(inside, known):
                return new[0]
        return None

    def _drawn(self) -> Iterator[Codes]:
        """Random architectures, in pieces; a small space once as a whole."""
        space = self.problem.space
        if countable(space) <= _LISTED:
            yield self._rng.permutation(space.unindex(range(space.size)))
            return
        for done in range(0, self.settings.attempts, _CHUNK):
            yield space.population(self._rng, min(_CHUNK, self.settings.attempts - done))
