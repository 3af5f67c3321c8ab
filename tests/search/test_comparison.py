"""Comparing runs: what differs, curves, fronts, overlap, cost, and what is not compared."""

from __future__ import annotations

import itertools
import math
import random
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.run_files import SCORER, SPACE, candidates, outcome, run_file, settings_of
from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

from swapnas_ext.search import (
    BestSoFar,
    Comparison,
    Control,
    Outcome,
    ScoreRange,
    SearchResult,
    SearchSettings,
    compare,
    load,
    search,
)
from swapnas_ext.search.comparison.joint_front import Points, front_of

HERE = Path(__file__).parent


def outcomes(*scores: float | None) -> list[Outcome]:
    return [outcome(score) for score in scores]


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return run_file(tmp_path / "a.db", outcomes(5, 3, None, 8, 8, 20, 1))


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return run_file(
        tmp_path / "b.db",
        outcomes(2, 9, 11, 10),
        strategy="random",
        architectures=["a5", "a9", "a3", "a10"],
        parameters=[600, 150, 400, 700],
        sessions=[(1000.0, 1002.5), (1002.8, 1010.8)],
    )


def test_real_searches(tmp_path: Path) -> None:
    paths = []
    for strategy, seed in itertools.product(("evolution", "random"), (1, 2)):
        paths.append(tmp_path / f"{strategy}-{seed}.db")
        made = SearchSettings(candidates=30, strategy=strategy, seed=seed, **SMALL)
        scorer = small_scorer(seed=seed)
        search(small_space(), scorer, made, workers=MadeUpWorker(), history=paths[-1])
    found = compare(paths)
    assert [run.name for run in found.runs] == [path.stem for path in paths]
    assert [(group.name, group.runs) for group in found.repeats] == [
        ("evolution", ("evolution-1", "evolution-2")),
        ("random", ("random-1", "random-2")),
    ]
    assert found.sentence == "4 runs: 2 of evolution, 2 of random"
    assert set(found.differing) == {"search.strategy", "search.seed", "scorer.seed"}
    assert found.notes == () and found.measure == "patterns" and found.has_curves
    for run in found.runs:
        assert run.candidates == run.scored == 30 and 0 < run.seconds < 60 and run.sessions == 1
        assert run.over_seconds.log_scores[-1] == run.best >= found.common_best
    tops = []
    for path in paths:
        ranked = load(path).ranked()
        tops.append({row.candidate.form for row in ranked[:10]})
    for one, other in itertools.product(range(4), repeat=2):
        assert found.overlap[one][other] == len(tops[one] & tops[other])


def test_curves_cost_and_overlap(a: Path, b: Path) -> None:
    found = compare([a, b], top=3)
    first, second = found.runs
    assert first.over_candidates.at == (1, 4, 6, 7)
    assert first.over_candidates.log_scores == tuple(map(math.log, (5, 8, 20, 20)))
    assert first.over_seconds.at == (1, 4, 6, 7)
    assert (first.candidates, first.scored, first.failed, first.over) == (7, 6, 1, 0)
    assert (first.work_seconds, first.seconds, first.rate) == (3.5, 20, 7 / 20)
    assert first.best == math.log(20) and first.best_architecture == "a5"
    # The second was resumed: the candidate at 1003 came 0.2 s into its second session.
    assert second.over_seconds.at == pytest.approx((1, 2, 2.7, 3.7))
    assert second.seconds == 10.5 and second.sessions == 2
    assert found.common_best == math.log(11)
    assert (first.reached_candidates, first.reached_seconds) == (6, 6)
    assert (second.reached_candidates, second.reached_seconds) == (3, pytest.approx(2.7))
    # Best three of the first: a5, a3, a4; of the second: a3, a10, a9.
    assert found.overlap == ((3, 1), (1, 3))
    assert found.common_candidates == 4
    assert found.differing == {"search.strategy": ("evolution", "random")}
    assert found.sentence == "2 runs, each of another setting"


