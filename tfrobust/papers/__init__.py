"""The tables of the papers, and our runs beside them."""

from tfrobust.papers.book import compare_table
from tfrobust.papers.found import find_runs
from tfrobust.papers.tables import Column, PaperTable, Row, list_tables, load_table

__all__ = [
    "Column",
    "PaperTable",
    "Row",
    "compare_table",
    "find_runs",
    "list_tables",
    "load_table",
]
