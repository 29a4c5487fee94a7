"""Whether every option of a supernet runs, found out before a training draws the one that does not."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from supernet.errors import SupernetError, UsageError
from supernet.nn.batch import Fields, called
from supernet.nn.output import as_output
from supernet.nn.supernet import Supernet
from supernet.space import Arch
from supernet.space.covering import covering
from supernet.space.text import readable


def try_options(net: Supernet, x: Fields) -> None:
    """Run each option of each choice once, in evaluation mode and without gradients.

    Takes about as many forward passes as the largest choice has options, 64 at most.

    Args:
        net: The supernet. Its smallest architecture has to run.
        x: A few inputs (B, …) on the device of the net.

    Raises:
        UsageError: an option fails or changes the shape of the output; the sentence names it and its choice.
    """
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            expected = _shape(_output(net, x, net.space.smallest()))
            passed = [net.space.smallest()]
            for arch in net.space.wrap(covering(net.space)):
                fault = _fault(net, x, arch, expected)
                if fault is not None:
                    raise _explained(net, x, arch, passed, expected, fault)
                passed.append(arch)
    finally:
        net.train(training)


def _output(net: Supernet, x: Fields, arch: Arch) -> object:
    with net.active(arch):
        return called(net.module, x)  # a look at shapes, whatever the statistics


def _shape(output: object) -> tuple[int, ...] | None:
    return None if output is None else tuple(as_output(output).logits.shape)


def _fault(net: Supernet, x: Fields, arch: Arch, expected: tuple[int, ...] | None) -> str | None:
    """What is wrong with an architecture; None: nothing."""
    try:
        shape = _shape(_output(net, x, arch))
    except (RuntimeError, ValueError, TypeError, IndexError, SupernetError) as error:
        return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
    if shape != expected:
        return f"the output has shape {shape} where the smallest architecture has {expected}"
    return None


def _explained(
    net: Supernet, x: Fields, arch: Arch, passed: Sequence[Arch], expected: tuple[int, ...] | None, fault: str
) -> UsageError:
    """The error that names the one option to blame, as far as changing single decisions tells."""
    space = net.space
    for column, name in enumerate(space.names):
        option, code = arch[name], arch.code[column]
        if option is None or any(other.active[column] and other.code[column] == code for other in passed):
            continue
        base = next((other for other in reversed(passed) if other.active[column]), None)
        if base is not None:
            changed = space.codes([base])
            changed[0, column] = code
            alone = _fault(net, x, space.wrap(changed)[0], expected)
            if alone is not None:
                return UsageError(
                    f"The option {option!r} of the choice {name!r} does not fit the network around it: {alone}. "
                    "Every option has to take and give the same shapes; compare it with "
                    f"{base[name]!r}, which fits."
                )
    return UsageError(
        f"The architecture {readable(arch)[:200]!r} cannot run: {fault}. Check the options it decides for."
    )
