"""The networks that HAT's authors publish, and the form in which they write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.space.text import listed

PUBLISHED: dict[str, str] = {
    "iwslt14deen_titanxp@45.6ms": "512 512 222222 442444 4 4 4 1",
    "iwslt14deen_titanxp@74.5ms": "512 512 222222 444444 42 42 44 11",
    "iwslt14deen_titanxp@109.0ms": "512 512 222222 444444 224 444 444 311",
    "iwslt14deen_titanxp@137.8ms": "512 512 222222 444444 2442 4442 4444 3111",
    "iwslt14deen_titanxp@168.8ms": "512 512 222222 444444 44422 44422 44444 31111",
    "wmt14ende_raspberrypi@3.5s": "512 512 266444 484448 6 8 8 1",
    "wmt14ende_raspberrypi@4.0s": "512 512 646464 888488 24 44 88 11",
    "wmt14ende_raspberrypi@4.5s": "512 512 666666 488488 66 88 88 12",
    "wmt14ende_raspberrypi@5.0s": "512 512 666466 888884 246 488 488 121",
    "wmt14ende_raspberrypi@6.0s": "512 512 666666 444884 4466 4884 4888 1121",
    "wmt14ende_raspberrypi@6.9s": "512 512 666666 848888 44664 88848 48888 12221",
    "wmt14ende_titanxp@57.1ms": "512 512 666666 488888 6 8 8 2",
    "wmt14ende_titanxp@91.2ms": "512 512 666666 488488 66 88 88 12",
    "wmt14ende_titanxp@126.0ms": "512 512 666666 448884 666 888 488 122",
    "wmt14ende_titanxp@146.7ms": "640 640 666666 488844 666 888 488 122",
    "wmt14ende_titanxp@208.1ms": "512 512 666666 848884 44666 88848 48888 12221",
    "wmt14ende_xeon@137.9ms": "512 512 666666 488888 6 8 8 2",
    "wmt14ende_xeon@204.2ms": "512 512 666666 488488 66 88 88 12",
    "wmt14ende_xeon@278.7ms": "512 512 666666 448884 666 888 488 122",
    "wmt14ende_xeon@340.2ms": "512 512 666666 448884 6666 8884 4888 1221",
    "wmt14ende_xeon@369.6ms": "512 512 666666 848884 66666 88848 48888 12221",
    "wmt14ende_xeon@450.9ms": "512 512 666666 448884 666666 888444 488888 122211",
    "wmt14enfr_raspberrypi@4.3s": "512 512 444464 444848 6 8 8 1",
    "wmt14enfr_raspberrypi@5.3s": "512 512 666666 888888 66 88 88 13",
    "wmt14enfr_raspberrypi@5.8s": "512 512 666664 888888 246 488 488 112",
    "wmt14enfr_raspberrypi@6.9s": "512 512 666666 448488 4646 4888 4488 1121",
    "wmt14enfr_raspberrypi@7.8s": "512 512 666666 888888 46664 88888 48888 12221",
    "wmt14enfr_raspberrypi@9.1s": "512 512 666666 888888 666666 888844 488888 121231",
    "wmt14enfr_titanxp@69.3ms": "512 512 666666 888888 6 8 8 1",
    "wmt14enfr_titanxp@94.9ms": "512 512 666666 888888 66 88 88 13",
    "wmt14enfr_titanxp@132.9ms": "512 512 666666 888888 666 888 488 112",
    "wmt14enfr_titanxp@168.3ms": "512 512 666666 888888 6666 8888 4888 1321",
    "wmt14enfr_titanxp@208.3ms": "512 512 666666 888888 66666 88888 48888 13221",
    "wmt14enfr_xeon@154.7ms": "512 512 666666 888888 6 8 8 1",
    "wmt14enfr_xeon@208.8ms": "512 512 666666 888888 66 88 88 13",
    "wmt14enfr_xeon@329.4ms": "512 512 646664 888888 6666 8888 4888 1121",
    "wmt14enfr_xeon@394.5ms": "512 512 666666 888888 66666 88884 48888 13231",
    "wmt14enfr_xeon@442.0ms": "512 512 666666 888888 666666 888884 488888 122311",
    "wmt19ende_titanxp@55.7ms": "640 512 666666 888888 6 8 8 2",
    "wmt19ende_titanxp@93.2ms": "640 512 666666 888888 66 88 88 13",
    "wmt19ende_titanxp@134.5ms": "512 512 666666 488888 666 888 488 122",
    "wmt19ende_titanxp@176.1ms": "512 512 666666 488888 6666 8888 4888 1221",
    "wmt19ende_titanxp@204.5ms": "512 512 666666 488888 66666 88884 48888 12211",
    "wmt19ende_titanxp@237.8ms": "512 512 666666 488888 666666 888844 488888 122211",
}
"""By task, device and latency: widths of encoder and decoder; one digit per layer for the encoder's feed-forward (in
512) and heads; for the decoder's feed-forward, heads, heads of the attention to the encoder, and the number of the
encoder's last layers that it attends."""

