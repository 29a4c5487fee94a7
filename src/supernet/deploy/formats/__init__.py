"""Kinds of files that a network can be written as, one file each.

A format is a value that satisfies `Format`; the catalogue knows it by the name of its module, and another package
offers its own in the group `supernet.formats`.
"""

from supernet.deploy.formats._finding import by_suffix, format_of, formats_of
from supernet.deploy.formats._protocol import Format, Opened, Runner, Subject
from supernet.deploy.formats.executorch import Executorch
from supernet.deploy.formats.int8 import Int8
from supernet.deploy.formats.onnx import Onnx
from supernet.deploy.formats.openvino import OpenVINO
from supernet.deploy.formats.program import Program

__all__ = [
    "Executorch",
    "Format",
    "Int8",
    "Onnx",
    "OpenVINO",
    "Opened",
    "Program",
    "Runner",
    "Subject",
    "by_suffix",
    "format_of",
    "formats_of",
]
