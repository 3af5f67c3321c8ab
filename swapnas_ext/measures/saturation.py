"""Tells whether a count of patterns is so near its limit that it can't tell networks apart."""

from __future__ import annotations

import math

from swapnas_ext.measures.prepared_network import PreparedNetwork

SATURATED = 0.95
"""The part of what is possible from which on a count is saturated."""


def saturation(patterns: float, network: PreparedNetwork) -> float:
    """Psi / min(V, 2^S); for ternary patterns Psi / min(V, 3^S)."""
    states = 3 if network.has_ternary else 2
    possible: int = states**network.samples
    return patterns / min(network.neurons, possible)


def is_saturated(patterns: float, network: PreparedNetwork) -> bool:
    """Whether Psi is within 5 % of the highest possible. Ternary patterns of functions that are almost never
    exactly zero, such as GELU, have only 2^S possibilities in effect."""
    possible: int = _states_in_effect(patterns, network) ** network.samples
    return patterns >= SATURATED * min(network.neurons, possible)


def saturation_note(patterns: float, network: PreparedNetwork) -> str | None:
    """A sentence where the count is saturated, with the number of samples to use instead."""
    if not is_saturated(patterns, network):
        return None
    samples, neurons = network.samples, network.neurons
    states = _states_in_effect(patterns, network)
    possible: int = states**samples
    # With this many samples, as many patterns are possible as there are neurons: neither limit is near.
    balanced = max(1, round(samples * math.log2(max(neurons, 2)) / math.log2(possible)))
    if possible >= neurons:
        better = min(balanced, max(1, samples - 1))
        reason = f"of {neurons:,} neurons: nearly every one has its own"
    else:
        better = max(balanced, samples + 1)
        reason = f"of the {possible:,} that are possible with {samples} samples"
        if network.has_ternary and states == 2:
            reason = f"where {samples} samples make {possible:,} without zero, the rare third state"
    advice = f"; use {better} samples" if better != samples else ""
    return f"saturated: {patterns:,.0f} patterns {reason}. Such scores can't tell networks apart{advice}"


def _states_in_effect(patterns: float, network: PreparedNetwork) -> int:
    """States of one sample that make up the patterns. A GELU is positive or negative on most data and never
    zero: two states, until there are more patterns than two states can make."""
    if not network.has_ternary:
        return 2
    three_regions = any(layer.rule.upper is not None for layer in network.layers)
    return 3 if three_regions or patterns > 2**network.samples / SATURATED else 2
