"""The page a run leaves behind: `write_report` turns the files of a run directory into one HTML file."""

from supernet.report.diagram import Diagram, Edge, Node, svg
from supernet.report.page import write_report

__all__ = ["Diagram", "Edge", "Node", "svg", "write_report"]
