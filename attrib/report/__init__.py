"""The report: one HTML page of a finished analysis. It fits nothing: results in, page out."""

from attrib.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
