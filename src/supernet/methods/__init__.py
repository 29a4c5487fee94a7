"""Published methods: each a short file that composes pieces of `supernet.train` into a recipe."""

from supernet.methods.darts import darts
from supernet.methods.fairnas import fairnas
from supernet.methods.one_shot import one_shot
from supernet.methods.sandwich import sandwich
from supernet.methods.spos import spos

__all__ = ["darts", "fairnas", "one_shot", "sandwich", "spos"]
