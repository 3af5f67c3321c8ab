"""The rows of the tables that were seen when a measure was found."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from certificate_tables import CAPACITY, COMPOSITE, Table

from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row

SEEN_WITH_CAPACITY = {
    "DARTS": 200,
    "NAS-Bench-201": 200,
    "NAS-Bench-101": 120,
    "NAS-Bench-301": 100,
    "TransNAS micro": 150,
    "TransNAS macro": 150,
    "FlexiBERT": 110,
    "NAS-Bench-Macro": 150,
    "Accel-NASBench": 120,
    "AutoFormer": 100,  # all
}
"""How many, the first ones in the order of `shuffled`."""

_AFTER_COMPOSITE = {"NAS-Bench-Macro", "Accel-NASBench", "AutoFormer"}


def shuffled(rows: Sequence[Row]) -> list[Row]:
    order = list(rows)
    random.Random(18).shuffle(order)
    return order


def seen(measure: str, name: str, table: Table, whole: AccuracyTable) -> set[int]:
    """Places of the rows that were seen: half of each table with the composite score, those above with the capacity
    score, none with others."""
    if measure == CAPACITY:
        return {row.place for row in shuffled(whole.rows)[: SEEN_WITH_CAPACITY[name]]}
    if measure != COMPOSITE or name in _AFTER_COMPOSITE:
        return set()
    total = len(whole.rows) + sum(fault.kind == "duplicate" for fault in whole.faults)
    half = np.random.default_rng(0).permutation(total)[: total // 2].tolist()
    first = 1 if table.unlisted else 2  # of a CSV file, the first line is the header
    return {
        first + place * (1 + table.unlisted) + extra
        for place in half
        for extra in range(1 + table.unlisted)
    }
