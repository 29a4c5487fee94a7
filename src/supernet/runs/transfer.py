"""A trained supernet on new data: features kept, classifier new, trained while it is searched (Zhang et al., §3.4)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from torch import Tensor

from supernet.data import ImageData
from supernet.deploy.resize import resized
from supernet.deploy.surgery import find_classifier, replace_classifier, with_learned_input
from supernet.errors import UsageError
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.runs.config import Named, Searching, Transfer
from supernet.search import Front, Shifting

if TYPE_CHECKING:
    from supernet.runs.run import Run

SHIFTING = Shifting(
    lr=0.05, images=640, update="batch", evaluate="after", initial=True, momentum=0.9, weight_decay=4e-5
)
"""Ten steps of SGD on each candidate. The paper says "tens of iterations", updated at once, but no learning rate for
transfer; the released code has 1e-4 with momentum 0.9. This one is ours, for supernets of this package's size."""


@dataclass(frozen=True)
class Transferred:
    """What a transfer leaves.

    Attributes:
        directory: A run directory on the new data, to search, export, judge and report like any other.
        net: The supernet with its new classifier, trained by the search.
        front: What the search found.
    """

    directory: RunDirectory
    net: Supernet
    front: Front


def transfer(
    run: Path | str,
    *,
    data: str,
    out: Path | str,
    data_options: Mapping[str, Any] | None = None,
    classifier: str | None = None,
    adapt: Literal["resize", "learned"] = "resize",
    tune: Literal["all", "head"] = "all",
    shifting: Shifting = SHIFTING,
    searching: Searching | None = None,
    seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Transferred:
    """Move a trained supernet to another data set and search it there, training it on every candidate.

    The feature extractor keeps its weights. The classifier is a new one for the new classes. Images are resized to what
    the supernet was trained with, or a layer in front of it learns to. No supernet is trained anew.

    Args:
        run: Run directory of the trained supernet; it is left as it is.
        data: Data set by name or path, as on the command line.
        out: Run directory to make.
        data_options: Options of the data.
        classifier: Name of the layer to replace, such as `"head.4"`. Default: the last linear layer with as many
            outputs as the run had classes.
        adapt: `"resize"`: in the data (better in the paper). `"learned"`: by a 1 × 1 convolution and an interpolation
            that are part of the network.
        tune: Train the whole supernet, or only what is new (`"head"`: the classifier, and a learned input).
        shifting: How candidates are trained on.
        searching: How to search. Default: as the run was.
        seed: Default: that of the run.
        resume: Go on where a killed transfer stopped.
        overwrite: Replace a run that is in `out`.
        progress: Whether to show progress and say what happens.

    Raises:
        UsageError: the run has no checkpoint, the classifier cannot be found, the images cannot be adapted, or `out`
            holds another run, or nothing to resume, or another process is at work there.
        RunError: a file cannot be read or written, or the training diverged.
    """
    from supernet.runs.run import Run
    from supernet.train import checkpoint, load_weights

    for name, value, allowed in (("adapt", adapt, ("resize", "learned")), ("tune", tune, ("all", "head"))):
        if value not in allowed:
            raise UsageError(f"{name}={value!r} does not exist for a transfer; use one of {allowed}.")
    if Path(run).resolve() == Path(out).resolve():
        raise UsageError(f"{out} is the run to transfer; choose another directory for the new one.")

    def say(text: str) -> None:
        if progress:
            sys.stdout.write(text + "\n")

    with RunDirectory(out).alone(say):
        source = Run.open(Path(run), say)
        load_weights(source.net, source.directory.path)
        before = source.config.transfer
        num_classes, shape = _trained_on(source) if before is None else (before.num_classes, before.shape)
        if classifier is None:
            classifier = find_classifier(source.net, num_classes) if before is None else before.classifier
        facts = Transfer(str(run), num_classes, *shape, classifier=classifier, adapt=adapt, tune=tune)
        options = dict(data_options or {})
        if adapt == "resize" and Path(data).expanduser().is_dir():
            options = {"size": shape[1]} | options  # decoded at that size, rather than resized a second time
        config = replace(
            source.config,
            data=Named(data, options),
            transfer=facts,
            search=searching or source.config.search,
            seed=source.config.seed if seed is None else seed,
        )
        job = Run.create(config, Path(out), overwrite=overwrite, resume=resume, say=say)
        say(f"{job.data}")
        kept = inherit(job.net, source.net, classifier)
        say(f"{kept} of {len(job.net.state_dict())} tensors inherited from {run}; new classifier: {classifier}")
        job.check_search(shifting)
        job.directory.begin()
        if checkpoint.latest(job.directory.checkpoints) is None:
            job.directory.write("space.json", job.net.space.to_json())
            job.directory.write_environment()
            _save(job, 0)
        with _only(job.net, tune, classifier):
            front = job.search(resume=resume, wrap=shifting)
        _save(job, front.evaluations)
        return Transferred(job.directory, job.net, front)


def adapted_data(data: ImageData, facts: Transfer | None) -> ImageData:
    """The images as a transferred supernet takes them."""
    return data if facts is None or facts.adapt == "learned" else resized(data, facts.shape)


def data_before(data: ImageData, facts: Transfer | None) -> ImageData:
    """Data that the supernet was built for before it was transferred: its shape and number of classes, no more."""
    if facts is None:
        return data
    classes = tuple(map(str, range(facts.num_classes)))
    return replace(data, shape=facts.shape, classes=classes)


def transferred(net: Supernet, data: ImageData, facts: Transfer | None) -> Supernet:
    """A supernet built for the old data, given its new classifier and input.

    Raises:
        UsageError: there is no such classifier.
    """
    if facts is None:
        return net
    replace_classifier(net, facts.classifier, data.num_classes)
    net.input_shape = data.shape
    return net if facts.adapt == "resize" else with_learned_input(net, data.shape[0], facts.shape)


def inherit(net: Supernet, source: Supernet, classifier: str) -> int:
    """Copy all weights but the classifier's and the input layer's, and return how many tensors these are."""
    mine, theirs = net.state_dict(), _plain_names(source.state_dict())
    inherited: dict[str, Tensor] = {}
    for name, plain in zip(mine, _plain_names(mine), strict=True):
        if not plain.startswith((f"module.{classifier}.", "module.resample.")):
            inherited[name] = theirs[plain]
    net.load_state_dict(mine | inherited)
    return len(inherited)


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as they are without a learned input in front."""
    learned = any(name.startswith("module.resample.") for name in state)
    return {name.replace("module.network.", "module.", 1) if learned else name: value for name, value in state.items()}


def _trained_on(source: Run) -> tuple[int, tuple[int, int, int]]:
    """Classes and image shape of a run; its images need not be at hand."""
    if (source.directory / "data.json").is_file():
        told = source.directory.read("data.json")
        return int(told["num_classes"]), cast(tuple[int, int, int], tuple(told["shape"]))
    return source.data.num_classes, source.data.shape


@contextmanager
def _only(net: Supernet, tune: str, classifier: str) -> Iterator[None]:
    """Inside, what is not tuned needs no gradient."""
    new: Sequence[str] = (f"module.{classifier}.", f"module.network.{classifier}.", "module.resample.")
    frozen = [p for name, p in net.named_parameters() if tune == "head" and not name.startswith(tuple(new))]
    frozen = [parameter for parameter in frozen if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def _save(job: Run, evaluations: int) -> None:
    """A checkpoint that `load_weights` reads like that of a training."""
    from supernet.train import checkpoint

    tensors = {f"net/{name}": value for name, value in job.net.state_dict().items()}
    meta = {
        "step": evaluations,
        "identity": {"space": job.net.space.fingerprint, "transfer": job.config.to_json()["transfer"]},
    }
    checkpoint.save(job.directory.checkpoints / f"step-{evaluations:09d}.safetensors", tensors, meta)
