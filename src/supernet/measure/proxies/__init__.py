"""Scores of architectures as they are before any training ("zero-cost proxies").

A proxy is a value that rates a network with fresh weights; the catalogue knows it by the name of its module, and
another package offers its own in the group `supernet.proxies`.
"""

from supernet.measure.proxies._protocol import Joined, Proxy
from supernet.measure.proxies._untrained import Untrained, untrained
from supernet.measure.proxies.az_nas import AZNAS
from supernet.measure.proxies.blocks import blocks_of
from supernet.measure.proxies.effective_depth import EffectiveDepth
from supernet.measure.proxies.grad_norm import GradNorm
from supernet.measure.proxies.grasp import GraSP
from supernet.measure.proxies.jacov import JaCov
from supernet.measure.proxies.naswot import NASWOT
from supernet.measure.proxies.rating import proxy_of, proxy_scores
from supernet.measure.proxies.shortcut import Shortcut
from supernet.measure.proxies.snip import SNIP
from supernet.measure.proxies.synflow import SynFlow
from supernet.measure.proxies.vkdnw import VKDNW
from supernet.measure.proxies.zico import ZiCo

__all__ = [
    "AZNAS",
    "NASWOT",
    "SNIP",
    "VKDNW",
    "EffectiveDepth",
    "GraSP",
    "GradNorm",
    "JaCov",
    "Joined",
    "Proxy",
    "Shortcut",
    "SynFlow",
    "Untrained",
    "ZiCo",
    "blocks_of",
    "proxy_of",
    "proxy_scores",
    "untrained",
]
