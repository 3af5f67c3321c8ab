"""What one activation of a model contributed to a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from swapnas_ext.capture.rules import RELU, Rule


@dataclass
class Layer:
    """What one activation of a model contributed.

    Attributes:
        name: of the module; where it is no module, of the module that calls it, a colon, and the
            operator: ``layer1.0:relu``, the second one ``layer1.0:relu#2``.
        kind: class of the module, or name of the operator.
        how: ``"module"`` or ``"operator"``.
        rule: where its boundary lies.
        neurons: V of this layer.
        new_patterns: how many distinct patterns it added to those of the layers that ran before it;
            None where that was not measured.
        seconds: time to count it; for a ReLU, with the ReLU that counting is fused with.
    """

    name: str
    kind: str
    how: Literal["module", "operator"] = "module"
    rule: Rule = RELU
    neurons: int = 0
    new_patterns: int | None = None
    seconds: float = 0.0
