"""Following the operations of a pass: which axes they tie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from supernet.pretrained.axes import OUTSIDE, Axis, freeze

Axes = list[Axis]


class UnfollowedError(Exception):
    """An operation was used in a way of which it is not known what it does to axes; the message says which."""


class Followed:
    """What one pass of a model tells of its dimensions.

    Attributes:
        axes: The axes of each parameter and buffer, by the tensor's id; those of one that no operation reads cannot
            vary.
        read: The sizes that a module's own code read an axis by, by module: with the axes they stand for.
        residual: The modules that add to what they are given, and return it with the same axes; by id.
        decides: Where the code looked at values that depend on weights; the model cannot be followed then.
    """

    def __init__(self) -> None:
        self.axes: dict[int, Axes] = {}
        self.read: defaultdict[int, list[tuple[int, Axis]]] = defaultdict(list)
        self.decides: list[str] = []
        self.residual: set[int] = set()


class Follower(TorchDispatchMode):
    """Gives every tensor of a pass its axes, and ties those that an operation ties.

    Args:
        model: The model that runs inside.
        rules: What operations make of axes, by their names such as `"convolution"`.
    """

    def __init__(self, model: nn.Module, rules: dict[str, Callable[..., Any]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rules, self.found = rules, Followed()
        self._names = {id(module): name for name, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._given: list[Tensor | None] = []  # the first input of each module that runs
        self._adds: list[bool] = []  # whether something was added to it
        self._axes: dict[int, Axes] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets the id of one that is gone
        self._tainted: set[int] = set()  # tensors that depend on weights
        self._unread: set[int] = set()  # parameters and buffers that no operation has read
        held = [*model.named_parameters(), *model.named_buffers()]
        for _, tensor in held:
            if id(tensor) not in self.found.axes:
                self.found.axes[id(tensor)] = self._axes[id(tensor)] = [
                    Axis(size, None if size > 1 else "it has one entry") for size in tensor.shape
                ]
                self._kept.append(tensor)
                self._unread.add(id(tensor))
                if tensor.is_floating_point():
                    self._tainted.add(id(tensor))

    @contextmanager
    def running(self, model: nn.Module) -> Iterator[None]:
        """Inside, what operations do is followed, and which module does it."""
        handles = []
        for module in model.modules():
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with self, torch.no_grad():
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
        for tensor in self._unread:
            for axis in self.found.axes[tensor]:
                freeze(axis, "no operation reads it")

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._stack.append(module)
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._given.append(given[0] if given else None)
        self._adds.append(False)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._stack.pop()
        given, adds = self._given.pop(), self._adds.pop()
        result = output[0] if isinstance(output, tuple | list) and output else output
        if adds and given is not None and isinstance(result, Tensor) and result.shape == given.shape:
            before, after = self._axes.get(id(given), []), self._axes.get(id(result), [])
            if before and [axis.root for axis in before] == [axis.root for axis in after]:
                self.found.residual.add(id(module))

    @property
    def place(self) -> str:
        """Where the pass is, as the name of a module."""
        return self._names.get(id(self._stack[-1]), "") if self._stack else ""

    def of(self, tensor: Tensor, why: str = OUTSIDE) -> Axes:
        """The axes of a tensor; those of one that nothing is known of cannot vary."""
        if id(tensor) not in self._axes:
            self.put(tensor, [Axis(size, why) for size in tensor.shape])
        return self._axes[id(tensor)]

    def put(self, tensor: Tensor, axes: Sequence[Axis]) -> None:
        """Say what the axes of a tensor are."""
        assert [axis.size for axis in axes] == list(tensor.shape), f"{list(axes)} for {tuple(tensor.shape)}"
        self._axes[id(tensor)] = list(axes)
        self._kept.append(tensor)

    def reads(self, size: int, axis: Axis) -> None:
        """Note that the code of the present module gave an axis this size."""
        if self._stack:
            self.found.read[id(self._stack[-1])].append((size, axis))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._unread.difference_update(map(id, tensors))
        tainted = any(id(tensor) in self._tainted for tensor in tensors)
        out = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if name in ("add", "add_") and len(tensors) == 2:
            for place, given in enumerate(self._given):
                self._adds[place] |= any(tensor is given for tensor in tensors)
        if name in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "unique2", "_unique2") and tainted:
            self.found.decides.append(f"{name} in {self.place or 'the model'}")
        results = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        rule = self.rules.get(name.removesuffix("_")) or (
            self.rules["pointwise"] if torch.Tag.pointwise in func.tags else None
        )
        for result in results:
            if tainted:
                self._tainted.add(id(result))
                self._kept.append(result)
        if rule is None:
            self._unknown(name, tensors, results)
        else:
            try:
                rule(self, func, args, kwargs, out)
            except UnfollowedError as error:
                self._unknown(f"{name} ({error})" if str(error) else name, tensors, results)
        for result in results:
            if id(result) not in self._axes:
                self.put(result, [Axis(size, f"{name} makes it") for size in result.shape])
        return out

    def _unknown(self, name: str, tensors: Sequence[Tensor], results: Sequence[Tensor]) -> None:
        why = f"the operation {name} in {self.place or 'the model'}"
        for tensor in (*tensors, *results):
            for axis in self.of(tensor):
                freeze(axis, why)
