"""Everything under an output folder: one table, means, and a page that opens anywhere."""

from mc.lab.report.page import page
from mc.lab.report.tables import gather, grouped, varied

__all__ = ["gather", "grouped", "page", "varied"]
