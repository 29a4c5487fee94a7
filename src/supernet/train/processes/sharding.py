"""A supernet whose weights several processes share out, instead of each holding all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import place
from supernet.train.processes.shared_weight import SharedWeight, is_shared, whole_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.distributed.device_mesh import DeviceMesh

USE_DDP = "Train it with strategy='ddp', where every process holds all weights."


class Holder(Protocol):
    """What holds something for each parameter, such as an optimiser or an average."""

    def exchange(self, exchanged: Mapping[nn.Parameter, tuple[nn.Parameter, Callable[[Tensor], Tensor]]]) -> None:
        """Go on with other parameters in the place of some, see `Stepper.exchange`."""
        ...


class Sharding:
    """The weights of a supernet, shared out among the processes of a training.

    The code of layers finds whole weights where it reads its parameters (`read_whole`), and takes its slice of them as
    ever; so what processes send each other is of fixed sizes, and only of what runs. Whoever lists parameters finds
    distributed tensors: optimisers, gradient rules, checkpoints.

    Args:
        net: The supernet; every process holds the same weights of it.
        mesh: The processes.
        holders: Optimisers, which go on with the distributed tensors.

    Raises:
        UsageError: a layer keeps its weights elsewhere than among its parameters.
    """

    def __init__(self, net: Supernet, mesh: DeviceMesh, holders: Iterable[Holder]) -> None:
        _refuse_own_lists(net)
        self.net, self.mesh, self.holders = net, mesh, list(holders)
        self.reading = False
        self._by_id: dict[int, SharedWeight] = {}
        self._by_storage: dict[int, _Read] = {}
        self._cut()

    @property
    def is_cut(self) -> bool:
        """Whether the weights are shared out at present."""
        return bool(self._by_id)

    def of(self, parameter: object) -> SharedWeight | None:
        """What is shared out by this distributed tensor."""
        return self._by_id.get(id(parameter))

    @contextmanager
    def read_whole(self) -> Iterator[None]:
        """Within it layers find whole weights, which leave again with the last layer that needs them.

        What the backward pass needs of one is not kept for it, but brought again.
        """
        before, self.reading = self.reading, True
        try:
            with torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack):
                yield
        finally:
            self.reading = before
            self._by_storage.clear()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within it every process has an ordinary supernet, and what the holders hold of it; what changes is kept."""
        if not self.is_cut:
            yield
            return
        before = list(self._by_id.values())
        self.join()
        for holder in self.holders:
            holder.exchange({weight.parameter: (weight.original, whole_of) for weight in before})
        try:
            yield
        finally:
            place(self.net, before[0].local.device)  # what was exchanged may have to be laid out otherwise
            self._cut()

    def join(self) -> None:
        """Make it an ordinary supernet on every process; what holders hold is left."""
        for weight in self._by_id.values():
            weight.join()
        for module in self.net.modules():
            module.__dict__["_parameters"] = {
                name: None if held is None else self._by_id[id(held)].original
                for name, held in module._parameters.items()
            }
        self._by_id = {}

    def _cut(self) -> None:
        known: dict[int, SharedWeight] = {}
        for module in self.net.modules():
            held: dict[str, Any] = dict(module._parameters)
            for name, original in held.items():
                if original is not None:
                    if id(original) not in known:
                        known[id(original)] = SharedWeight(original, self.mesh)
                    held[name] = known[id(original)].parameter
            module.__dict__["_parameters"] = _Parameters(held, self)
        self._by_id = {id(weight.parameter): weight for weight in known.values()}
        for holder in self.holders:
            holder.exchange({weight.original: (weight.parameter, weight.part) for weight in known.values()})
        for weight in known.values():
            weight.leave()

    def read(self, weight: SharedWeight) -> Tensor:
        """The whole of a weight, for the code of a layer."""
        whole = weight.read()
        storage = whole.untyped_storage()
        self._by_storage[storage._cdata] = _Read(
            StorageWeakRef(storage),  # type: ignore[no-untyped-call]
            weight,
            weight.version,
        )
        return whole

    def behind(self, tensor: Tensor) -> _Read | None:
        """Which weight a tensor is the whole of, or a view of its whole."""
        return None if is_shared(tensor) else self._by_storage.get(tensor.untyped_storage()._cdata)

    def _pack(self, tensor: Tensor) -> Any:
        read = self.behind(tensor)
        if read is None:
            return tensor
        return _View(read.weight, read.version, tensor.size(), tensor.stride(), tensor.storage_offset())

    def _unpack(self, packed: Any) -> Tensor:
        if not isinstance(packed, _View):
            return cast(Tensor, packed)
        whole = packed.weight.again(packed.version)
        return torch.as_strided(whole, packed.size, packed.stride, packed.offset)


class _Read(NamedTuple):
    """A whole weight as it was read; no other storage takes the place of one that is referred to."""

    storage: StorageWeakRef
    weight: SharedWeight
    version: int


class _View(NamedTuple):
    """What a backward pass needs of a weight: where in the whole it stands."""

    weight: SharedWeight
    version: int
    size: torch.Size
    stride: tuple[int, ...]
    offset: Any


class _Parameters(dict[str, Any]):
    """The parameters of a module: code that asks for one by name finds it whole; a list of them has what is held."""

    def __init__(self, held: Mapping[str, Any], sharding: Sharding) -> None:
        super().__init__(held)
        self._sharding = sharding

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        weight = self._sharding.of(found) if self._sharding.reading else None
        return found if weight is None else self._sharding.read(weight)

    def __setitem__(self, name: str, value: Any) -> None:
        read = self._sharding.behind(value) if isinstance(value, Tensor) else None
        back = read is not None and value.shape == read.weight.cut.shape  # what was exchanged for a pass comes back
        super().__setitem__(name, cast(_Read, read).weight.parameter if back else value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise UsageError(
            f"This method copies the network in the middle of a step, while processes share its weights out. {USE_DDP}"
        )


def mesh_of(fabric: Fabric) -> DeviceMesh:
    """The processes of a training."""
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(fabric.device.type, (fabric.world_size,))


def unsuited(error: BaseException) -> UsageError | None:
    """What a method has done that took what a process holds of a weight for the whole, in a sentence; None: nothing."""
    if "mixed torch.Tensor and DTensor" not in str(error):
        return None
    return UsageError(
        f"This method reads weights elsewhere than in layers, which it cannot while processes share them out. {USE_DDP}"
    )


def _refuse_own_lists(net: Supernet) -> None:
    for place_of, module in net.named_modules():
        if isinstance(module, nn.RNNBase):
            raise UsageError(
                f"The layer {place_of} is torch's {type(module).__name__}, which keeps a list of its weights for "
                f"itself, so that they cannot be shared out. {USE_DDP}"
            )