def test_the_front_is_that_of_all_candidates_together() -> None:
    rng = random.Random(3)
    runs: dict[str, list[tuple[str, float, float]]] = {
        name: [
            (f"{name}{n}", rng.randrange(1, 9) * 100, float(rng.randrange(1, 9))) for n in range(12)
        ]
        for name in ("one", "two", "three")
    }
    runs["none"] = []
    front = front_of(
        "parameters",
        {
            name: Points([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
            for name, rows in runs.items()
        },
    )
    assert front is not None

    def best(rows: list[tuple[str, float, float]]) -> set[tuple[float, float]]:
        points = {(cost, score) for _, cost, score in rows}
        return {
            (cost, score)
            for cost, score in points
            if not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points)
        }

    everything = [row for rows in runs.values() for row in rows]
    assert {(point.cost, point.log_score) for point in front.joint} == best(everything)
    for name, rows in runs.items():
        assert set(front.of_runs[name]) == best(rows)
        have = [p for p in front.joint if (p.cost, p.log_score) in {row[1:] for row in rows}]
        assert [point for point in front.joint if name in point.runs] == have
        assert front.shares[name] == len(have) / len(front.joint)
    assert front_of("parameters", {"none": Points([], [], [])}) is None


def test_a_curve_rises_and_ends_where_the_run_does() -> None:
    curve = BestSoFar.of(
        [(1, math.nan), (2, 3.0), (3, 2.0), (4, 5.0), (4, 6.0), (5, math.inf), (9, 1)]
    )
    assert (curve.at, curve.log_scores) == ((2, 4, 9), (3.0, 6.0, 6.0))
    assert math.isnan(curve.value_at(1.9))
    assert [curve.value_at(at) for at in (2, 3.9, 4, 100)] == [3, 3, 6, 6]
    assert [curve.reaches(score) for score in (0, 3, 3.1, 6, 7, math.nan)] == [
        2,
        2,
        4,
        4,
        None,
        None,
    ]
    assert BestSoFar.of([(1, math.nan)]) == BestSoFar((), ())


def test_means_of_scores_beyond_floats() -> None:
    found = ScoreRange.of([2000.0, 2000.0 + math.log(3), math.nan])
    assert found is not None
    assert found.runs == 2 and found.mean == pytest.approx(2000 + math.log(2))
    assert (found.low, found.high) == (2000.0, 2000.0 + math.log(3))
    assert ScoreRange.of([math.nan]) is None


def test_repeats_of_one_setting(tmp_path: Path) -> None:
    paths = [
        run_file(tmp_path / f"{seed}.db", outcomes(*scores), seed=seed)
        for seed, scores in enumerate(((4, 10), (4, 20), (6, 30, 60)))
    ]
    found = compare(paths)
    assert found.sentence == "3 runs of one setting: they differ in the seed alone"
    (group,) = found.repeats
    assert group.best is not None and group.best_of_first is not None
    assert math.exp(group.best.mean) == pytest.approx(30)
    assert (math.exp(group.best.low), math.exp(group.best.high)) == pytest.approx((10, 60))
    assert math.exp(group.best_of_first.mean) == pytest.approx(20)  # of the first two of each


def test_equal_seeds_are_told(tmp_path: Path) -> None:
    paths = [run_file(tmp_path / f"{name}.db", outcomes(4, 10)) for name in "ab"]
    found = compare(paths)
    assert found.sentence == "2 runs of one setting: they differ in nothing"
    assert any("a, b have the same settings and the same seed" in note for note in found.notes)


def test_settings_that_name_the_groups(tmp_path: Path) -> None:
    paths = [
        run_file(
            tmp_path / f"{k}.db",
            outcomes(1),
            seed=k % 2,
            population=10 + k // 2,
            children=1 + k // 2,
        )
        for k in range(4)
    ]
    found = compare(paths)
    assert [group.name for group in found.repeats] == [
        "population=10, children=1",
        "population=11, children=2",
    ]
    assert found.differing["search.population"] == (10, 10, 11, 11)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"space": {"name": "darts"}},
            "a.db is a run of the space nasbench201, and .*c.db one of darts",
        ),
        (
            {"space": {**SPACE, "channels": 4}},
            "a.db was made with channels=2 .*c.db with channels=4",
        ),
        ({"space": {"name": "nasbench201"}}, "channels=2 .* channels=None"),
    ],
)
def test_other_spaces_are_refused(
    a: Path, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    other = run_file(tmp_path / "c.db", outcomes(1), **changed)
    with pytest.raises(ValueError, match=message):
        compare([a, other])


def test_own_spaces_need_no_import(tmp_path: Path) -> None:
    space = {"name": "no_such_module:MySpace", "depth": 3}
    paths = [run_file(tmp_path / f"{n}.db", outcomes(1, 2), space=space, seed=n) for n in range(2)]
    again = {**space, "name": "__main__:MySpace"}  # the same script, run
    paths.append(run_file(tmp_path / "script.db", outcomes(1, 2), space=again, seed=7))
    assert compare(paths).space == "no_such_module:MySpace"


def test_other_measures_are_not_put_on_one_axis(a: Path, tmp_path: Path) -> None:
    scorer = {**SCORER, "measure": "capacity,patterns"}
    several = {"capacity": {"log_score": 7.0}, "patterns": {"log_score": math.log(4)}}
    both = [outcome(1096.6, measure="capacity", log_score=7.0, details={"measures": several})] * 3
    path = run_file(tmp_path / "both.db", both, scorer=scorer)
    found = compare([a, path])
    assert found.measure is None and not found.has_curves and found.fronts == ()
    assert "ranked by different measures (patterns: a; capacity: both)" in found.notes[0]
    assert "every run recorded patterns" in found.notes[1]
    assert found.overlap[0] == (6, 2)
    assert all(run.reached_seconds is None and math.isnan(run.best) for run in found.runs)
    by_patterns = compare([a, path], measure="swap")  # another name of it
    assert by_patterns.measure == "patterns" and by_patterns.common_best == math.log(4)
    assert by_patterns.runs[1].over_candidates.log_scores == (math.log(4), math.log(4))
    with pytest.raises(ValueError, match=r"a.db has no scores by capacity; it recorded patterns"):
        compare([a, path], measure="capacity")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("samples", 32, r"samples differs \(16: a; 32: c\)"),
        ("inputs", "ffff", "the images .* differ"),
        ("init", "kaiming", "init differs"),
    ],
)
def test_scores_of_other_scorers_are_not_compared(
    a: Path, tmp_path: Path, name: str, value: object, message: str
) -> None:
    path = run_file(tmp_path / "c.db", outcomes(1, 2), scorer={**SCORER, name: value})
    found = compare([a, path])
    (note,) = found.notes
    assert not found.has_curves and found.measure is None
    assert re.search(message, note)
    assert found.overlap[0][1] == 2  # but which are the best can be compared


