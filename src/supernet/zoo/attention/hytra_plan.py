"""Where the layers of HyTra stand: the routes of their maps from scale to scale, and what each layer needs on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any, Literal, TypeAlias, cast

from torch import nn

from supernet.errors import UsageError
from supernet.nn import OpChoice
from supernet.space import Choice, Expr
from supernet.zoo.attention.hytra_blocks import EXPANSION, Entry, Style, by_value, depthwise_down, residual_block
from supernet.zoo.layers import activation_layer

Design: TypeAlias = Literal["supernet", "bossnet"]
"""Blocks as in the released supernet, or as in the networks that were trained in the end."""

Route: TypeAlias = tuple[int, ...]
"""The layers that halve the map they are given, from 1."""

KINDS = ("conv", "att")
"""What a layer may be."""

WITH_ATTENTION = 2
"""At how many of the last scales a layer may attend."""


def all_routes(layers: int, halvings: int, *, first_halves: bool = True) -> tuple[Route, ...]:
    """Every route of a number of layers, from those whose maps are the smallest to the one that never halves.

    >>> all_routes(3, 1)
    ((1,), (2,), (3,), ())
    """
    places = range(1 if first_halves else 2, layers + 1)
    found = [route for count in range(halvings + 1) for route in combinations(places, count)]
    return tuple(sorted(found, key=lambda route: (-sum(layers + 1 - place for place in route), route)))


def scale_at(route: Route, *, layer: int) -> int:
    """How often a route has halved the map when it leaves a layer, from 1; 0: never."""
    return sum(place <= layer for place in route)


def entered_by(route: Route, *, layer: int) -> int:
    """Whether (1) or not (0) a route halves the map in a layer."""
    return int(layer in route)


def checked_routes(
    routes: Sequence[Sequence[int]], layers: int, halvings: int, first_halves: bool
) -> tuple[Route, ...]:
    """The given routes in the order of all of them.

    Raises:
        UsageError: one is no route, or is given twice; or there are none.
    """
    known = all_routes(layers, halvings, first_halves=first_halves)
    found = tuple(tuple(route) for route in routes)
    for route in found:
        if route not in known or found.count(route) > 1:
            raise UsageError(
                f"{route} is no route of {layers} layers, or is given twice: name at most {halvings} of the layers "
                f"{1 if first_halves else 2} to {layers}, in order, which halve the map."
            )
    if not found:
        raise UsageError("There are no routes; give at least one, such as (2, 3, 8), or leave routes out.")
    return tuple(route for route in known if route in found)


class Plan:
    """What stands where in a network of these sizes and routes."""

    def __init__(
        self,
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        stem: int,
        routes: tuple[Route, ...],
        style: Style,
        design: Design,
        last_stride: int,
    ) -> None:
        self.widths, self.depths, self.stem, self.routes = widths, depths, stem, routes
        self.style, self.design, self.layers = style, design, sum(depths)
        self.strides = [1, *[2] * (len(widths) - 2), last_stride] if len(widths) > 1 else [1]
        self.route = Choice("route", routes) if len(routes) > 1 else None

    def _read(self, function: Any, layer: int) -> Expr | int:
        """What a function says of the route at a layer: an expression, or a number where all routes agree."""
        values = {function(route, layer=layer) for route in self.routes}
        if self.route is None or len(values) == 1:
            return int(values.pop())
        return self.route.map(partial(function, layer=layer), name=f"{function.__name__} layer {layer}")

    def stages(self) -> Iterator[nn.Module]:
        """The stages."""
        first = 1
        for depth in self.depths:
            yield nn.Sequential(*(self._layer(layer) for layer in range(first, first + depth)))
            first += depth

    def _layer(self, layer: int) -> nn.Module:
        """The layer at every scale that a route has it at."""
        scales = sorted({scale_at(route, layer=layer) for route in self.routes})
        at = self._read(scale_at, layer)
        attends = [scale for scale in scales if scale >= len(self.widths) - WITH_ATTENTION]
        choice: Choice | None = None
        if attends:
            threshold = min(attends)
            when = None if attends == scales else cast(Expr, at) >= threshold
            choice = Choice(f"layer{layer}", KINDS, when=when, order=("att", "conv"))
        return by_value(at, {scale: self._at(layer, scale, choice if scale in attends else None) for scale in scales})

    def _at(self, layer: int, scale: int, choice: Choice | None) -> nn.Module:
        """A layer at one scale: its block, or a choice between two."""
        width, entries, entered = self.widths[scale], self._entries(layer, scale), self._read(entered_by, layer)
        share = (layer - 1) / max(1, self.layers - 1) if self.design == "bossnet" else None

        def block(kind: str) -> nn.Module:
            return residual_block(kind, width, entries, entered, self.style, drop_path=share)

        made = block("conv") if choice is None else OpChoice(choice, {kind: block(kind) for kind in KINDS})
        if layer > 1 or self.design == "bossnet":
            return made
        stride = 1 if scale == 0 else self.strides[scale]
        return nn.Sequential(depthwise_down(self.stem, width // EXPANSION, stride, self.style.norm), made)

    def _entries(self, layer: int, scale: int) -> dict[int, Entry]:
        """The maps that enter a layer at a scale."""
        if layer == 1:
            if self.design == "supernet":  # the way from the stem has changed scale and channels already
                return {entered: Entry(self.widths[scale] // EXPANSION, 1) for entered in [min(scale, 1)]}
            return {min(scale, 1): Entry(self.stem, self.strides[scale])}
        here = {route for route in self.routes if scale_at(route, layer=layer) == scale}
        found = {}
        for entered in sorted({entered_by(route, layer=layer) for route in here}):
            before = scale - entered
            found[entered] = Entry(self.widths[before], self.strides[scale] if entered else 1)
        return found

    def join(self) -> nn.Module:
        """The way from the scale at which a route ends to the last one."""
        last = len(self.widths) - 1
        ends = sorted({scale_at(route, layer=self.layers) for route in self.routes})
        return by_value(self._read(scale_at, self.layers), {scale: self._joined(scale, last) for scale in ends})

    def _joined(self, scale: int, last: int) -> nn.Module:
        if scale == last:
            return nn.Identity()
        if self.design == "supernet":
            stride = 1
            for factor in self.strides[scale + 1 :]:
                stride *= factor
            return depthwise_down(self.widths[scale], self.widths[last], stride, self.style.norm)
        steps: list[nn.Module] = []
        for at in range(scale + 1, last + 1):
            convolution = nn.Conv2d(
                self.widths[at - 1], self.widths[at], 3, stride=self.strides[at], padding=1, bias=False
            )
            steps += [convolution, self.style.norm(self.widths[at]), activation_layer(self.style.activation)]
        return nn.Sequential(*steps)
