"""A trained supernet on new data: features kept, classifier new, trained while it is searched (Zhang et al., §3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from supernet.deploy.new_data import inherit, tuned
from supernet.deploy.surgery import find_classifier
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.config import Config, Named, Searching, Transfer
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.runs.naming import build_shifting
from supernet.runs.run import Run, Say, silent
from supernet.runs.search import check_search, search
from supernet.search import Front, Shifting
from supernet.train import checkpoint

SHIFTING = Shifting(
    lr=0.05, images=640, update="batch", evaluate="after", initial=True, momentum=0.9, weight_decay=4e-5
)
"""Ten steps of SGD on each candidate. The paper says "tens of iterations", updated at once, but no learning rate for
transfer; the released code has 1e-4 with momentum 0.9. This one is ours, for supernets of this package's size."""


@dataclass(frozen=True)
class Transferred:
    """What a transfer leaves.

    Attributes:
        run: A run on the new data, to search, export, judge and report like any other.
        front: The front that the search found.
    """

    run: Run
    front: Front

    @property
    def net(self) -> Supernet:
        """The supernet with its new classifier, trained by the search."""
        return self.run.net


def transfer(
    run: Path | str,
    *,
    out: Path | str,
    data: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    classifier: str | None = None,
    adapt: Literal["resize", "learned"] | None = None,
    tune: Literal["all", "head"] | None = None,
    shifting: Shifting | None = None,
    searching: Searching | None = None,
    seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    say: Say = silent,
) -> Transferred:
    """Move a trained supernet to another data set and search it there, training it on every candidate.

    The feature extractor keeps its weights. The classifier is a new one for the new classes. Images are resized to what
    the supernet was trained with, or a layer in front of it learns to. No supernet is trained anew.

    Args:
        run: Run directory of the trained supernet; it is left as it is.
        out: Run directory to make.
        data: Data set by name or path, as on the command line; needed unless a transfer is resumed.
        data_options: Options of the data, by name.
        classifier: Name of the layer to replace, such as `"head.4"`. Default: the last linear layer with as many
            outputs as the run had classes.
        adapt: `"resize"` (default): in the data (better in the paper). `"learned"`: by a 1 × 1 convolution and an
            interpolation that are part of the network.
        tune: Train the whole supernet (`"all"`, the default), or only what is new (`"head"`: the classifier, and a
            learned input).
        shifting: How candidates are trained on. None: `SHIFTING`.
        searching: How to search. None: as the run was searched.
        seed: The seed of the new run. None: that of the run.
        resume: Go on where a killed transfer stopped, with its settings; what is given must be the same, but for a
            larger budget.
        overwrite: Replace a run that is in `out`.
        say: A function that is called with each sentence about the progress.

    Raises:
        UsageError: the run has no checkpoint, the classifier cannot be found, the images cannot be adapted, or `out`
            holds another run, or nothing to resume, or another process is at work there.
        RunError: a file cannot be read or written, or the training diverged.
    """
    if Path(run).resolve() == Path(out).resolve():
        raise UsageError(f"{out} is the run to transfer; choose another directory for the new one.")
    place = RunDirectory(out)
    with place.alone(say):
        source = Run.open(run, say)
        source.load()
        kept = Run.open(out).config if resume and place.is_run else None
        if kept is not None and kept.transfer is None:
            raise UsageError(f"{out} is a run that was not transferred; choose the directory of one to resume.")
        base = _begun(source, kept, data, data_options, classifier, adapt, tune, shifting)
        config = replace(
            base,
            search=searching or (kept or source.config).search,
            seed=base.seed if seed is None else seed,
        )
        facts = config.transfer
        assert facts is not None
        job = Run.create(config, Path(out), overwrite=overwrite, resume=resume, say=say)
        say(f"{job.data}")
        count = inherit(job.net, source.net, facts.classifier)
        say(f"{count} of {len(job.net.state_dict())} tensors inherited from {run}; new classifier: {facts.classifier}")
        wrap = shifting or (SHIFTING if facts.shifting is None else build_shifting(facts.shifting))
        check_search(job, wrap)
        job.directory.begin()
        if checkpoint.latest(job.directory.checkpoints) is None:
            job.directory.write("space.json", job.net.space.to_json())
            job.directory.write_environment()
            _save(job, 0)
        with tuned(job.net, facts.tune, facts.classifier):
            front = search(job, resume=resume, wrap=wrap)
        _save(job, front.evaluations)
        return Transferred(job, front)


def _begun(
    source: Run,
    kept: Config | None,
    data: str | None,
    data_options: Mapping[str, Any] | None,
    classifier: str | None,
    adapt: str | None,
    tune: str | None,
    shifting: Shifting | None,
) -> Config:
    """The configuration of the new run: as it was begun, or of the source on new data, with what is given."""
    given: dict[str, Any] = {"classifier": classifier, "adapt": adapt, "tune": tune}
    given = {name: value for name, value in given.items() if value is not None}
    if shifting is not None:
        given["shifting"] = _settings(shifting)
    if kept is not None:
        assert kept.transfer is not None
        asked = kept.data if data is None else Named(data, {**kept.data.options, **(data_options or {})})
        return replace(kept, data=asked, transfer=replace(kept.transfer, **given))
    if data is None:
        raise UsageError("Name the data set to move to with --data.")
    before = source.config.transfer
    if before is None:
        told = source.directory / "data.json"
        facts = source.directory.read("data.json", schema.Data) if told.is_file() else source.facts
        num_classes, shape = facts.num_classes, _image_shape(facts)
        if classifier is None:
            given["classifier"] = find_classifier(source.net, num_classes)
    else:
        num_classes, shape = before.num_classes, before.shape
        given.setdefault("classifier", before.classifier)
    transferred = Transfer(str(source.directory.path), num_classes, *shape, **{"shifting": _settings(SHIFTING)} | given)
    options = dict(data_options or {})
    if transferred.adapt == "resize" and Path(data).expanduser().is_dir():
        options = {"size": shape[1]} | options  # decoded at that size, rather than resized a second time
    return replace(source.config, data=Named(data, options), transfer=transferred)


def _image_shape(facts: schema.Data) -> tuple[int, int, int]:
    if not isinstance(facts.shape, list) or len(facts.shape) != 3:
        raise UsageError(
            f"A supernet is transferred to new images, but this one was trained on {facts.name}, which holds no images."
        )
    channels, height, width = facts.shape
    return channels, height, width


def _settings(shifting: Shifting) -> dict[str, Any]:
    left_out = ("on_generation", "checkpoint_every")  # they do not decide the result
    return {f.name: getattr(shifting, f.name) for f in fields(shifting) if f.name not in left_out}


def _save(job: Run, evaluations: int) -> None:
    """A checkpoint that `load_weights` reads like that of a training."""
    tensors = {f"net/{name}": value for name, value in job.net.state_dict().items()}
    meta = {
        "step": evaluations,
        "journal": job.net.changes,
        "identity": {"space": job.net.space.fingerprint, "transfer": job.config.to_json()["transfer"]},
    }
    checkpoint.save(job.directory.checkpoints / f"step-{evaluations:09d}.safetensors", tensors, meta)