def test_more_repeats_are_compared_with_a_warning(a: Path, tmp_path: Path) -> None:
    path = run_file(tmp_path / "c.db", outcomes(1, 2), scorer={**SCORER, "repeats": 8})
    found = compare([a, path])
    assert found.has_curves and "higher by chance" in found.notes[0]


def test_regularised_scores(a: Path, tmp_path: Path) -> None:
    def regularised(name: str, *control: float, **search: Any) -> Path:
        path = tmp_path / f"{name}.db"
        return run_file(path, outcomes(2, 3, 4), controls=[control], **search)

    one = regularised("one", 0.2, 0.01, mu=0.2, sigma=0.01)
    mixed = compare([a, one])
    assert not mixed.has_curves and mixed.fronts and mixed.measure == "patterns"
    assert "others are not" in mixed.notes[0]

    same = compare([one, regularised("same", 0.2, 0.01, mu=0.2, sigma=0.01, seed=1)])
    control = Control(0.2, 0.01)
    wanted = max(
        math.log(score) + control.log_factor(size) for score, size in ((2, 100), (3, 200), (4, 300))
    )
    assert same.runs[0].best == wanted and same.notes == ()

    found = [regularised(f"t{n}", 0.2, 0.01 + n, target_params=(200.0,), seed=n) for n in (0, 1)]
    calibrated = compare(found)
    assert calibrated.runs[1].best == wanted
    assert "each run calibrated its own sigma" in calibrated.notes[0]

    elsewhere = compare([one, regularised("far", 0.3, 0.01, mu=0.3, sigma=0.01)])
    assert not elsewhere.has_curves and "target sizes differ" in elsewhere.notes[0]


