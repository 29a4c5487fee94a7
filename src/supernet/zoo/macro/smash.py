"""The space of SMASH (Brock et al., ICLR 2018): operations that read and write banks of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.layers import classifier
from supernet.zoo.macro.memory_banks import MemoryBlock, MemoryOperation

PAPER = Paper(
    name="SMASH",
    title="SMASH: One-Shot Model Architecture Search through HyperNetworks",
    authors=("Brock", "Lim", "Ritchie", "Weston"),
    venue="ICLR",
    year=2018,
    arxiv="1708.05344",
    provenance="reconstruction",
)

TINY: dict[str, Any] = {
    "bank": 8,
    "inputs": 2,
    "operations": (2, 2),
    "banks": 4,
    "kernels": (3, 5),
    "dilations": (1, 2),
}
"""Options of a network for images of 8 to 32 pixels that trains on a CPU."""


def smash(
    *,
    bank: int = 16,
    inputs: int = 4,
    banks: int = 10,
    operations: Sequence[int] = (6, 6, 6),
    reads: int = 4,
    writes: int = 2,
    bottleneck: int = 2,
    kernels: Sequence[int] = (3, 5, 7),
    dilations: Sequence[int] = (1, 2, 3),
    groups: Sequence[int] = (1, 2, 4, 8),
    statistics: Statistics = "batch",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
) -> Supernet:
    """SMASH's memory banks: in three blocks operations read some banks and add to others; 5.3 · 10⁸⁷ networks.

    Brock et al., ICLR 2018, [arXiv 1708.05344](https://arxiv.org/abs/1708.05344), §3.1. A reconstruction in which all
    banks have one width and the number of operations is fixed.

    A block has `banks` tensors of `bank` channels. Its input fills the first `inputs`, the others begin as zeros.
    Operation t, with choices `"block1.op1.reads"`, `".writes"`, `".kernel"`, `".dilation"` and `".groups"`, may read
    banks up to t − 1 beyond the input, and write to one more. It applies a convolution of kernel 1 to what it reads,
    whose weights are generated (`nn.hyper`), and then one of a larger kernel, whose weights are free and shared by all
    operations of the block; the result is added to each bank that it writes. All banks side by side go on to the next
    block, at half the side.

    Args:
        bank: Channels of a bank.
        inputs: Banks that the input of a block fills.
        banks: Banks of a block.
        operations: Operations of each block.
        reads: The largest number of banks that an operation reads.
        writes: The largest number of banks that an operation writes to.
        bottleneck: Ratio of the channels between the two convolutions to those of a bank.
        kernels: Sides of the larger kernel.
        dilations: Distances of its points.
        groups: Numbers of groups of its convolution.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`. The authors' networks have none
            while weights are generated; the one between the two convolutions is that of their final networks.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, or an image that the blocks halve to nothing.

    >>> smash(**TINY).space.size == ((3 * 6) * (7 * 10)) ** 2 * (2 * 2 * 4) ** 4
    True
    """
    check_at_least_one(bank=bank, inputs=inputs, reads=reads, writes=writes, bottleneck=bottleneck)
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    for name, options in (
        ("kernels", kernels),
        ("dilations", dilations),
        ("groups", groups),
        ("operations", operations),
    ):
        if not options or min(options) < 1 or (name != "operations" and len(set(options)) < len(options)):
            raise UsageError(f"The {name} are {tuple(options)}; give at least one number of at least 1, each once.")
    if banks < inputs or any(kernel % 2 == 0 for kernel in kernels) or any(bank % count for count in groups):
        raise UsageError(
            f"A block of {banks} banks of {bank} channels cannot have {inputs} at first, kernels {tuple(kernels)} and "
            f"groups {tuple(groups)}: at first are at most all, kernels are odd, and groups divide the channels."
        )
    if image_size < 2 ** (len(operations) - 1):
        raise UsageError(
            f"{len(operations)} blocks halve an image of {image_size} pixels to nothing; give larger ones."
        )
    width = inputs * bank
    blocks = [
        MemoryBlock(
            f"block{number}",
            count,
            bank=bank,
            inputs=inputs,
            banks=banks,
            reads=reads,
            writes=writes,
            hidden=bottleneck * bank,
            kernels=tuple(kernels),
            dilations=tuple(dilations),
            groups=tuple(groups),
            statistics=statistics,
        )
        for number, count in enumerate(operations, start=1)
    ]
    last = [batch_norm(banks * bank, statistics=statistics), nn.ReLU()]
    net = Memory(
        nn.Conv2d(in_channels, width, 7, padding=3, bias=False),
        blocks,
        [_transition(banks * bank, width, statistics) for _ in blocks[1:]],
        classifier(last, banks * bank, num_classes),
    )
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class Memory(nn.Module):
    """Stem, blocks with transitions between them, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self, stem: nn.Module, blocks: Sequence[nn.Module], transitions: Sequence[nn.Module], head: nn.Module
    ) -> None:
        super().__init__()
        self.stem, self.blocks = stem, nn.ModuleList(blocks)
        self.transitions, self.head = nn.ModuleList(transitions), head

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number < len(self.transitions):
                x = self.transitions[number](x)
        return cast(Tensor, self.head(x))

    def diagram(self, arch: Arch) -> Diagram:
        """The operations of each block, one after another, with the banks that each reads and writes."""
        nodes, edges, before = [Node("stem", "stem", kind="input")], [], "stem"
        for block in self.blocks:
            for operation in cast(MemoryBlock, block).operations:
                name = cast(MemoryOperation, operation).name
                reads, writes = (cast("tuple[int, ...]", arch[f"{name}.{what}"]) for what in ("reads", "writes"))
                told = f"{', '.join(map(str, reads))} → {', '.join(map(str, writes))}"
                nodes.append(Node(name, told, kind="node"))
                edges.append(Edge(before, name))
                before = name
        nodes.append(Node("output", "output", kind="output"))
        return Diagram(tuple(nodes), (*edges, Edge(before, "output")))


def _transition(width_in: int, width_out: int, statistics: Statistics) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width_out, 1, bias=False)
    return nn.Sequential(batch_norm(width_in, statistics=statistics), nn.ReLU(), convolution, nn.AvgPool2d(2))
