"""Results as people and programs read them: terminal tables, JSON, CSV, and self-contained HTML pages.

A module for each table and page; those of pages and charts import matplotlib, and are imported where used.
"""

__all__ = [
    "analysis_page",
    "analysis_table",
    "correlation_page",
    "correlation_table",
    "profile",
    "scores",
    "search_page",
    "search_table",
]
