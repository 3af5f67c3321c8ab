"""Finds the activations of any model while it runs, and feeds them to an observer."""

from __future__ import annotations

from swapnas_ext.capture import dispatch, sample_rows
from swapnas_ext.capture.capture import Capture
from swapnas_ext.capture.capturing import capturing
from swapnas_ext.capture.layer import Layer
from swapnas_ext.capture.plan import MODES, Mode, Plan, Select
from swapnas_ext.capture.rules import Rule, UserRules
from swapnas_ext.capture.watched import WatchedModules, find_activations

__all__ = [
    "MODES",
    "Capture",
    "Layer",
    "Mode",
    "Plan",
    "Rule",
    "Select",
    "UserRules",
    "WatchedModules",
    "capturing",
    "dispatch",
    "find_activations",
    "sample_rows",
]
