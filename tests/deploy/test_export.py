import json
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import supernet
from measure_networks import blobs, small_net
from supernet import Choice, Supernet, deploy, zoo
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration, calibrate
from supernet.nn import ElasticConv2d, ElasticLinear

QUICK = Calibration(images=60, batch_size=20)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Both formats of one subnet, written into a folder that did not exist."""
    net = small_net()
    arch = net.space.arch({"width": 6, "op": "conv"})
    path = tmp_path_factory.mktemp("files") / "new" / "folder" / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = deploy.export(net, arch, path, data=blobs(), calibration=QUICK, formats=("onnx", "program"))
    return net, arch, result


def run_onnx(path, x):
    return onnxruntime.InferenceSession(str(path)).run(["logits"], {"images": x.numpy()})[0]


def test_files_and_nothing_else_are_written(exported):
    _, _, result = exported
    assert [file.name for file in result.files] == ["net.onnx", "net.pt2"]
    assert sorted(result.files[0].parent.iterdir()) == sorted(result.files)
    assert result.input_shape == (1, 8, 8)


@pytest.mark.parametrize("batch", [1, 5])
def test_files_agree_with_torch_for_any_batch(exported, batch):
    _, _, result = exported
    x = torch.randn(batch, 1, 8, 8, generator=torch.Generator().manual_seed(batch))
    with torch.no_grad():
        expected = result.module(x).numpy()
    np.testing.assert_allclose(run_onnx(result.files[0], x), expected, rtol=0, atol=1e-5)
    program = torch.export.load(result.files[1]).module()
    np.testing.assert_allclose(program(x).detach().numpy(), expected, rtol=0, atol=1e-5)


def test_the_module_is_the_subnet_with_statistics_of_its_own(exported):
    net, arch, result = exported
    expected = net.extract(arch).eval()
    assert calibrate(expected, None, blobs(), QUICK) == 2
    assert not any(m.training for m in result.module.modules())
    for name, value in expected.state_dict().items():
        assert torch.equal(result.module.state_dict()[name], value), name
    assert not net.module[1].running_mean.any()


def test_what_is_extracted_is_what_is_exported(exported):
    net, arch, result = exported
    extracted = deploy.extract(net, arch, blobs(), calibration=QUICK)
    assert not any(m.training for m in extracted.modules())
    for name, value in result.module.state_dict().items():
        assert torch.equal(extracted.state_dict()[name], value), name


def test_files_carry_their_architecture(exported):
    net, arch, result = exported
    model = onnx.load(result.files[0])
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert net.space.from_json(json.loads(metadata["supernet.architecture"])) == arch
    assert metadata["supernet.version"] == supernet.__version__ == model.producer_version
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [20]
    dims = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", 1, 8, 8]
    extra = {"architecture.json": ""}
    torch.export.load(result.files[1], extra_files=extra)
    assert net.space.from_json(json.loads(extra["architecture.json"])) == arch


def test_programs_hold_no_pickle(exported):
    _, _, result = exported
    with zipfile.ZipFile(result.files[1]) as file:
        sizes = {entry.filename: entry.file_size for entry in file.infolist()}
    assert any(name.endswith("models/model.json") for name in sizes)
    assert not any(size for name, size in sizes.items() if name.endswith((".pt", ".pkl")))


def test_the_exporter_is_silent(tmp_path, capfd):
    net = small_net(statistics="track")
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.fill_(0.1)
    deploy.export(net, net.space.smallest(), str(tmp_path / "net.onnx"), input_shape=(1, 8, 8))
    assert capfd.readouterr() == ("", "")


def test_batch_statistics_are_fixed_with_data_and_refused_without(tmp_path):
    net = small_net(statistics="batch")
    arch = net.space.largest()
    with pytest.raises(UsageError, match=r'statistics="batch".*Pass data='):
        deploy.export(net, arch, tmp_path / "net.pt2", input_shape=(1, 8, 8))
    result = deploy.export(net, arch, tmp_path / "net.pt2", data=blobs(), calibration=QUICK)
    x = next(blobs().validation.batches(6)).x
    with torch.no_grad():
        alone = torch.cat([result.module(image[None]) for image in x])
        torch.testing.assert_close(alone, result.module(x), rtol=0, atol=1e-6)
    assert net.module[1].running_mean is None


def test_statistics_never_computed_are_refused(tmp_path):
    net = small_net(statistics="calibrate")
    with pytest.raises(UsageError, match="hold no statistics"):
        deploy.export(net, net.space.largest(), tmp_path / "net.onnx", input_shape=(1, 8, 8))
    assert list(tmp_path.iterdir()) == []


def test_fine_tuning_comes_before_calibration(tmp_path):
    net = small_net()
    arch = net.space.arch({"width": 8, "op": "skip"})
    weight = net.module[0].weight.detach().clone()

    def finetune(module):
        assert isinstance(module, nn.Module)
        with torch.no_grad():
            module[0].weight.mul_(3.0)
        module.train()

    tuned = deploy.export(net, arch, tmp_path / "a.pt2", data=blobs(), calibration=QUICK, finetune=finetune).module
    plain = deploy.export(net, arch, tmp_path / "b.pt2", data=blobs(), calibration=QUICK).module
    torch.testing.assert_close(tuned[1].running_var, 9 * plain[1].running_var, rtol=1e-4, atol=1e-6)
    assert not tuned.training
    assert torch.equal(net.module[0].weight, weight)


def test_requests_that_make_no_file_are_refused(tmp_path):
    net = small_net(statistics="track")
    arch = net.space.largest()
    with pytest.raises(
        UsageError, match=r"'net.bin' does not say what to write; end it in .int8.pt2, .onnx, .pt2, .pte or .xml"
    ):
        deploy.export(net, arch, tmp_path / "net.bin")
    with pytest.raises(
        UsageError, match="There is no format named 'tflite'; there are executorch, int8, onnx, openvino, program"
    ):
        deploy.export(net, arch, tmp_path / "net", formats=("tflite",))
    with pytest.raises(UsageError, match="Pass input_shape once"):
        deploy.export(net, arch, tmp_path / "net.onnx")
    foreign = zoo.nasbench201(channels=4, cells=1).space.largest()
    with pytest.raises(UsageError, match="do not move between spaces"):
        deploy.export(net, foreign, tmp_path / "net.onnx", data=blobs())
    (tmp_path / "folder.pt2").mkdir()
    with pytest.raises(RunError, match="could not be written"):
        deploy.export(net, arch, tmp_path / "folder.pt2", data=blobs(), calibration=QUICK)


def test_names_with_dots_keep_them(tmp_path):
    net = small_net()
    arch = net.space.largest()
    result = deploy.export(net, arch, tmp_path / "net.v1", data=blobs(), calibration=QUICK, formats=("program",))
    assert [file.name for file in result.files] == ["net.v1.pt2"]


def test_a_published_space_exports(tmp_path):
    stages = (zoo.Stage((8, 16), (1, 2), stride=2), zoo.Stage((16,), (1,), (5,), (2,)))
    net = zoo.mbconv(stages=stages, stem_width=8, head_width=16, squeeze_excite=True, activation="hswish")
    arch = net.space.largest()
    result = deploy.export(net, arch, tmp_path / "net.onnx", data=blobs(), calibration=QUICK)
    found = deploy.verify(result.files[0], result.module, blobs().validation)
    assert found.max_difference <= 1e-5 * max(found.logit_scale, 1)
    assert found.agreement == 1


class Branch(nn.Module):
    """Its course depends on values."""

    def forward(self, x):
        return 2 * x if x.sum() > 0 else x


class BatchSize(nn.Module):
    """Takes the number of images as a Python number."""

    def forward(self, x):
        return x.reshape(int(x.shape[0]), -1).reshape(x.shape)


class Bessel(nn.Module):
    """An operation that ONNX lacks."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


