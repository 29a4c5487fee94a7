"""Options: fields of the configuration that change it only where they are given."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import fields, replace

import pytest

from supernet.cli.app import app
from supernet.cli.asked import asked, named
from supernet.errors import UsageError
from supernet.io.config import Config, Exporting, Judging, Named, Searching, Training
from supernet.runs.naming import build_data

BASE = Config(
    space=Named("nasbench201", {"channels": 4}),
    train=Training(steps=20, average=0.5),
    search=Searching(searcher="evolution", searcher_options={"population": 9}, shifting={"lr": 1.0}),
)


def page(*words: str) -> str:
    """A page of help as one line."""
    out = io.StringIO()
    with redirect_stdout(out):
        app()([*words, "--help"], result_action="return_value")
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", out.getvalue()).split())


def test_what_is_not_given_stays() -> None:
    assert asked(BASE) == BASE
    assert asked(BASE, train={"steps": 800}).train == replace(BASE.train, steps=800)
    assert asked(BASE, train={"average": None}).train.average is None
    assert asked(BASE, seed={"seed": 5}) == replace(BASE, seed=5)


def test_settings_belong_to_their_name() -> None:
    assert asked(BASE, built={"space_options": {"cells": 1}}).space.options == {"channels": 4, "cells": 1}
    assert asked(BASE, built={"space": "nasbench201"}).space.options == {"channels": 4}
    assert asked(BASE, built={"tiny": True}).space.options == {"channels": 8, "cells": 1}
    assert asked(BASE, built={"tiny": True, "space_options": {"cells": 2}}).space.options == {"channels": 8, "cells": 2}
    assert asked(BASE, built={"space": "mbconv"}).space.options == {}
    assert asked(BASE, search={"searcher_options": {"parents": 2}}).search.searcher_options == {
        "population": 9,
        "parents": 2,
    }
    assert asked(BASE, search={"searcher": "random"}).search.searcher_options == {}
    assert named({"data": "digits", "data_options": {"seed": 1}}, "data") == Named("digits", {"seed": 1})
    assert named({}, "data") is None
    with pytest.raises(UsageError, match="--data-option is a setting of what --data names"):
        named({"data_options": {"seed": 1}}, "data")
    small = {"space": "nasbench201", "tiny": True}
    assert named(small, "space") == Named("nasbench201", {"channels": 8, "cells": 1})
    assert named(small | {"space_options": {"cells": 2}}, "space") == Named("nasbench201", {"channels": 8, "cells": 2})
    assert named({"method": "spos", **small}, "method") == Named("spos")
    with pytest.raises(UsageError, match="--tiny makes the space that --space names small"):
        named({"tiny": True}, "space")


def test_shifting_is_turned_on_and_off() -> None:
    assert asked(BASE, search={"shift": False}).search.shifting is None
    assert asked(BASE, search={"shift": True}).search.shifting == {}
    assert asked(BASE, search={"shift_options": {"lr": 2}}).search.shifting == {"lr": 2}


def test_another_table_brings_its_own_choices() -> None:
    before = asked(Config(), judge={"table": "a.npz", "dataset": "cifar100", "metric": "val_acc"})
    assert (before.judge.dataset, before.judge.metric) == ("cifar100", "val_acc")
    after = asked(before, judge={"table": "own.csv"})
    assert (after.judge.table, after.judge.dataset, after.judge.metric) == ("own.csv", "", "")
    assert asked(before, judge={"metric": "test_acc"}).judge.dataset == "cifar100"
    alone = asked(after, judge={"retrain": 9})
    assert (alone.judge.table, alone.judge.retrain) == ("", 9)
    assert asked(alone, judge={"table": "own.csv"}).judge.retrain == 0


def test_settings_of_formats_go_with_the_formats() -> None:
    before = asked(Config(), export={"formats": ("int8",), "format_options": {"int8.images": 512}}).export
    assert asked(replace(Config(), export=before), export={"count": 1}).export.format_options == {"int8.images": 512}
    assert asked(replace(Config(), export=before), export={"formats": ("onnx",)}).export.format_options == {}


def test_the_help_of_a_run_shows_every_field_with_its_default() -> None:
    text = page("run")
    spelled = {"count": "exports", "formats": "format", "constraints": "max", "searcher_options": "searcher-option"}
    spelled |= {"always": "search", "predictor_options": "predictor-option", "format_options": "format-option"}
    for section in (Training, Exporting, Judging, Searching):
        for field in fields(section):
            if field.name in ("seed", "shifting") or (section, field.name) == (Exporting, "calibration_images"):
                continue  # that of the run; --shift; there is one of the search too
            name = f"--{spelled.get(field.name, field.name).replace('_', '-')}"
            assert re.search(rf"{name}\b", text), name
            if isinstance(field.default, int | str) and not isinstance(field.default, bool) and field.default != "":
                assert re.search(rf"{name}\b.*?\[default: {field.default}\]", text), name
    for name in ("space", "method", "data"):
        assert re.search(rf"--{name}\b.*?\[default: {getattr(Config(), name).name}\]", text), name
    for words in ("[choices: 32-true, bf16-mixed]", "By default that and macs", "[default: onnx,program]"):
        assert words in text
    for panel in ("Supernet", "Training", "Search", "Export", "Truth", "Run", "Output"):
        assert f" {panel} " in text


@pytest.mark.parametrize(
    "verb", ["run", "train", "search", "export", "judge", "retrain", "transfer", "report", "bench", "compare", "cite"]
)
def test_every_page_of_help_has_an_example_and_a_meaning_for_each_option(verb: str) -> None:
    assert f"supernet {verb} " in page(verb).partition("Usage: ")[2].partition(" ")[2][len(verb) + 9 :]
    (command,) = [found for found in app() if found == verb]
    for argument in app()[command].assemble_argument_collection():
        if argument.show:
            assert len((argument.parameter.help or "").split()) > 2, argument.name


def test_settings_of_a_task_without_its_name_are_those_of_the_task_of_the_data() -> None:
    own = asked(BASE, built={"task_options": {"auxiliary": 0.2}})
    assert own.task == Named("data", {"auxiliary": 0.2})
    assert asked(own, built={"task_options": {"ignore_index": 0}}).task == Named(
        "data", {"auxiliary": 0.2, "ignore_index": 0}
    )
    assert asked(own, built={"task": "segmentation"}).task == Named("segmentation", {})
    scenes = replace(own, data=Named("digit_scenes", {"scenes": 12, "size": 32, "downscale": 2}))
    whole = build_data(replace(scenes, task=None)).task
    assert build_data(scenes).task == replace(whole, auxiliary=0.2)
    for options, says in (
        ({"auxilliary": 0.2}, "Segmentation has no setting 'auxilliary'; did you mean auxiliary"),
        ({"auxiliary": "much"}, "auxiliary is 'much'"),
    ):
        with pytest.raises(UsageError, match=says):
            build_data(replace(scenes, task=Named("data", options)))
