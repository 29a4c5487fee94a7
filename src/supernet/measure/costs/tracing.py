"""What a network does with memory under an architecture, seen on tensors without data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from supernet.errors import RunError
from supernet.measure.costs.liveness import Birth, Step, merged, peak
from supernet.measure.costs.tables import joint
from supernet.nn import Decisions, Supernet
from supernet.nn.batch import mapped
from supernet.nn.input_shape import InputShape, example
from supernet.nn.mutable import choices_within
from supernet.space import Arch
from supernet.space.text import in_shell

_MOST_CALLS = 100_000  # calls that are remembered
_FEW = 1024  # settings of a module that are soon known
_PLAIN = (bool, int, float, str, bytes, type(None), torch.dtype, torch.device)


class _View(NamedTuple):
    """A tensor over a block of memory: which of those that a call is given or makes, and how it lies in it."""

    block: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype


@dataclass(frozen=True)
class _Call:
    """What a call of a module does, whatever else there is: steps on the blocks it is given and those it makes."""

    steps: list[Step]
    made: dict[int, int]
    result: list[Any]
    spec: TreeSpec


@dataclass
class _Frame:
    """A call under way."""

    modules: set[int]
    visible: set[int]
    steps: list[Step] = field(default_factory=list)
    sound: bool = True


class _HiddenError(Exception):
    """A tensor went from one module to another past their arguments and results."""


class Tracer:
    """Runs architectures on tensors of sizes alone, and tells what is alive at a time.

    A module that is called again under the same decisions, on tensors of the same sizes, does again what it did: so
    each is run once per form, and of an architecture whose parts are known only the network's own code runs.

    Args:
        net: The supernet; a copy without data is run.
        input_shape: Shape of one input.
        batch_size: Number of inputs at a time.
    """

    def __init__(self, net: Supernet, input_shape: InputShape, batch_size: int) -> None:
        self._net = copy.deepcopy(net).to("meta").eval()
        self._net.calibrated_for = None  # nothing is computed with its statistics
        self._x = mapped(example(input_shape, batch_size), lambda t: t.to("meta"))
        self._watch = _Watch({_memory(t)[0] for t in (*self._net.parameters(), *self._net.buffers())})
        self._calls: dict[Hashable, _Call] = {}
        self._code: tuple[int, ...] = ()
        self._large: set[int] = set()
        self._passed_over: set[int] = set()
        self._inside = {id(m): set(map(id, m.modules())) for m in self._net.module.modules()}
        for module in self._net.module.modules():
            if module is not self._net.module:
                columns = tuple(net.space.column(choice.name) for choice in choices_within(module))
                if joint(choices_within(module)) > _FEW:
                    self._large.add(id(module))
                module.forward = partial(self._called, module, module.forward, columns)
        self._shortcuts = True

    def peak(self, arch: Arch) -> int:
        """The most bytes of inputs and activations that are alive at a time.

        Raises:
            RunError: The network does not run on tensors without data.
        """
        self._code = arch.code
        try:
            return self._run(arch)
        except _HiddenError:
            self._shortcuts = False
            return self._run(arch)
        except (NotImplementedError, RuntimeError) as error:
            raise RunError(
                f"The activations of {in_shell(arch)} cannot be told, for the network does not run on tensors without "
                f"data: {str(error).strip().splitlines()[0]}. Its course may depend on values, or it may hold tensors "
                "that are neither parameters nor buffers (register_buffer)."
            ) from error

    def effort(self, arch: Arch) -> int:
        """How many calls and operations an architecture takes when all is known of modules of few settings.

        Raises:
            RunError: as `peak`.
        """
        self._passed_over = self._large
        try:
            self.peak(arch)
            before = self._watch.done
            self.peak(arch)
            return self._watch.done - before
        finally:
            self._passed_over = set()

    def _run(self, arch: Arch) -> int:
        given = dict(_memory(t) for t in tree_leaves(self._x))
        frame = _Frame(set(), set(given))
        with torch.no_grad(), self._watch.recording(frame):
            result = self._net(self._x, Decisions(zip(arch.space.names, arch.code, strict=True)))
            kept = {_memory(t)[0] for t in tree_leaves(result) if isinstance(t, Tensor)}
        return peak(frame.steps, given, kept & frame.visible)

    def _called(
        self, module: nn.Module, forward: Callable[..., Any], columns: tuple[int, ...], *args: Any, **named: Any
    ) -> Any:
        """In the place of a module's forward."""
        watch = self._watch
        watch.enters(id(module))
        leaves, spec = tree_flatten((args, named))
        if (
            not self._shortcuts
            or id(module) in self._passed_over
            or not all(isinstance(leaf, (Tensor, *_PLAIN)) for leaf in leaves)
        ):
            return forward(*args, **named)
        given: dict[int, int] = {}
        seen = tuple(self._view(leaf, given) if isinstance(leaf, Tensor) else (type(leaf), leaf) for leaf in leaves)
        key = (id(module), tuple(self._code[column] for column in columns), spec, seen)
        if key in self._calls:
            return self._repeat(self._calls[key], given, leaves)
        frame = _Frame(self._inside[id(module)], set(given))
        with watch.frame(frame):
            result = forward(*args, **named)
        found, spec = tree_flatten(result)
        if not frame.sound or not all(isinstance(leaf, (Tensor, *_PLAIN)) for leaf in found):
            watch.does(frame.steps, frame.visible)
            return result
        numbers = dict(given)
        told = [
            leaf if not isinstance(leaf, Tensor) or watch.is_weight(leaf) else self._view(leaf, numbers)
            for leaf in found
        ]
        made = [block for block in numbers if block not in given]
        if not frame.visible.issuperset(made):
            raise _HiddenError
        sizes = dict(_memory(leaf) for leaf in found if isinstance(leaf, Tensor))
        steps = merged(frame.steps, given, made)
        if len(self._calls) >= _MOST_CALLS:
            self._calls.clear()
        renamed = [_renamed(step, numbers) for step in steps]
        self._calls[key] = _Call(renamed, {numbers[block]: sizes[block] for block in made}, told, spec)
        watch.does(steps, made)
        return result

    def _view(self, tensor: Tensor, numbers: dict[int, int]) -> _View:
        """A tensor over its block, which is numbered if it was not yet; that of a weight is its own number."""
        block = _memory(tensor)[0]
        number = -block if self._watch.is_weight(tensor) else numbers.setdefault(block, len(numbers))
        return _View(number, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()), tensor.dtype)

    def _repeat(self, call: _Call, given: dict[int, int], leaves: list[Any]) -> Any:
        """The result of a call, without doing it: tensors over the memory that was given, and over new memory."""
        over = {
            given[t.untyped_storage()._cdata]: t.untyped_storage()
            for t in leaves
            if isinstance(t, Tensor) and not self._watch.is_weight(t)
        }
        for number, size in call.made.items():
            over[number] = torch.UntypedStorage(size, device="meta")  # type: ignore[no-untyped-call]
        result = self._watch.again(call.result, over)
        blocks = {number: storage._cdata for number, storage in over.items()}
        self._watch.does([_renamed(step, blocks) for step in call.steps], [blocks[number] for number in call.made])
        return tree_unflatten(result, call.spec)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what each operation reads and makes, in the innermost frame."""

    def __init__(self, weights: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._weights, self._derived = weights, dict[int, Any]()
        self._frames: list[_Frame] = []
        self._held: list[Any] = []  # memory of the present run, so that no number is given twice
        self._paused = False
        self.done = 0

    @contextmanager
    def recording(self, frame: _Frame) -> Iterator[None]:
        self._frames, self._held, self._derived = [frame], [], {}
        with self:
            yield
        self._held = []

    @contextmanager
    def frame(self, frame: _Frame) -> Iterator[None]:
        self._frames.append(frame)
        try:
            yield
        finally:
            self._frames.pop()

    def enters(self, module: int) -> None:
        """A module is called: those around it that do not hold it depend on more than they show."""
        for frame in self._frames[1:]:
            frame.sound = frame.sound and module in frame.modules

    def is_weight(self, tensor: Tensor) -> bool:
        """Whether it is a weight, or was computed of weights alone."""
        block = tensor.untyped_storage()._cdata
        return block in self._weights or block in self._derived

    def does(self, steps: Sequence[Step], blocks: Iterable[int]) -> None:
        """Steps, in the innermost frame, that make blocks which are seen from then on."""
        self.done += 1
        frame = self._frames[-1]
        frame.visible.update(blocks)
        for step in steps:
            for block in step.reads:
                if block not in frame.visible:
                    self._reaches(block)
        frame.steps += steps

    def _reaches(self, block: int) -> None:
        """The calls under way read what they were not given."""
        for frame in reversed(self._frames):
            if block in frame.visible:
                return
            frame.sound = False
        raise _HiddenError

    def again(self, result: Sequence[Any], over: Mapping[int, Any]) -> list[Any]:
        """What a call returned, over other memory."""
        self._held += over.values()
        self._paused = True
        try:
            return [self._tensor(one, over) for one in result]
        finally:
            self._paused = False

    def _tensor(self, one: Any, over: Mapping[int, Any]) -> Any:
        if isinstance(one, Tensor):
            self._derived[one.untyped_storage()._cdata] = one.untyped_storage()
        if not isinstance(one, _View):
            return one
        empty = torch.empty(0, dtype=one.dtype, device="meta")
        return empty.set_(over[one.block], one.offset, one.size, one.stride)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._paused:
            return result
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        self._held += [t.untyped_storage() for t in outputs]
        known = {_memory(t)[0] for t in inputs}
        if inputs and all(map(self.is_weight, inputs)):
            self._derived |= {_memory(t)[0]: t.untyped_storage() for t in outputs}
            return result
        reads = tuple(_memory(t)[0] for t in inputs if not self.is_weight(t))
        births: dict[int, Birth] = {}
        for place, tensor in enumerate(outputs):
            block, size = _memory(tensor)
            if block not in known and not self.is_weight(tensor):
                births.setdefault(block, Birth(block, size, spare=place > 0))
        if reads or births:
            self.does([Step(reads, tuple(births.values()))], births)
        return result


def _memory(tensor: Tensor) -> tuple[int, int]:
    """A number for the memory of a tensor, and its bytes."""
    storage = tensor.untyped_storage()
    return storage._cdata, storage.nbytes()


def _renamed(step: Step, numbers: Mapping[int, int]) -> Step:
    births = tuple(birth._replace(block=numbers[birth.block]) for birth in step.births)
    return Step(tuple(numbers[block] for block in step.reads), births, step.scratch)
