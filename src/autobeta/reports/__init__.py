"""Reports: tables, figures and one HTML page, made from run folders without torch."""

from autobeta.reports._load import Run, load_runs
from autobeta.reports.page import write_report
from autobeta.reports.suggestion import save_suggestion
from autobeta.reports.traversal_files import (
    save_montage,
    save_traversal_gif,
    save_traversal_grid,
)

__all__ = [
    "Run",
    "load_runs",
    "save_montage",
    "save_suggestion",
    "save_traversal_gif",
    "save_traversal_grid",
    "write_report",
]
