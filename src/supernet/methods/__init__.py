"""Published methods: each a short file that composes pieces of `supernet.train` into a recipe."""

from supernet.methods.attentivenas import attentivenas
from supernet.methods.darts import darts
from supernet.methods.dynas import dynas
from supernet.methods.fairnas import fairnas
from supernet.methods.few_shot import few_shot
from supernet.methods.gm_nas import gm_nas
from supernet.methods.greedynas import greedynas
from supernet.methods.k_shot import k_shot
from supernet.methods.one_shot import one_shot
from supernet.methods.sandwich import sandwich
from supernet.methods.spos import spos
from supernet.methods.sum_nas import sum_nas

__all__ = [
    "attentivenas",
    "darts",
    "dynas",
    "fairnas",
    "few_shot",
    "gm_nas",
    "greedynas",
    "k_shot",
    "one_shot",
    "sandwich",
    "spos",
    "sum_nas",
]
