"""``swapnas calibrate``: finds mu and sigma without labels."""

from __future__ import annotations

import json
import statistics
from typing import Any

import click

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, fail, tell
from swapnas_ext.cli.option_types import COUNT
from swapnas_ext.cli.piloted import piloted
from swapnas_ext.cli.progress import progress_bar
from swapnas_ext.cli.scoring import Scoring, scoring_options
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.worker_options import Hands, workers_options
from swapnas_ext.search import calibrate as run_calibration

EXAMPLES = """
\b
Examples:
  swapnas calibrate --space nasbench201
  swapnas calibrate --space darts --target-params 2.5M --json
"""


@click.command(cls=Command, epilog=EXAMPLES)
@space_options
@click.option(
    "--architectures", default=200, show_default=True, help="Number of random architectures."
)
@click.option("--target-params", type=COUNT, help="Target size, in parameters, such as 1.5M.")
@click.option(
    "--seed", default=0, show_default=True, help="Seed of the architectures and of the weights."
)
@workers_options
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
@scoring_options
def calibrate(
    choice: SpaceChoice,
    architectures: int,
    target_params: float | None,
    seed: int,
    hands: Hands,
    as_json: bool,
    scoring: Scoring,
) -> None:
    """Finds mu and sigma from random architectures of a space; no accuracies are needed.

    By default they are for ranking: mu is the largest size of the sample, and sigma gives size a quarter of the
    weight of the score. With --target-params they are for a search for models of that size.
    """
    try:
        space = choice.get()
        scoring, found_by_pilot = piloted(scoring, space, seed=seed, workers=hands.local)
        scorer = scoring.scorer(space, seed=seed)
        tell(scoring.sentence(scorer))
        with progress_bar("calibrating", architectures) as on_progress:
            control, result = run_calibration(
                space,
                scorer,
                samples=architectures,
                target_params=target_params,
                seed=seed,
                workers=hands.get(scoring.device),
                device=scoring.device,
                on_progress=on_progress,
            )
    except EXPECTED as error:
        fail(error)
    sizes = sorted(row.parameters for row in result.ranked())
    if as_json:
        summary: dict[str, Any] = {
            "mu": control.mu,
            "sigma": control.sigma,
            "unit": "thousands of parameters",
            "architectures": len(sizes),
            "smallest": sizes[0],
            "median": statistics.median(sizes),
            "largest": sizes[-1],
        }
        if found_by_pilot is not None:
            summary["pilot"] = found_by_pilot
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(
        f"{len(sizes)} architectures of {sizes[0]:,} to {sizes[-1]:,} parameters, median "
        f"{statistics.median(sizes):,.0f}"
    )
    click.echo(
        f"--measure {scoring.measure} --mu {control.mu:.6g} --sigma {control.sigma:.6g}    (thousands of parameters)"
    )