def net_with(part):
    w = Choice("w", (4, 8))
    block = nn.Sequential(ElasticConv2d(1, w, 3), part)
    return Supernet(nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLinear(w, 3)))


BOTH = {"formats": ("onnx", "program"), "input_shape": (1, 8, 8)}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            Branch(),
            r"0\.1 \(Branch\), which does `return 2 \* x if x.sum\(\) > 0 else x` \(Could not guard",
        ),
        (BatchSize(), r"0\.1 \(BatchSize\) \(.*constant \(2\)\)\. .*batch_size=1"),
    ],
)
def test_what_an_exporter_cannot_follow_is_named_in_one_sentence(part, words, tmp_path, capfd):
    net = net_with(part)
    with pytest.raises(RunError, match=words) as caught:
        deploy.export(net, net.space.largest(), tmp_path / "net", **BOTH)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_of_several_formats_those_that_can_be_written_are(tmp_path):
    net = net_with(Bessel())
    words = r"0\.1 \(Bessel\) uses aten.special_bessel_j0.default, which ONNX does not know"
    with pytest.raises(RunError, match=words):
        deploy.export(net, net.space.largest(), tmp_path / "net.onnx", input_shape=(1, 8, 8))
    with pytest.warns(UserWarning, match=rf"net.onnx was not written. .*{words}"):
        exported = deploy.export(net, net.space.largest(), tmp_path / "net", **BOTH)
    assert [file.name for file in exported.files] == [file.name for file in tmp_path.iterdir()] == ["net.pt2"]
    assert list(exported.failures) == ["onnx"]
    assert deploy.verify(exported.files[0], exported.module, blobs().validation).agreement == 1


def test_a_fixed_number_of_images(tmp_path):
    net = net_with(BatchSize())
    exported = deploy.export(net, net.space.largest(), tmp_path / "net", batch_size=5, **BOTH)
    dims = onnx.load(exported.files[0]).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == [5, 1, 8, 8]
    for file in exported.files:
        found = deploy.verify(file, exported.module, blobs().validation, images=13, batch_size=8)
        assert (found.images, found.agreement) == (13, 1)
    with pytest.raises(UsageError, match="batches of 0 examples; give at least 1"):
        deploy.export(net, net.space.largest(), tmp_path / "net", batch_size=0, **BOTH)
