"""What every layer and network with choices promises, as tests for yours too.

    @pytest.mark.parametrize("law", LAWS)
    def test_my_layer(law):
        law(Supernet(MyLayer(Choice("width", (4, 8)))), lambda arch: torch.randn(2, arch["width"], 6, 6))

Each law takes a supernet and a function from an architecture to a fitting input batch, looks at up to eight
architectures, computes in double precision on copies, and raises an AssertionError that names the first
architecture it fails for. The supernet itself stays as it is. `inactive_gets_no_gradient` and
`training_commutes` are for layers whose dense weights are entries of their own: not for those that transform them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.inputs import InputChoice
from supernet.nn.mutable import Mutable, is_opaque, mixing_choices
from supernet.nn.output import Output
from supernet.nn.selection import Decision, Decisions, EdgeWeights, Mixture, Target
from supernet.nn.subset import SubsetChoice
from supernet.nn.supernet import Supernet
from supernet.space import Arch, largest_value

Inputs: TypeAlias = Callable[[Arch], Tensor]
Law: TypeAlias = Callable[[Supernet, Inputs], None]

_MOST = 8


def output_is_dense(net: Supernet, inputs: Inputs) -> None:
    """`net(x, arch)` and `net.extract(arch)(x)` agree in output and input gradient, training or not."""
    for arch in _some(net):
        for training in (False, True):
            twin = _twin(net).train(training)
            small = twin.extract(arch)
            _agree(arch, "output or input gradient", _run(twin, arch, inputs), _run(small, arch, inputs))


def training_commutes(net: Supernet, inputs: Inputs) -> None:
    """A gradient step on the supernet and one on the extracted subnet lead to the same subnet."""
    for arch in _some(net):
        twin = _twin(net).train()
        small = twin.extract(arch)
        for module in (twin, small):
            _run(module, arch, inputs)
            with torch.no_grad():
                for p in module.parameters():
                    if p.grad is not None:
                        p.sub_(0.1 * p.grad)
        stepped = dict(twin.extract(arch).named_parameters())
        for name, expected in small.named_parameters():
            _agree(arch, f"the step of {name}", [stepped[name]], [expected])


def inactive_gets_no_gradient(net: Supernet, inputs: Inputs) -> None:
    """Weights outside the active subnet get no gradient or exactly zero."""
    for arch in _some(net):
        twin, labelled = _twin(net).train(), _twin(net)
        start = 0
        with torch.no_grad():
            for p in labelled.parameters():
                p.copy_(torch.arange(start, start + p.numel()).view(p.shape))
                start += p.numel()
        entries = [p.flatten() for p in labelled.extract(arch).parameters()]
        held = torch.cat(entries) if entries else torch.empty(0).double()
        _run(twin, arch, inputs)
        for (name, p), labels in zip(twin.named_parameters(), labelled.parameters(), strict=True):
            inactive = ~torch.isin(labels, held)
            assert p.grad is None or not p.grad[inactive].any(), f"{arch}: inactive entries of {name} got a gradient"


def active_restores(net: Supernet, inputs: Inputs) -> None:
    """Leaving `active`, also by an exception, brings back what was active before."""
    first, last = net.space.smallest(), net.space.largest()
    net = _twin(net).eval()
    expected = _run(net, first, inputs)
    with net.active(first):
        try:
            with net.active(last):
                _run(net.module, last, inputs)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        _agree(first, "the output after an inner active", _run(net.module, first, inputs), expected)
    if not len(net.space):
        return  # with nothing to choose nothing has to be active
    try:
        _run(net.module, first, inputs)
    except UsageError:
        return
    raise AssertionError("an architecture stayed active after its `with` had ended")


def extraction_stands_alone(net: Supernet, inputs: Inputs) -> None:
    """An extracted subnet holds nothing of this package, shares no memory, keeps its mode and can be copied."""
    package = __name__.partition(".")[0] + "."
    for arch in _some(net):
        for training in (False, True):
            twin = _twin(net).train(training)
            small = twin.extract(arch)
            for module in small.modules():
                for part in (type(module), *map(type, vars(module).values())):
                    ours = [base for base in part.__mro__ if base.__module__.startswith(package)]
                    assert not ours, f"{arch}: the subnet still holds {ours[0].__name__}"
                assert module.training is training, f"{arch}: {type(module).__name__} changed its mode"
            shared = _storages(twin) & _storages(small)
            assert not shared, f"{arch}: the subnet shares {len(shared)} tensors with the supernet"
            expected = _run(copy.deepcopy(small), arch, inputs)
            with torch.no_grad():
                for tensor in (*twin.parameters(), *twin.buffers()):
                    tensor.zero_()
            _agree(arch, "the output after the supernet changed", _run(small, arch, inputs), expected)


def shapes_are_those_of_the_subnet(net: Supernet, inputs: Inputs) -> None:
    """What a layer says of the sizes of its tensors is what its plain layer has, and the largest are its own.

    A layer may have further dimensions behind them, of which one entry is active.
    """
    layers: list[Any] = [m for m in net.module.modules() if isinstance(m, Mutable) and m.shapes() and not is_opaque(m)]
    for arch in _some(net):
        with net.active(arch):
            for layer in layers:
                value = net.selection.value
                said = {name: tuple(map(value, shape)) for name, shape in layer.shapes().items()}
                plain, inside = layer.plain().state_dict(), dict(layer.named_children())
                kind = type(layer).__name__
                own = {name: tensor for name, tensor in plain.items() if name.partition(".")[0] not in inside}
                found = {name: tuple(tensor.shape) for name, tensor in own.items()}
                assert found.items() <= said.items(), f"{arch}: {kind} says {said}, but its plain layer has {found}"
                kept = sorted(found.keys() & set(layer.absorbed()))
                assert not kept, f"{arch}: {kind} says that {kept} are worked into others, but its plain layer has them"
    for layer in layers:
        inside = dict(layer.named_children())
        for name, tensor in layer.state_dict().items():
            if name.partition(".")[0] in inside:
                continue
            largest = tuple(map(largest_value, layer.shapes()[name]))
            held = tuple(tensor.shape[: len(largest)])
            assert largest == held, f"{type(layer).__name__}: {name} is said to be up to {largest}, and is {held}"


def every_form_of_a_decision_agrees(net: Supernet, inputs: Inputs) -> None:
    """A one-hot mixture, a subset of one option and edges that weigh 1 are what the option is."""
    mixing = {choice.name: choice for choice in mixing_choices(net.module)}
    twin = _twin(net).eval()
    layers = [layer for layer in net.module.modules() if isinstance(layer, InputChoice | SubsetChoice)]
    members = {name: layer for layer in layers for name in layer.nodes()}
    for arch in _some(net):
        decided = dict(zip(net.space.names, arch.code, strict=True))
        expected = _run(twin, arch, inputs)
        for what, form in _FORMS.items():
            relaxed = {name: form(decided[name], len(choice)) for name, choice in mixing.items()}
            try:
                found = _run(twin, arch, inputs, Decisions({**decided, **relaxed}))
            except UsageError:
                continue  # refused with a sentence, as by copies of the weights that cannot be mixed
            _agree(arch, f"the output by {what}", found[: len(expected)], expected)  # zeros may have no gradient
        weighed = {name: EdgeWeights(torch.zeros(count).double()) for name, count in net.nodes.items()}
        for name, edges in weighed.items():
            edges.weights[list(members[name].members_of(decided.get(name)))] = 1
        found = _run(twin, arch, inputs, Decisions({**decided, **weighed}))
        _agree(arch, "the output by weights", found[: len(expected)], expected)


_FORMS: dict[str, Callable[[int, int], Decision]] = {
    "a one-hot mixture": lambda code, options: Mixture(torch.eye(options).double()[code]),
    "a one-hot mixture that runs one option": lambda code, options: Mixture(torch.eye(options).double()[code], (code,)),
    "a subset of one option": lambda code, options: (code,),
}


LAWS: tuple[Law, ...] = (
    output_is_dense,
    training_commutes,
    inactive_gets_no_gradient,
    active_restores,
    extraction_stands_alone,
    shapes_are_those_of_the_subnet,
    every_form_of_a_decision_agrees,
)


def _some(net: Supernet) -> Iterator[Arch]:
    if net.space.size <= _MOST:
        yield from net.space.enumerate()
    else:
        yield net.space.smallest()
        yield net.space.largest()
        rng = np.random.default_rng(0)
        yield from (net.space.sample(rng) for _ in range(_MOST - 2))


def _twin(net: Supernet) -> Supernet:
    return copy.deepcopy(net).double()


def _run(module: nn.Module, arch: Arch, inputs: Inputs, target: Target | None = None) -> list[Tensor]:
    """Output and input gradient; parameter gradients are left on the module. The same randomness each time."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        x = inputs(arch)
        x = x.double().requires_grad_() if x.is_floating_point() else x
        y = module(x, arch if target is None else target) if isinstance(module, Supernet) else module(x)
        y = y.logits if isinstance(y, Output) else y
        if not y.requires_grad:
            return [y]
        y.backward(torch.randn_like(y))
    return [y.detach()] if x.grad is None else [y.detach(), x.grad]


def _agree(arch: Arch, what: str, given: list[Tensor], expected: list[Tensor]) -> None:
    assert len(given) == len(expected), f"{arch}: {what}: only one of the two is differentiable"
    for one, other in zip(given, expected, strict=True):
        assert one.shape == other.shape, f"{arch}: {what} has the shape {tuple(one.shape)}, not {tuple(other.shape)}"
        if one.numel():
            gap = (one - other).abs().max().item()
            assert gap <= 1e-9 * max(1.0, other.abs().max().item()), f"{arch}: {what} is off by {gap:.3g}"


def _storages(module: nn.Module) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
