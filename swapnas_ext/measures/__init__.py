"""Measures networks by name: patterns, capacity and composite, what others compare with, and measures of your own.

Every module of this folder is imported, so that a new measure is a new file that registers itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from swapnas_ext.measures.measure import FunctionMeasure, Measure
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.panel import Panel
from swapnas_ext.measures.part_classes import part_classes
from swapnas_ext.measures.prepared_network import (
    Arguments,
    Counters,
    Execution,
    NeedsTernary,
    PreparedNetwork,
    Remembered,
)
from swapnas_ext.measures.registry import (
    DEFAULT,
    SIZES,
    AnyMeasure,
    get,
    names,
    recommended,
    register,
    title_of,
    titles_of,
)
from swapnas_ext.measures.saturation import SATURATED

for _name in sorted((module.name for module in pkgutil.iter_modules(__path__)), key=DEFAULT.__ne__):
    importlib.import_module(f"{__name__}.{_name}")

__all__ = [
    "SATURATED",
    "SIZES",
    "AnyMeasure",
    "Arguments",
    "Counters",
    "Execution",
    "FunctionMeasure",
    "Measure",
    "Measurement",
    "NeedsTernary",
    "Panel",
    "PreparedNetwork",
    "Remembered",
    "get",
    "names",
    "part_classes",
    "recommended",
    "register",
    "title_of",
    "titles_of",
]
