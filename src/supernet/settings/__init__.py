"""Values from names and settings, for the command line, configuration files and studies.

A setting has a dotted name that reaches into the values a function takes: `weights.lr` is the field `lr` of what the
parameter `weights` is by default. A piece is given by its name, and its settings like any others:

    weights.schedule=Cosine  weights.schedule.floor=0.04         on the command line
    {"weights": {"schedule": {"piece": "Cosine", "floor": 0.04}}}     in a file; dotted names are understood too

In the same way a parameter that is a `Recipe` takes the name of a method: `recipe=fairnas  recipe.weights.lr=0.1`, or
`{"method": "fairnas", …}`. Whatever has a name may also be given as `module:name`.
"""

from supernet.settings.annotations import parameters_of
from supernet.settings.text import expanded, parse
from supernet.settings.values import build, call, changed, inner_methods

__all__ = ["build", "call", "changed", "expanded", "inner_methods", "parameters_of", "parse"]
