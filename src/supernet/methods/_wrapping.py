"""What methods that go around any other have in common: their names, and what cannot be gone around."""

from __future__ import annotations

from supernet.errors import UsageError
from supernet.train import Copies, CopyPerOption, Dictionary, Part, Program, Recipe, Slice
from supernet.train.phases import PhasesBySpace


def around(name: str, recipe: Recipe) -> str:
    """The name of a method around another; around its published baseline, which bears it already, its own.

    >>> from supernet.methods import dynas, few_shot, spos
    >>> few_shot(dynas(spos())).name, few_shot().name
    ('few_shot(dynas(spos))', 'few_shot')
    """
    return name if recipe.name == name else f"{name}({recipe.name})"


def with_part(name: str, recipe: Recipe, part: str, value: Part) -> dict[str, Part | Slice]:
    """The parts of a recipe and one more.

    Raises:
        UsageError: the recipe has a part of this name already.
    """
    if part in recipe.parts:
        raise UsageError(
            f"{name} gives a method a part {part!r}, but {recipe.name!r} has one already. Give it a method without."
        )
    return {**recipe.parts, part: value}


def has_several_sets(recipe: Recipe) -> bool:
    """Whether a method makes several sets of weights of the supernet."""
    return isinstance(recipe.adapt, Copies | CopyPerOption | Dictionary)


def one_set_of_weights(name: str, recipe: Recipe) -> Program:
    """The program of a method that trains the paths of a sampler in one phase, on the supernet as it is given.

    Args:
        name: The method that makes several sets of weights of it.
        recipe: The recipe of the method that is made to have several.

    Raises:
        UsageError: it has several sets of weights, parts or phases already, or does not train the paths of a sampler.
    """
    if recipe.parts:
        raise UsageError(
            f"{name} makes several sets of weights of one supernet, but {recipe.name!r} has parts beside it, which "
            f"belong to one set: {', '.join(recipe.parts)}. Give it a method without, such as spos()."
        )
    if recipe.adapt is not None:
        raise UsageError(
            f"{name} makes several sets of weights of one supernet, but {recipe.name!r} has several already; use one "
            "of the two around a method that has one set, such as spos()."
        )
    if isinstance(recipe.program, tuple | PhasesBySpace):
        raise UsageError(
            f"{name} divides the training into phases, but {recipe.name!r} has phases of its own. Give it a method "
            "with one, such as spos()."
        )
    assert len(recipe.samplers) == 1
    return recipe.program
