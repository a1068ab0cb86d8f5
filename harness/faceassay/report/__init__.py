"""Render results: table.md, table.csv, table.tex, cost.csv, table.html and the cards, from the store alone."""

from faceassay.report.write import write_report

__all__ = ["write_report"]
