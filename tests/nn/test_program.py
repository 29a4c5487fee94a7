"""Modules as programs of torch.export."""

from __future__ import annotations

from supernet import zoo
from supernet.nn.program import traced


def test_the_layers_of_an_extracted_network_are_known_in_its_program() -> None:
    net = zoo.mbconv(num_classes=3, in_channels=1)
    module = net.extract(net.space.smallest()).eval()
    nodes = traced(module, (1, 8, 8), None).program.graph.nodes
    stacks = {
        str(node.target): list(node.meta["nn_module_stack"].values())
        for node in nodes
        if node.op != "placeholder" and node.op != "output"
    }
    assert stacks["aten.conv2d.default"][-1][1] == "torch.nn.modules.conv.Conv2d"
    assert stacks["aten.batch_norm.default"][-1][1] == "torch.nn.modules.batchnorm.BatchNorm2d"
