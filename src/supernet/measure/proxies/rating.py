"""Architectures rated without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from supernet import settings
from supernet.data import Data
from supernet.errors import UsageError
from supernet.measure.costs.model import cost_model
from supernet.measure.proxies._protocol import Joined, Proxy
from supernet.measure.proxies._untrained import Untrained, untrained
from supernet.nn import Supernet
from supernet.rank.checks import Floats
from supernet.space import Arch


def proxy_of(given: str | Proxy) -> Proxy:
    """The proxy of a name, of `module:name`, or that is given.

    Raises:
        UsageError: there is none of this name, or what it names is no proxy.
    """
    made = settings.build("proxies", given, {}) if isinstance(given, str) else given
    if isinstance(made, type) or not isinstance(made, Proxy):
        raise UsageError(f"{given!r} is no score without training; give a name such as 'naswot', or a value.")
    return made


def proxy_scores(
    net: Supernet,
    archs: Sequence[Arch],
    data: Data,
    proxies: Sequence[str | Proxy],
    *,
    images: int = 32,
    seed: int = 0,
    known: Mapping[tuple[str, str], Mapping[str, float]] | None = None,
    done: Callable[[str, str, Mapping[str, float]], None] = lambda name, arch, parts: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Floats]:
    """Scores (N,) of architectures before any training, by the name of the proxy; higher is better.

    Each architecture is taken out of the supernet, which is left untouched, and gets fresh weights of the same seed.
    A proxy of several parts (`Joined`) is joined over these N, and its parts are there too, as `"az_nas/trainability"`.
    What is not finite ranks last.

    Args:
        net: The supernet.
        archs: The architectures.
        data: The data; training examples are used.
        proxies: The proxies, by name or as values.
        images: Number of examples per batch.
        seed: The seed of weights and noise.
        known: What was rated before, by the names of the proxy and of the architecture (`str(arch)`).
        done: Called with these names and the parts (one without a name, of a proxy of one score) after each rating.
        progress: Called as `progress(done, total)` after each architecture.

    Raises:
        UsageError: no architecture, or a proxy that the network or the data do not allow; as `proxy_of`.
    """
    if not archs:
        raise UsageError("There are no architectures to rate.")
    chosen = {_name(given): proxy_of(given) for given in proxies}
    macs = cost_model(net, data.shape).macs(net.space.codes(archs))
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in chosen}
    for number, arch in enumerate(archs):
        subject: Untrained | None = None
        for name, proxy in chosen.items():
            parts = (known or {}).get((name, str(arch)))
            if parts is None:
                if subject is None:
                    subject = untrained(net, arch, data, images=images, seed=seed, macs=float(macs[number]))
                with torch.enable_grad():
                    told = proxy(subject.fresh())
                parts = dict(told) if isinstance(told, Mapping) else {"": told}
                done(name, str(arch), parts)
            for part, value in parts.items():
                rows[name].setdefault(part, []).append(-np.inf if np.isnan(value) else value)
        progress(number + 1, len(archs))
    found: dict[str, Floats] = {}
    for name, proxy in chosen.items():
        columns = {part: np.asarray(values) for part, values in rows[name].items()}
        if isinstance(proxy, Joined):
            found[name] = proxy.joined(columns)
            found |= {f"{name}/{part}": values for part, values in columns.items()}
        else:
            found[name] = columns[""]
    return found


def _name(given: str | Proxy) -> str:
    return given if isinstance(given, str) else type(given).__module__.rpartition(".")[2]
