"""Blocks of ResNeSt: a bottleneck whose 3 × 3 convolution attends to its splits (Zhang et al., arXiv 2004.08955)."""

from __future__ import annotations

from torch import Tensor, nn

from supernet.zoo.layers import Norm, conv_bn


class SplitAttention(nn.Module):
    """A 3 × 3 convolution in `radix` splits, weighed channel by channel: (B, width, H, W) -> (B, width, H, W).

    The weights come from the means of all splits together, and sum to one over the splits; with a single one they are
    a sigmoid gate. Between two 1 × 1 convolutions stand width × radix / 4 channels, at least 32.

    Args:
        width: Number of channels, a multiple of `cardinality`.
        radix: Number of splits.
        cardinality: Number of groups of each split.
        norm: Maker of BatchNorms.
    """

    def __init__(self, width: int, *, radix: int, cardinality: int, norm: Norm) -> None:
        super().__init__()
        self.radix, self.cardinality = radix, cardinality
        between = -(-max(width * radix // 4, 32) // cardinality) * cardinality
        groups = radix * cardinality
        self.splits = nn.Sequential(
            *conv_bn(width, width * radix, 3, groups=groups, norm=norm, activation="relu"),
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, between, 1, groups=cardinality),
            norm(between),
            nn.ReLU(inplace=True),
            nn.Conv2d(between, width * radix, 1, groups=cardinality),
        )

    def forward(self, x: Tensor) -> Tensor:
        splits = self.splits(x).unflatten(1, (self.radix, -1))
        scores = self.attention(splits.sum(1)).unflatten(1, (self.cardinality, self.radix, -1)).transpose(1, 2)
        weights = scores.softmax(1) if self.radix > 1 else scores.sigmoid()
        out: Tensor = (splits * weights.flatten(2, 3)).sum(1)
        return out


class ResNeStBody(nn.Sequential):
    """1 × 1, split attention, average pooling where it reduces, 1 × 1: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Its inner width is ⌊planes × base / 64⌋ × cardinality, rounded up to a multiple of radix × cardinality, which
    changes nothing at the published widths. There is no shortcut, and no activation at the end.

    Args:
        width_in: c_in.
        width_out: c_out.
        planes: The width of the stage.
        radix: Number of splits.
        cardinality: Number of groups.
        base: Base width, of 64.
        stride: s.
        norm: Maker of BatchNorms.
        zero_gamma: Whether the scale of the last BatchNorm begins as zero.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        planes: int,
        radix: int,
        cardinality: int,
        base: int,
        stride: int,
        norm: Norm,
        zero_gamma: bool,
    ) -> None:
        groups = radix * cardinality
        inner = -(-max(1, int(planes * base / 64)) * cardinality // groups) * groups
        super().__init__(
            *conv_bn(width_in, inner, norm=norm, activation="relu"),
            SplitAttention(inner, radix=radix, cardinality=cardinality, norm=norm),
            *([nn.AvgPool2d(3, stride, padding=1)] if stride > 1 else []),
            *conv_bn(inner, width_out, norm=norm),
        )
        last = self[-1]
        if zero_gamma and isinstance(last, nn.BatchNorm2d):
            nn.init.zeros_(last.weight)