def test_families(tmp_path: Path) -> None:
    paths = [
        run_file(
            tmp_path / f"{seed}.db",
            outcomes(2, 3, 4),
            controls=[(0.1, 0.01), (0.2, 0.01)],
            target_params=(100.0, 200.0),
            seed=seed,
        )
        for seed in (0, 1)
    ]
    found = compare(paths)
    assert not found.has_curves and "family" in found.notes[0]
    assert found.fronts[0].cost == "parameters" and found.overlap == ((3, 3), (3, 3))


def test_fronts_of_what_all_recorded(a: Path, tmp_path: Path) -> None:
    def recorded(name: str, **search: Any) -> Path:
        rows = [outcome(score, flops=10 * score, latency=score / 100) for score in (1, 2)]
        return run_file(tmp_path / f"{name}.db", rows, **search)

    one, two = recorded("one", max_flops=1e9), recorded("two", max_flops=1e9, seed=1)
    assert [front.cost for front in compare([one, two]).fronts] == [
        "parameters",
        "flops",
        "latency",
    ]
    missing = compare([one, a])
    assert [front.cost for front in missing.fronts] == ["parameters"]
    assert [note for note in missing.notes if "operations" in note] == [
        "no front of operations: it is not recorded of every candidate of a"
    ]
    other = compare([one, recorded("three")])
    assert [front.cost for front in other.fronts] == ["parameters", "latency"]
    assert any("scored networks" in note for note in other.notes)


def test_runs_without_scores(a: Path, tmp_path: Path) -> None:
    empty = run_file(tmp_path / "empty.db", [], seed=1, ended="", sessions=[(1000.0, None)])
    failed = run_file(tmp_path / "failed.db", outcomes(None, None), seed=2)
    found = compare([a, empty, failed])
    assert found.common_best == math.log(20)
    assert found.notes == ("nothing is scored in empty, failed",)
    assert [run.candidates for run in found.runs] == [7, 0, 2]
    assert found.runs[1].state == "running, or killed"
    assert found.runs[1].best_architecture is None and math.isnan(found.runs[1].rate)
    assert found.overlap[1] == (0, 0, 0)
    nothing = compare([empty, failed])
    assert nothing.notes == ("no run has scored anything",) and not nothing.fronts
    assert repr(nothing) and nothing._repr_html_()


def test_one_candidate(a: Path, tmp_path: Path) -> None:
    found = compare([a, run_file(tmp_path / "one.db", outcomes(7))])
    assert found.runs[1].over_candidates.at == (1,) and found.runs[0].reached_candidates == 4


def test_nan_and_results_by_name(a: Path) -> None:
    made = candidates([outcome(3.0), outcome(math.nan), outcome(9.0)])
    result = SearchResult(made, (Control(),), settings=settings_of())
    found = compare({"<b>in memory</b>": result, "file": a})
    assert found.runs[0].best == math.log(9) and found.runs[0].scored == 2
    assert found.runs[0].seconds == 2.5
    assert "<b>" not in found._repr_html_() and "&lt;b&gt;" in found._repr_html_()
    assert found.differing["version"][0] is None


