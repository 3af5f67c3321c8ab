"""Reads and writes the strings of TransNAS-Bench-101 architectures; errors point at the mistake."""

from __future__ import annotations

from functools import lru_cache

from swapnas_ext.spaces.base import ArchitectureError
from swapnas_ext.spaces.transnas_networks import Architecture
from swapnas_ext.spaces.transnas_skeletons import MICRO_SKELETON, fault

MAX_CHANNELS = 9999


@lru_cache(4096)  # a search asks for the form, the size and the children of the same text
def parse_micro(text: str) -> Architecture:
    """Reads ``64-41414-1_02_333``. Raises `ArchitectureError` that points at the mistake."""
    channels, position = _parse_channels(text)
    skeleton = digits_of(MICRO_SKELETON) + "-"
    if not text.startswith(skeleton, position):
        raise ArchitectureError(
            text, position, f"expected {skeleton!r}, the micro space's skeleton"
        )
    position += len(skeleton)
    cell = []
    for place in "0_00_000":
        found = text[position : position + 1]
        expected = "_" if place == "_" else "0123"
        if not found or found not in expected:
            what = "'_' before the next node" if place == "_" else "an operation's code, 0 to 3"
            raise ArchitectureError(text, position, f"expected {what}, found {_shown(found)}")
        if place != "_":
            cell.append(int(found))
        position += 1
    if position != len(text):
        raise ArchitectureError(text, position, "expected the end of the cell")
    return Architecture(channels, MICRO_SKELETON, tuple(cell))


@lru_cache(4096)
def parse_macro(text: str) -> Architecture:
    """Reads ``64-1234-basic``. Raises `ArchitectureError` that points at the mistake."""
    channels, start = _parse_channels(text)
    position = start
    while (found := text[position : position + 1]) and found in "1234":
        position += 1
    modules = tuple(map(int, text[start:position]))
    if found != "-":
        problem = f"expected a module's code, 1 to 4, or '-' after the last, found {_shown(found)}"
        raise ArchitectureError(text, position, problem)
    if found_fault := fault(modules):
        raise ArchitectureError(text, start + found_fault[0], found_fault[1])
    position += 1
    if text[position:] != "basic":
        raise ArchitectureError(text, position, "expected 'basic', the macro space's block")
    return Architecture(channels, modules, ())


def _parse_channels(text: str) -> tuple[int, int]:
    """The number of channels at the beginning of a string, and the position after it."""
    digits, dash, _ = text.partition("-")
    number = int(digits) if len(digits) <= len(str(MAX_CHANNELS)) and digits.isdecimal() else 0
    if number < 2 or digits != str(number):
        expected = f"expected the number of channels, 2 to {MAX_CHANNELS}"
        raise ArchitectureError(text, 0, f"{expected}, found {_shown(digits)}")
    if not dash:
        raise ArchitectureError(text, len(text), "expected '-' after the channels, found the end")
    return number, len(digits) + 1


def _shown(found: str) -> str:
    return repr(found if len(found) <= 20 else found[:20] + "...") if found else "the end"


def format_architecture(architecture: Architecture) -> str:
    """The string of an architecture of either space."""
    channels, modules, cell = architecture
    codes = digits_of(cell)
    block = f"{codes[0]}_{codes[1:3]}_{codes[3:]}" if cell else "basic"
    return f"{channels}-{digits_of(modules)}-{block}"


def digits_of(codes: tuple[int, ...]) -> str:
    return "".join(map(str, codes))
