"""What a subnet is worth in eight bits: quantised after training, weights and activations, and scored."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from supernet.data import Batch, Data, Split
from supernet.errors import RunError, require
from supernet.io.quiet import quiet
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.scores import Scores, run_scores
from supernet.measure.scores.settled import settled
from supernet.nn import Supernet
from supernet.nn.batch import Fields, exactly
from supernet.nn.output import Output
from supernet.nn.program import Traced, batch_of, named, retraced, traced
from supernet.nn.supernet import plain_subnet
from supernet.nn.untraceable import first_line
from supernet.quantity import Quantity
from supernet.space import Arch

IMAGES = 256
"""Number of training examples that the ranges of activations are observed on, unless another is asked for."""
SUFFIX = "_int8"
_BATCH = 64


def quantities_in_int8(scores: Iterable[Quantity]) -> tuple[Quantity, ...]:
    """The scores of a task, of quantised subnets.

    >>> from supernet.quantity import ACCURACY
    >>> [(found.name, found.goal) for found in quantities_in_int8([ACCURACY])]
    [('accuracy_int8', 'max')]
    """
    return tuple(replace(score, name=score.name + SUFFIX) for score in scores)


def check_int8() -> None:
    """Check that networks can be quantised here.

    Raises:
        RunError: torchao is not installed.
    """
    require("torchao", "int8", "Quantisation to int8")


def quantised(traced: Traced, images: Iterable[Fields]) -> Traced:
    """A program with eight-bit weights and activations, quantised statically after training (PT2E of torchao).

    As torchao's settings for x86 have it: weights per output channel, symmetric, −128 … 127; activations per tensor,
    affine, 0 … 255, in ranges observed by histograms; BatchNorms are folded into convolutions first.

    Args:
        traced: The program; it is left as it is.
        images: Training inputs, batch by batch, which the ranges of activations are observed on.

    Raises:
        RunError: torchao is not installed, or cannot quantise the network.
    """
    check_int8()
    try:
        with torch.no_grad(), quiet():
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
            from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
                X86InductorQuantizer,
                get_default_x86_inductor_quantization_config,
            )

            quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
            module = prepare_pt2e(copy.deepcopy(traced.program.module()), quantizer)
            if not any(node.op == "call_module" for node in module.graph.nodes):
                raise RuntimeError("torchao finds no layer in it that it quantises")
            size = batch_of(traced.program)
            for x in images:
                for given in [x] if size is None else exactly(x, size):
                    module(*([given] if isinstance(given, Tensor) else given.values()))
            module = convert_pt2e(module)
            _without_unused(module)
            return retraced(traced, module)
    except Exception as error:
        raise RunError(
            f"The network cannot be quantised to int8: {first_line(error)}. Leave int8 out for this network."
        ) from error


def int8_scores(
    net: Supernet,
    arch: Arch,
    batches: Iterable[Batch],
    data: Data,
    *,
    calibration: Calibration | None = DEFAULT,
    images: int = IMAGES,
) -> Scores:
    """The scores of a subnet after it was taken out, calibrated, and quantised, on the CPU.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture.
        batches: The validation examples to score on.
        data: The data set, whose training examples BatchNorm and quantisation are calibrated on, and its task.
        calibration: How BatchNorm is calibrated; None keeps the statistics that the network holds.
        images: Number of training examples that the ranges of activations are observed on.

    Raises:
        RunError: torchao is not installed, the subnet cannot be traced or quantised, or its output is not finite.
    """
    check_int8()
    module = settled(plain_subnet(net, arch), None if calibration is None else data, calibration or DEFAULT)
    program = traced(module, data.shape, None)
    done = quantised(program, calibration_inputs(data, images))
    network = _Named(done)
    return run_scores(network, None, (batch.to("cpu") for batch in batches), None, data)


def calibration_inputs(data: Data | Split, images: int) -> Iterator[Fields]:
    """The first so many training inputs of a data set, or inputs of a split, on the CPU."""
    for batch in (data.train if isinstance(data, Data) else data).batches(_BATCH, limit=images):
        yield batch.to("cpu").x


class _Named(nn.Module):
    """A program that is called as the module was, and returns what the module returned."""

    def __init__(self, traced: Traced) -> None:
        super().__init__()
        self._traced = traced
        self._run = (traced.program.module(),)  # no child: an exported module refuses to be told that it is evaluated

    def forward(self, *args: Tensor, **fields: Tensor) -> Output:
        given = args or tuple(fields[name] for name in self._traced.inputs)
        told = self._run[0](*given)
        return named(self._traced.outputs, [told] if isinstance(told, Tensor) else told)


def _without_unused(module: nn.Module) -> None:
    """Drop the weights that the quantised ones replace, which a file would carry along."""
    graph: Any = module.graph
    used = {node.target for node in graph.nodes if node.op == "get_attr"}
    for name, _ in [*module.named_parameters(), *module.named_buffers()]:
        if name not in used:
            parent, _, attribute = name.rpartition(".")
            delattr(module.get_submodule(parent), attribute)
