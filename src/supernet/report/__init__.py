"""The page a run leaves behind: `write_report` turns the files of a run directory into one HTML file."""

from supernet.report.page import write_report

__all__ = ["write_report"]