_ATTENDED = {-1: 1, 1: 2, 2: 3}
"""Numbers of layers by the numbers that the code writes for them."""

_KEYS = {
    "encoder_ffn": "encoder-ffn-embed-dim-all-subtransformer",
    "encoder_heads": "encoder-self-attention-heads-all-subtransformer",
    "ffn": "decoder-ffn-embed-dim-all-subtransformer",
    "heads": "decoder-self-attention-heads-all-subtransformer",
    "cross_heads": "decoder-ende-attention-heads-all-subtransformer",
    "attended": "decoder-arbitrary-ende-attn-all-subtransformer",
}
_WIDTHS = ("encoder-embed-dim-subtransformer", "decoder-embed-dim-subtransformer")
_DEPTHS = ("encoder-layer-num-subtransformer", "decoder-layer-num-subtransformer")


def published(name: str) -> dict[str, Any]:
    """The options by the names of choices, of a network that was published.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PUBLISHED:
        raise UsageError(
            f"HAT's authors publish no network {name!r}; there are {listed(tuple(PUBLISHED), wanted=name)}."
        )
    encoder_width, decoder_width, *digits = PUBLISHED[name].split()
    rows = [[int(digit) for digit in layers] for layers in digits]
    rows[0], rows[2] = [512 * n for n in rows[0]], [512 * n for n in rows[2]]
    return _options((int(encoder_width), int(decoder_width)), rows)


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options by the names of choices, of what a file of the released code says.

    Raises:
        UsageError: a key is missing, lists do not have one entry per layer, or a number of layers is unknown.
    """
    missing = [key for key in (*_WIDTHS, *_DEPTHS, *_KEYS.values()) if key not in config]
    if missing:
        raise UsageError(f"A network of HAT's code is said by more keys: {', '.join(missing)} are missing.")
    layers = [config[key] for key in _DEPTHS]
    rows = [list(config[key]) for key in _KEYS.values()]
    for place, (key, row) in enumerate(zip(_KEYS.values(), rows, strict=True)):
        if len(row) != layers[place >= 2]:
            raise UsageError(f"{key} has {len(row)} entries for {layers[place >= 2]} layers; give one per layer.")
    unknown = set(rows[-1]) - set(_ATTENDED)
    if unknown:
        raise UsageError(
            f"{_KEYS['attended']} holds {min(unknown)}; -1 stands for the encoder's last layer, 1 for its last two and "
            "2 for its last three."
        )
    rows[-1] = [_ATTENDED[number] for number in rows[-1]]
    return _options((config[_WIDTHS[0]], config[_WIDTHS[1]]), rows)


def to_config(arch: Arch) -> dict[str, Any]:
    """What a file of the released code says of an architecture."""
    said: dict[str, Any] = dict(arch.options())
    numbers = {count: number for number, count in _ATTENDED.items()}
    layers = (sum(name.startswith("encoder.") and name.endswith(".ffn") for name in said), said["decoder.depth"])
    config: dict[str, Any] = dict(zip(_WIDTHS, (said["encoder.width"], said["decoder.width"]), strict=True))
    config |= dict(zip(_DEPTHS, layers, strict=True))
    for role, key in _KEYS.items():
        side, count = ("encoder", layers[0]) if role.startswith("encoder") else ("decoder", layers[1])
        row = [said[f"{side}.layer{n}.{role.removeprefix('encoder_')}"] for n in range(1, count + 1)]
        config[key] = [numbers[one] for one in row] if role == "attended" else row
    return config


def _options(widths: tuple[int, int], rows: list[list[int]]) -> dict[str, Any]:
    options: dict[str, Any] = {"encoder.width": widths[0], "decoder.width": widths[1], "decoder.depth": len(rows[2])}
    for role, row in zip(_KEYS, rows, strict=True):
        side = "encoder" if role.startswith("encoder") else "decoder"
        options |= {f"{side}.layer{n}.{role.removeprefix('encoder_')}": size for n, size in enumerate(row, start=1)}
    return options
