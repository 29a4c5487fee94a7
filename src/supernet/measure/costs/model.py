"""MACs and parameters of architectures that are never built, for whole populations at once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal, overload
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import nn

from supernet.errors import UsageError
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.costs.macs_terms import macs_terms
from supernet.measure.costs.params_terms import Kind, params_terms
from supernet.measure.costs.tables import Tables, Term
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.space import Arch, Codes, Space

_params: WeakKeyDictionary[Supernet, tuple[int, dict[Kind, Tables]]] = WeakKeyDictionary()
_models: WeakKeyDictionary[Supernet, dict[tuple[int, InputShape], CostModel]] = WeakKeyDictionary()


class CostModel:
    """Tables of the MACs and parameters of every architecture of a supernet.

    Both are sums over modules, and each module depends on few choices: its sizes, and the choice blocks and
    depths that decide whether it runs. Parameters are read off the module tree. MACs are measured: a few
    architectures, which together show every option, run once on zeros. The network is left untouched.

    MACs are multiply-accumulates of one image in convolutions, linear layers and matrix products; biases,
    normalisation, activations and pooling are not counted. Parameters are all of them, those of normalisation
    included unless `norm=False`. A module that is called twice multiplies twice and counts its parameters once.

    Args:
        net: The supernet. Its modules must not be exchanged afterwards; weights may change.
        input_shape: Shape of one input, (C, H, W).

    Attributes:
        blind: Names of modules whose matrix products depend on more than can be tabulated; `macs` leaves them out.

    Raises:
        RunError: a layer's output size depends on other choices than an elastic resolution.

    >>> from torch import nn
    >>> from supernet import Choice, ElasticConv2d
    >>> width = Choice("width", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(3, width, bias=False), ElasticConv2d(width, 2, bias=False)))
    >>> costs = CostModel(net, (3, 10, 10))
    >>> costs.macs(net.space.smallest()), costs.params(net.space.codes(list(net.space.enumerate())))
    (18000.0, array([180., 360.]))
    """

    def __init__(self, net: Supernet, input_shape: InputShape) -> None:
        self.space, self.input_shape = net.space, input_shape
        terms, self.blind = macs_terms(single(net), input_shape)
        self._macs = Tables(net.space, terms)
        self._params = _params_tables(net)

    @overload
    def macs(self, archs: Arch) -> float: ...
    @overload
    def macs(self, archs: Codes) -> NDArray[np.float64]: ...
    def macs(self, archs: Arch | Codes) -> float | NDArray[np.float64]:
        """MACs of one image: of an architecture, or (N,) of a population (N, D).

        Raises:
            UsageError: what was given is no architecture, or one of another space, or an array with another number of
                columns.
        """
        return answer(archs, self._macs(population_of(self.space, archs)))

    @overload
    def params(self, archs: Arch, *, norm: bool = True, bias: bool = True) -> float: ...
    @overload
    def params(self, archs: Codes, *, norm: bool = True, bias: bool = True) -> NDArray[np.float64]: ...
    def params(self, archs: Arch | Codes, *, norm: bool = True, bias: bool = True) -> float | NDArray[np.float64]:
        """Number of parameters: of an architecture, or (N,) of a population (N, D).

        Args:
            archs: An architecture, or a population of codes (N, D).
            norm: Whether to count those of normalisation layers.
            bias: Whether to count the biases of other layers.
        """
        return answer(archs, _counted(self._params, population_of(self.space, archs), norm=norm, bias=bias))

    def terms(self, cost: Literal["macs", "params"]) -> tuple[Term, ...]:
        """The terms whose sum `macs`, or `params`, is."""
        if cost == "macs":
            return self._macs.terms
        return tuple(term for tables in self._params.values() for term in tables.terms)


def population_of(space: Space, archs: Arch | Codes) -> Codes:
    """The codes (N, D) of an architecture or of a population.

    Raises:
        UsageError: what was given is no architecture, or one of another space, or an array with another number of
            columns.
    """
    if not isinstance(archs, np.ndarray):
        return space.codes([archs])
    if archs.ndim != 2 or archs.shape[1] != len(space):
        raise UsageError(
            f"A population of this space has shape (N, {len(space)}); got an array of shape {archs.shape}."
        )
    return archs


def answer(archs: Arch | Codes, values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    """One value where one architecture was asked for."""
    return values if isinstance(archs, np.ndarray) else float(values[0])


def cost_model(net: Supernet, input_shape: InputShape | None = None) -> CostModel:
    """The `CostModel` of a supernet, made at the first call and remembered.

    Args:
        net: The supernet that the architectures belong to.
        input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
            before.

    Raises:
        UsageError: the input shape is not known.
    """
    shape = input_shape_of(net, input_shape)
    known = _models.setdefault(net, {})
    key = (net.structure, shape)  # a network of another structure costs other amounts
    if key not in known:
        known[key] = CostModel(net, shape)
        warn_blind(known[key].blind)
    return known[key]


def macs(net: Supernet, arch: Arch, *, input_shape: InputShape | None = None) -> int:
    """Multiply-accumulates of one image under an architecture; see `CostModel` for what counts.

    Args:
        net: The supernet that the architectures belong to.
        arch: The architecture to count.
        input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
            before.

    Raises:
        UsageError: the input shape is not known, or what was given is no architecture, or one of another space.
    """
    return round(cost_model(net, input_shape).macs(arch))


def params(net: Supernet, arch: Arch, *, norm: bool = True) -> int:
    """Number of parameters of an architecture.

    Args:
        net: The supernet that the architectures belong to.
        arch: The architecture to count.
        norm: Whether to count those of normalisation layers.

    Raises:
        UsageError: the architecture belongs to another space.
    """
    counts = _counted(_params_tables(net), net.space.codes([arch]), norm=norm, bias=True)
    return round(float(counts[0]))


def _params_tables(net: Supernet) -> dict[Kind, Tables]:
    known = _params.get(net)
    if known is None or known[0] != net.structure:  # a network of another structure has other parameters
        tables = {kind: Tables(net.space, terms) for kind, terms in params_terms(single(net)).items()}
        _params[net] = known = net.structure, tables
    return known[1]


def _counted(tables: Mapping[Kind, Tables], codes: Codes, *, norm: bool, bias: bool) -> NDArray[np.float64]:
    counts = tables["weight"](codes)
    if bias:
        counts = counts + tables["bias"](codes)
    if norm:
        counts = counts + tables["norm"](codes)
    return counts


def single(net: Supernet) -> Supernet:
    """Of a network that holds several copies of its weights, one: an architecture computes with no more."""
    one = getattr(net.module, "one_copy", None)
    return Supernet(one, input_shape=net.input_shape) if isinstance(one, nn.Module) else net


def warn_blind(names: Sequence[str]) -> None:
    """Say which modules are missing in the MACs."""
    if names:
        warnings.warn(
            f"The MACs leave out the matrix products of {', '.join(names)}: they depend on more choices than can be "
            "tabulated. measure.count_macs(net.extract(arch), input_shape) counts them.",
            UserWarning,
            stacklevel=3,
        )
