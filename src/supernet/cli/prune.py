"""`supernet prune`: a trained model, cut to a share of its cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from cyclopts import Group, Parameter

from supernet.cli.fields import ABOVE_0, NOTHING, PAIRS, at_least, listed
from supernet.cli.options import TRAINING, DataOptions, Out, Resume, SeedOptions
from supernet.cli.output import Json, Output

_CUT = Group("Cut", sort_key=1)


def prune(
    model: Annotated[
        str,
        Parameter(
            help="module:function that builds the model, such as torchvision.models:resnet18 or timm:create_model, or "
            "a folder that transformers has saved."
        ),
    ],
    /,
    *,
    out: Out,
    keep: Annotated[
        list[str],
        PAIRS,
        Parameter(
            name=("--keep", "-k"),
            group=_CUT,
            help="What may be kept of params, macs or latency_ms, such as params=60% or macs=2e8. Repeatable.",
        ),
    ],
    argument: Annotated[
        list[str] | None,
        PAIRS,
        Parameter(name=("--argument", "-A"), group=_CUT, help="Argument of the function, as name=value. Repeatable."),
    ] = None,
    weights: Annotated[
        str | None, Parameter(group=_CUT, help="File with the state dict of the model (.safetensors, .pt).")
    ] = None,
    width: Annotated[
        tuple[float, ...] | None,
        listed(float),
        Parameter(group=_CUT, help="Shares of each dimension that may be kept, such as 0.5,0.75,1."),
    ] = None,
    depth: Annotated[
        Literal["any", "last", "none"],
        Parameter(group=_CUT, help="Which whole blocks may go: any, only the last of a list, or none."),
    ] = "any",
    exclude: Annotated[
        tuple[str, ...] | None, listed(), Parameter(group=_CUT, help="Patterns of the names of dimensions that stay.")
    ] = None,
    sort: Annotated[
        Literal["taylor", "norm", "activation", "none"],
        Parameter(group=_CUT, help="What channels, heads and neurons are sorted by, the most important first."),
    ] = "taylor",
    damage: Annotated[
        Literal["divergence", "loss"],
        Parameter(
            group=_CUT, help="What the damage of an option is: the divergence from the model's outputs, or the loss."
        ),
    ] = "divergence",
    images: Annotated[
        int, at_least(1), Parameter(group=_CUT, help="Number of validation examples that damage is measured on.")
    ] = 512,
    checks: Annotated[
        int,
        at_least(0),
        Parameter(group=_CUT, help="Number of random subnets whose damage is compared with the sum of their options'."),
    ] = 16,
    finetune_steps: Annotated[
        int, at_least(0), Parameter(group=TRAINING, help="Steps of training after the cut; 0: none.")
    ] = 0,
    distil: Annotated[
        bool, Parameter(group=TRAINING, help="Whether that training learns from the model, beside the labels.")
    ] = True,
    lr: Annotated[float, ABOVE_0, Parameter(group=TRAINING, help="Learning rate of that training.")] = 0.01,
    batch_size: Annotated[int, at_least(2), Parameter(group=TRAINING, help="Examples per step of it.")] = 64,
    data: DataOptions = NOTHING,
    seed: SeedOptions = NOTHING,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Cut a trained model to a share of its parameters, MACs or latency, with little training or none.

    Every width and depth is rated once, an integer program chooses, and what is left is written as a folder that loads
    without this package.

    supernet prune torchvision.models:resnet18 -A num_classes=10 --weights resnet18.pt --data cifar.npz --keep macs=60%
    --out small

    supernet prune my-llama/ --data my_data:text --keep params=80% --damage loss --out smaller
    """
    from dataclasses import replace

    from supernet.io.config import Config, Named
    from supernet.runs.naming import build_data
    from supernet.runs.prune import prune as runs_prune
    from supernet.runs.pruning import Pruning

    output = Output(as_json)
    named = Named(str(data.get("data", Config().data.name)), data.get("data_options", {}))
    config = replace(Config(), data=named, seed=seed.get("seed", Config().seed))
    given: dict[str, Any] = {"width": width, "exclude": exclude}
    asked = Pruning(
        model=model,
        arguments=dict(cast(Any, argument) or {}),
        weights=weights,
        keep={name: str(value) for name, value in cast(Any, keep).items()},
        depth=depth,
        sort=None if sort == "none" else sort,
        damage=damage,
        images=images,
        checks=checks,
        finetune_steps=finetune_steps,
        distil=distil,
        lr=lr,
        batch_size=batch_size,
        seed=config.seed,
        **{name: value for name, value in given.items() if value is not None},
    )
    found = runs_prune(asked, build_data(config), out, resume=resume, say=output.say, progress=not as_json)
    lines = [
        f"{name:<10} {whole:>14,.0f} -> {kept:>14,.0f}  {kept / whole:.1%}"
        for name, (whole, kept) in found.costs.items()
    ]
    for stage, values in found.scores.items():
        lines.append(f"{stage:<10} " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
    lines.append(
        f"damage     {found.damage:.4g}, estimated {found.solution.value:.4g}; no choice of options has an estimate "
        f"that is better by more than {found.solution.gap:.2g}"
    )
    tau = "" if found.tau is None else f", Kendall's tau {found.tau:.2f}"
    lines.append(f"estimates  of {len(found.checked)} subnets are off by {found.additivity_error:.0%} in the mean{tau}")
    lines.append(f"written:   {found.folder}, which differs from the subnet by {found.difference:.1g}")
    output.result({"out": out, **found.to_json()}, "\n".join(lines))
