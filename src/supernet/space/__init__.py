"""What may vary: choices, spaces, architectures. NumPy only."""

from supernet.space.arch import Arch, Codes
from supernet.space.choice import Choice
from supernet.space.expression import Expr, Option, largest_value, round_to
from supernet.space.space import Space
from supernet.space.subsets import subsets

__all__ = ["Arch", "Choice", "Codes", "Expr", "Option", "Space", "largest_value", "round_to", "subsets"]
