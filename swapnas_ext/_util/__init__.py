"""Helpers for every other part of the package; they know nothing of models or scores."""

from __future__ import annotations

from swapnas_ext._util.by_class import ByClass, ByClasses
from swapnas_ext._util.cores import cores
from swapnas_ext._util.csv_cell import quoted, unquoted
from swapnas_ext._util.ctrl_c import ctrl_c_ignored, ctrl_c_later, is_main_thread
from swapnas_ext._util.data_frame import ColumnType, data_frame
from swapnas_ext._util.garbage import garbage_kept
from swapnas_ext._util.import_by_name import named
from swapnas_ext._util.json_record import json_document, read_document
from swapnas_ext._util.logarithm import exp_or_inf, exp_text
from swapnas_ext._util.made_later import MadeLater
from swapnas_ext._util.malloc import keep_freed_memory
from swapnas_ext._util.notebook_bar import ShownInNotebook, bar_in_notebook
from swapnas_ext._util.notebook_html import notebook_facts, notebook_table, shortened
from swapnas_ext._util.number_text import decimal, duration, rate_text, short_count, significant
from swapnas_ext._util.rank_correlation import Values, rank_correlation
from swapnas_ext._util.registry import Registry, full_name
from swapnas_ext._util.same_with_nan import SameWithNan
from swapnas_ext._util.text_file import decoded, parsed_json, read_text
from swapnas_ext._util.to_the_end import to_the_end
from swapnas_ext._util.warn import renamed, warn
from swapnas_ext._util.whole_file import is_replaceable, replacing, temporary_beside

__all__ = [
    "ByClass",
    "ByClasses",
    "ColumnType",
    "MadeLater",
    "Registry",
    "SameWithNan",
    "ShownInNotebook",
    "Values",
    "bar_in_notebook",
    "cores",
    "ctrl_c_ignored",
    "ctrl_c_later",
    "data_frame",
    "decimal",
    "decoded",
    "duration",
    "exp_or_inf",
    "exp_text",
    "full_name",
    "garbage_kept",
    "is_main_thread",
    "is_replaceable",
    "json_document",
    "keep_freed_memory",
    "named",
    "notebook_facts",
    "notebook_table",
    "parsed_json",
    "quoted",
    "rank_correlation",
    "rate_text",
    "read_document",
    "read_text",
    "renamed",
    "replacing",
    "short_count",
    "shortened",
    "significant",
    "temporary_beside",
    "to_the_end",
    "unquoted",
    "warn",
]
