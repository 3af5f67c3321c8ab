"""Chooses and scores many architectures: SWAP-NAS, other strategies, workers and the run file.

::

    space = swap.spaces.get("darts")
    scorer = swap.Scorer(space.inputs(16), init="gaussian")
    result = swap.search.evolve(space, scorer, population=64, cycles=200, workers=2)
    print(result.best.score, result.best.architecture)
"""

from __future__ import annotations

from swapnas_ext.search import size_control, strategies, workers
from swapnas_ext.search.candidate import Candidate, Outcome
from swapnas_ext.search.comparison import (
    BestSoFar,
    ComparedRun,
    Comparison,
    JointFront,
    Repeats,
    ScoreRange,
    compare,
)
from swapnas_ext.search.costs import COSTS, Cost, cost_of
from swapnas_ext.search.description import describe_scorer, describe_space
from swapnas_ext.search.distinct import APART, Distinct
from swapnas_ext.search.entry_points import calibrate, evolve, search
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.latency import Latency, LatencyMeter
from swapnas_ext.search.limits import limits_text
from swapnas_ext.search.listing import score_listed
from swapnas_ext.search.loading import load
from swapnas_ext.search.peak_memory import peak_memory
from swapnas_ext.search.pilot_choice import Pilot, Trial
from swapnas_ext.search.piloting import pilot
from swapnas_ext.search.precision import devices_text, precision_text
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.recorded_space import asked_space_name, recorded_space
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.run_file_access import RunFileError, is_taken
from swapnas_ext.search.run_file_checks import recorded_pilot
from swapnas_ext.search.run_file_follower import News, RunFileFollower
from swapnas_ext.search.search_result import Ranked, SearchResult
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.strategies import (
    STRATEGIES,
    Admit,
    Individual,
    Proposal,
    Strategy,
    StrategyFactory,
    make_strategy,
    register_strategy,
)
from swapnas_ext.search.survey import Survey, run_file_of, survey_csv
from swapnas_ext.search.workers import (
    CheckedWorker,
    DaskCluster,
    ExecutorWorker,
    RayCluster,
    SlurmCluster,
    Worker,
    WorkerFactory,
    Workers,
    register_workers,
)

History, HistoryError = RunFile, RunFileError  # the names of version 0.1.0

__all__ = [
    "APART",
    "COSTS",
    "STRATEGIES",
    "Admit",
    "BestSoFar",
    "Candidate",
    "CheckedWorker",
    "ComparedRun",
    "Comparison",
    "Control",
    "Cost",
    "DaskCluster",
    "Distinct",
    "Evaluator",
    "ExecutorWorker",
    "History",
    "HistoryError",
    "Individual",
    "JointFront",
    "Latency",
    "LatencyMeter",
    "News",
    "Outcome",
    "Pilot",
    "Progress",
    "Proposal",
    "Ranked",
    "RayCluster",
    "Repeats",
    "RunFile",
    "RunFileError",
    "RunFileFollower",
    "ScoreRange",
    "SearchResult",
    "SearchSettings",
    "SlurmCluster",
    "Strategy",
    "StrategyFactory",
    "Survey",
    "Trial",
    "Worker",
    "WorkerFactory",
    "Workers",
    "asked_space_name",
    "calibrate",
    "compare",
    "cost_of",
    "describe_scorer",
    "describe_space",
    "devices_text",
    "evolve",
    "is_taken",
    "limits_text",
    "load",
    "make_strategy",
    "peak_memory",
    "pilot",
    "precision_text",
    "recorded_pilot",
    "recorded_space",
    "register_strategy",
    "register_workers",
    "run_file_of",
    "score_listed",
    "search",
    "size_control",
    "strategies",
    "survey_csv",
    "workers",
]
