"""How well scores rank trained networks, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from swapnas_ext.report.shared.json_text import json_text
from swapnas_ext.report.validation.contents import remarks, verdict

if TYPE_CHECKING:
    from swapnas_ext.validation import Validation


def to_json(found: Validation) -> str:
    """An object with each network, the coefficients of the score and of the parameters, the verdict and the cost.

    Accuracies are in percent of the held-out images. What is not defined is null.
    """
    content: dict[str, Any] = {
        "space": found.space,
        "networks": [asdict(one) for one in found.networks],
        "chosen": found.chosen,
        "among": found.among,
        "plan": asdict(found.plan),
        "images": {
            "classes": found.classes,
            "train": found.train_images,
            "held_out": found.held_out_images,
            "found": found.found_images,
            "size": found.size,
        },
        "predictors": {
            ranking.name: {"rho": asdict(ranking.rho), "tau": asdict(ranking.tau)}
            for ranking in found.rankings
        },
        "minus_parameters": {one.name: asdict(one.difference) for one in found.comparisons},
        "p_value": found.p_value,
        "verdict": verdict(found),
        "remarks": remarks(found),
        "seconds": found.seconds,
        "images_per_second": found.images_per_second,
        "device": found.device,
        "seed": found.seed,
        "interrupted": found.interrupted,
    }
    return json_text(content)
