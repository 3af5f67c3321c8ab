"""The report in a trial of Syne Tune's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from peers import IMAGES, package, small_net

import swapnas_ext as swap
from swapnas_ext.compat.syne_tune import report_swap

syne_tune = package("syne_tune", "syne-tune")
backend = package("syne_tune.backend", "syne-tune")
baselines = package("syne_tune.optimizer.baselines", "syne-tune")
config_space = package("syne_tune.config_space", "syne-tune")
report = package("syne_tune.report", "syne-tune")
pytestmark = pytest.mark.filterwarnings("ignore")

SCRIPT = """
from argparse import ArgumentParser

from peers import IMAGES, small_net

import swapnas_ext as swap
from swapnas_ext.compat.syne_tune import report_swap

parser = ArgumentParser()
parser.add_argument("--width", type=int)
arguments, _ = parser.parse_known_args()
report_swap(small_net(arguments.width), swap.Scorer(IMAGES[:16], init="gaussian", seed=3))
"""


def test_what_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    score = report_swap(small_net(), swap.Scorer(IMAGES[:16]))
    found = report.retrieve(capsys.readouterr().out.splitlines())
    assert len(found) == 1
    assert found[0]["swap"] == score
    assert found[0]["parameters"] == score.parameters


def test_tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = (str(Path(swap.__file__).parents[1]), str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("SYNETUNE_FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # where it writes what trials print
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    scheduler = baselines.RandomSearch(
        {"width": config_space.randint(1, 8)}, metrics=["swap"], do_minimize=False, random_seed=0
    )
    tuner = syne_tune.Tuner(
        trial_backend=backend.LocalBackend(entry_point=str(script)),
        scheduler=scheduler,
        stop_criterion=syne_tune.StoppingCriterion(max_num_trials_finished=2),
        n_workers=1,
        sleep_time=0.2,
        save_tuner=False,
    )
    tuner.run()
    scorer = swap.Scorer(IMAGES[:16], init="gaussian", seed=3)
    results = tuner.tuning_status.get_dataframe().dropna(subset=["swap"])
    assert len(results) >= 2
    for _, trial in results.iterrows():
        assert trial["swap"] == scorer(small_net(int(trial["width"])))
