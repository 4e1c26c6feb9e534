"""Reports: tables, figures and one HTML page, made from run folders without torch."""

from autobeta.reports._groups import check_same_data
from autobeta.reports._load import RunRecord, load_runs
from autobeta.reports.page import write_report
from autobeta.reports.pictures import save_montage, save_traversal_gif, save_traversal_grid
from autobeta.reports.study_page import write_study_figures, write_study_report
from autobeta.reports.study_tables import write_table
from autobeta.reports.suggestion import save_suggestion

__all__ = [
    "RunRecord",
    "check_same_data",
    "load_runs",
    "save_montage",
    "save_suggestion",
    "save_traversal_gif",
    "save_traversal_grid",
    "write_report",
    "write_study_figures",
    "write_study_report",
    "write_table",
]
