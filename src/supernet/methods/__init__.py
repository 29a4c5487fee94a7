"""Published methods: each a short file that composes pieces of `supernet.train` into a recipe."""

from supernet.methods.cells.darts import darts
from supernet.methods.elastic.attentivenas import attentivenas
from supernet.methods.elastic.sandwich import sandwich
from supernet.methods.nshot.few_shot import few_shot
from supernet.methods.nshot.gm_nas import gm_nas
from supernet.methods.nshot.k_shot import k_shot
from supernet.methods.single_path.dynas import dynas
from supernet.methods.single_path.fairnas import fairnas
from supernet.methods.single_path.greedynas import greedynas
from supernet.methods.single_path.one_shot import one_shot
from supernet.methods.single_path.spos import spos
from supernet.methods.single_path.sum_nas import sum_nas

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