def test_a_measure_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    rows = [outcome(1.0, measure="evil:Measure"), outcome(2.0, measure="evil:Measure")]
    paths = [
        run_file(tmp_path / f"{seed}.db", rows, scorer={**SCORER, "init": "own"}, seed=seed)
        for seed in range(2)
    ]
    assert compare(paths).measure == "evil:Measure"


def test_a_hostile_file_is_no_traceback(a: Path, tmp_path: Path) -> None:
    odd: list[Outcome] = [
        outcome(2.0, details={"measures": {}}),
        outcome(2.5, details={"measures": []}),
        outcome(3.0, details={"measures": 5}),
        outcome(
            4.0,
            details={"measures": {"capacity": 7, "patterns": {"log_score": "x"}}, "score_of": "q"},
        ),
        outcome(5.0, details={"measures": {"patterns": {"log_score": 10**400}}, "score_of": "q"}),
    ]
    path = run_file(tmp_path / "odd.db", odd)
    assert compare([a, path]).runs[1].best == math.log(3)


def test_format_2(tmp_path: Path) -> None:
    paths = []
    for name in ("first", "second"):
        paths.append(tmp_path / f"{name}.db")
        connection = sqlite3.connect(paths[-1])
        connection.executescript((HERE / "format_2_patterns.sql").read_text())
        connection.close()
    found = compare(paths)
    assert found.runs[0].scored > 0 and found.has_curves
    assert found.overlap[0][0] == found.overlap[0][1] == found.runs[0].top


def test_names(tmp_path: Path) -> None:
    folders = [tmp_path / "x" / "deep", tmp_path / "y" / "deep"]
    for folder in folders:
        folder.mkdir(parents=True)
    paths = [run_file(folder / "run.db", outcomes(1), seed=n) for n, folder in enumerate(folders)]
    paths.append(run_file(tmp_path / "run é.db", outcomes(1), seed=5))
    paths.append(run_file(tmp_path / "run é.sqlite", outcomes(1), seed=6))
    names = [run.name for run in compare(paths).runs]
    assert names == ["x/deep/run", "y/deep/run", "run é.db", "run é.sqlite"]


def test_bad_arguments(a: Path, b: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"two runs or more to compare, got only a; swapnas show"):
        compare([a])
    with pytest.raises(ValueError, match="two runs or more"):
        compare([])
    with pytest.raises(TypeError, match="two paths or more, or a dict"):
        compare(str(a))
    with pytest.raises(TypeError, match="give results by name"):
        compare([a, 5])  # type: ignore[list-item]
    (tmp_path / "link.db").symlink_to(a)
    with pytest.raises(ValueError, match=r"link\.db is given twice: it is the same run as a"):
        compare([a, b, tmp_path / "link.db"])
    with pytest.raises(FileNotFoundError, match=r"there is no run file .*missing.db"):
        compare([a, tmp_path / "missing.db"])
    with pytest.raises(ValueError, match="top must be a whole number from 1 on"):
        compare([a, b], top=0)


def test_to_frame(a: Path, b: Path) -> None:
    pytest.importorskip("pandas")
    frame = compare([a, b]).to_frame()
    assert list(frame["run"]) == ["a", "b"] and list(frame["setting"]) == ["a", "b"]
    assert list(frame["best_score"]) == pytest.approx([20, 11])
    assert list(frame["reached_candidates"]) == [6, 3]
    assert sum(frame["front_share_parameters"]) == pytest.approx(1)
    assert str(frame["seed"].dtype) == "Int64"


def test_a_comparison_is_short_and_frozen(a: Path, b: Path) -> None:
    found = compare([a, b])
    assert isinstance(found, Comparison) and len(repr(found)) < 200
    assert repr(found.runs[0]) == "ComparedRun('a', 7 candidates in 20.0 s, best 20)"
    with pytest.raises(AttributeError):
        found.top = 3  # type: ignore[misc]
    assert replace(found, top=3) != found
