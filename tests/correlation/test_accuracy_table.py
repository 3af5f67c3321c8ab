"""Tables of accuracies: what is read from CSV and JSON files, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.searches import small_space

import swapnas_ext as swap
from swapnas_ext._util.csv_cell import quoted, unquoted
from swapnas_ext.correlation.accuracy_table import (
    AccuracyTable,
    Fault,
    Row,
    flat,
    read_table,
    tell_faults,
)
from swapnas_ext.correlation.decimal_marks import decimal_mark, with_point

SPACE = small_space()


def architectures(count: int) -> list[str]:
    rng = random.Random(0)
    found: dict[str, None] = {}
    while len(found) < count:
        found[SPACE.sample(rng)] = None
    return list(found)


ROWS = [(text, f"{60 + place}.5", str(place)) for place, text in enumerate(architectures(12))]
HEADER = ("arch", "val_acc", "other")


def csv_file(
    folder: Path,
    rows: Sequence[Sequence[str]] = ROWS,
    header: Sequence[str] = HEADER,
    **dialect: Any,
) -> Path:
    path = folder / "table.csv"
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **dialect).writerows([header, *rows])
    path.write_bytes(buffer.getvalue().encode())
    return path


def json_file(folder: Path, content: Any) -> Path:
    path = folder / "table.json"
    path.write_text(json.dumps(content))
    return path


def pairs(table: AccuracyTable) -> list[tuple[str, float]]:
    return [(row.architecture, row.accuracy) for row in table.rows]


EXPECTED = [(text, float(accuracy)) for text, accuracy, _ in ROWS]


def test_a_table(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path), SPACE, baselines=["other"])
    assert (table.name, table.accuracy, table.faults) == ("table.csv", "val_acc", [])
    assert pairs(table) == EXPECTED
    assert table.rows[3] == Row(5, ROWS[3][0], 63.5, {"other": 3.0})  # after the header line


def test_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = csv_file(tmp_path, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\r\n\r\n") + b"\r\n")
    assert pairs(read_table(path, SPACE)) == EXPECTED  # byte order mark, blank lines


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_a_mark_tells(tmp_path: Path, encoding: str) -> None:
    path = csv_file(tmp_path, delimiter="\t")  # as spreadsheets save Unicode text
    path.write_bytes(path.read_text().encode(encoding))
    assert pairs(read_table(path, SPACE)) == EXPECTED


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_decimal_commas(tmp_path: Path, delimiter: str, quoting: Any) -> None:
    rows = [(text, value.replace(".", ","), f"-{place},125") for text, value, place in ROWS]
    path = csv_file(tmp_path, rows, delimiter=delimiter, quoting=quoting)
    table = read_table(path, SPACE, baselines=["other"])
    assert pairs(table) == EXPECTED
    assert [row.baselines["other"] for row in table.rows] == [
        -place - 0.125 for place in range(len(ROWS))
    ]


OPEN = "may be a decimal mark or group thousands"
DIFFERENT = "different decimal marks"


@pytest.mark.parametrize(
    ("accuracies", "others", "expected"),
    [
        (("91.5", "90.5"), ("1,234", "850"), [1234.0, 850.0]),
        (("91,5", "90,5"), ("1,234", "850"), [1.234, 850.0]),
        (("91", "90"), ("1,234", "850"), OPEN),
        (("91.5", "90.5"), ("1.234", "2.345"), [1.234, 2.345]),
        (("91", "90"), ("1.234", "2.345"), [1.234, 2.345]),
        (("91,5", "90,5"), ("73.306", "900.000"), OPEN),
        (("91,5", "90,5"), ("73.306", "1.073.466"), [73306.0, 1073466.0]),
        (("91", "90"), ("12,000", "1,234,567"), [12000.0, 1234567.0]),
        (("91,5", "90,5"), ("1,234,567", "2"), [1234567.0, 2.0]),
        (("91", "90"), ("1.234,5", "12"), [1234.5, 12.0]),
        (("91", "90"), ("1,234.5", "12,000"), [1234.5, 12000.0]),
        (("91", "90"), ("1,5E+20", "-2,5e-3"), [1.5e20, -2.5e-3]),
        (("91", "90"), ("0,125", "1,250"), [0.125, 1.25]),
        (("91", "90"), ("1,5", "1.5"), DIFFERENT),
        (("91,5", "90.5"), ("1", "2"), DIFFERENT),
        (("91", "90"), ("1,5", ""), [1.5, math.nan]),
        (("91", "90"), ("1,5", "n/a"), [1.5, math.nan]),
        (("91", "90"), ("1.5", "1,2,3"), "is '1,2,3', which is not a number"),
        (("91", "90"), ("1.5", "91_1"), "is '91_1', which is not a number"),
        (("91", "90"), ("1.5", "5%"), "is '5%', which is not a number"),
        (("91,500", "90,500"), ("1", "2"), OPEN),
        (("91.500", "90.500"), ("1", "2"), [1.0, 2.0]),
    ],
)
@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_marks_of_numbers(
    tmp_path: Path,
    accuracies: tuple[str, str],
    others: tuple[str, str],
    expected: list[float] | str,
    delimiter: str,
) -> None:
    rows = [(ROWS[k][0], accuracies[k], others[k]) for k in range(2)]
    path = csv_file(tmp_path, rows, delimiter=delimiter)
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=rf"table\.csv: .*{expected}"):
            read_table(path, SPACE, baselines=["other"])
        return
    table = read_table(path, SPACE, baselines=["other"])
    assert [row.baselines["other"] for row in table.rows] == pytest.approx(expected, nan_ok=True)
    whole = [float(text.replace(",", ".")) for text in accuracies]
    assert [row.accuracy for row in table.rows] == whole


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(",."))
def test_numbers_are_read_as_they_were_written(number: float, mark: str) -> None:
    text = repr(number)
    cell = text.replace(".", mark)
    other = "0.5".replace(".", mark)
    told = decimal_mark("x", [cell, other], [])
    assert told == mark
    assert float(with_point(cell, mark)) == number
    grouped = f"{number:,.2f}".translate(str.maketrans(",.", ",." if mark == "." else ".,"))
    assert decimal_mark("x", [grouped], []) == mark
    assert float(with_point(grouped, mark)) == float(f"{number:.2f}")


def test_what_excel_says_of_the_delimiter(tmp_path: Path) -> None:
    path = csv_file(tmp_path, delimiter="|")
    path.write_text("sep=|\r\n" + path.read_text())
    table = read_table(path, SPACE)
    assert pairs(table) == EXPECTED
    assert table.rows[0].place == 3


def test_rows_that_are_all_ragged(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"arch,val_acc\n{ROWS[0][0]},91,5\n{ROWS[1][0]},90,5\n")
    with pytest.raises(
        ValueError, match=r"all 2 rows have more or fewer cells .* row 2 for example"
    ):
        read_table(path, SPACE)


def test_quotes_that_are_text(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    (first, accuracy, _), (second, other, _) = ROWS[:2]
    path.write_text(
        f'arch,val_acc,note\n{first},{accuracy},5" disk\n# a comment\n{second},{other},"a ""b"" #\n# c"\n'
    )
    assert pairs(read_table(path, SPACE)) == EXPECTED[:2]


def test_commas_of_architectures_stay(tmp_path: Path) -> None:
    class Numbers(type(SPACE)):  # type: ignore[misc]
        def parse(self, text: str) -> Any:
            return text

        def format(self, parsed: Any) -> str:
            return parsed

    path = csv_file(tmp_path, [("3,5", "90,5", "1"), ("7,25", "91,5", "2")], delimiter=";")
    table = read_table(path, Numbers(channels=2, cells=1))
    assert pairs(table) == [("3,5", 90.5), ("7,25", 91.5)]


def test_comments_and_cells_at_the_end_that_are_empty(tmp_path: Path) -> None:
    (first, accuracy, _), (second, other, _) = ROWS[:2]
    path = tmp_path / "table.csv"
    path.write_text(
        '# by someone, "in 2020\n'
        "note,arch,val_acc,\n"
        f'"a\n#b",{first},{accuracy},\n'
        "  # a row that was left out,,\n"
        ",,,\n"
        f"x,{second},{other},,,\n"
    )
    table = read_table(path, SPACE)
    assert pairs(table) == EXPECTED[:2]
    assert [row.place for row in table.rows] == [4, 7]  # lines of the file
    path.write_text(f"arch,val_acc\n{first},{accuracy},x\n{second},{other}\n")
    with pytest.raises(ValueError, match="row 2: it has more or fewer cells"):
        read_table(path, SPACE)


@pytest.mark.slow
@given(st.text())
def test_what_spreadsheets_would_compute_is_quoted_and_read_back(text: str) -> None:
    cell = quoted(text)
    assert unquoted(cell) == text
    if cell[:1] in "=+-@\t\r" and cell:
        float(cell)  # a number


def test_texts_of_a_table_are_read_as_they_were_before_they_were_quoted(tmp_path: Path) -> None:
    class Formulas(type(SPACE)):  # type: ignore[misc]
        def parse(self, text: str) -> Any:
            return text

        def format(self, parsed: Any) -> str:
            return parsed

    texts = ["=1+1", "'=1+1", "-x", "'x", "+1", "@a"]
    path = csv_file(tmp_path, [(quoted(text), "1", "") for text in texts])
    table = read_table(path, Formulas(channels=2, cells=1))
    assert [row.architecture for row in table.rows] == texts


def test_objects_in_objects(tmp_path: Path) -> None:
    entries = [{"arch": text, "acc": {"val": float(value)}, "n": None} for text, value, _ in ROWS]
    path = json_file(tmp_path, entries)
    table = read_table(path, SPACE, accuracy="acc.val")
    assert pairs(table) == EXPECTED
    assert [row.place for row in table.rows] == list(range(1, 13))
    assert table.accuracy == read_table(path, SPACE).accuracy  # begins with acc


def test_flat() -> None:
    entry = {"a": 1, "b": {"c": [2], "d": {"e": None}}, "f": {}}
    assert flat(entry) == {"a": 1, "b.c": [2], "b.d.e": None}


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["acc", "test_acc", "x", "Val_acc"], "Val_acc"),
        (["acc", "test_acc"], "test_acc"),
        (["top1", "accuracy"], "accuracy"),
        (["val_b", "val_a"], "val_b"),
        (["val_error", "val_acc"], "val_acc"),
        (["valid_nll", "test_rank", "epochs", "top1_acc"], "top1_acc"),
        (["val_loss", "test_cifar10"], "test_cifar10"),
        (["valError", "valNLL", "testAccuracy"], "testAccuracy"),
        (["train_acc", "val_cifar10"], "val_cifar10"),
        (["test_acc", "valid_accuracy"], "valid_accuracy"),
        (
            ["val_acc_std", "val_acc_epoch", "acc1_epoch", "acc.rank", "mean acc (%)"],
            "mean acc (%)",
        ),
        (["acc_seed", "val_acc_seed777"], "val_acc_seed777"),
        (["12epochs_acc_time", "acc_200_epochs"], "acc_200_epochs"),
        (["test_set", "test_terrain"], "test_terrain"),
        (["accelerator", "accumulated", "test_sentiment"], "test_sentiment"),
        (["val_dataset", "dataset_acc"], "dataset_acc"),
        (["valid_perplexity", "val_mean"], "val_mean"),
    ],
)
def test_the_column_of_accuracies(columns: list[str], chosen: str, tmp_path: Path) -> None:
    rows = [[ROWS[0][0], *map(str, range(len(columns)))]]
    table = read_table(csv_file(tmp_path, rows, ["genotype", *columns]), SPACE)
    assert table.accuracy == chosen
    assert table.rows[0].accuracy == columns.index(chosen)


@pytest.mark.parametrize(
    "column",
    [
        *("val_error", "val_err", "test_errors", "valerror", "valid_nll", "test_ppl"),
        *("val_perplexity", "val_loss", "valtraintime", "test_rank", "test_ranking", "val_time"),
        *("test_latency", "val_params", "testFLOPs", "val_macs", "epochs", "val_epochs"),
        *("best_acc_epoch", "seed", "val_seed", "acc_seed", "index", "test_index"),
        *("acc_std", "test_stddev", "val_stderr", "acc_var", "acc_rank", "accuracy_drop"),
        *("val_mse", "test_wer", "time_to_accuracy", "val_size", "test_memory", "accelerator"),
        "params",
    ],
)
def test_columns_that_are_no_accuracies(column: str, tmp_path: Path) -> None:
    path = csv_file(tmp_path, [(ROWS[0][0], "1")], ("arch", column))
    problem = (
        rf"which column of .* name it with --accuracy COLUMN, or accuracy= .* has: arch, {column}$"
    )
    with pytest.raises(ValueError, match=problem):
        read_table(path, SPACE)
    assert read_table(path, SPACE, accuracy=column).accuracy == column  # on request


def test_other_columns_that_are_asked_for_are_no_accuracies(tmp_path: Path) -> None:
    rows = [(text, accuracy, accuracy) for text, accuracy, _ in ROWS]
    path = csv_file(tmp_path, rows, ("val_arch_acc", "acc_12epochs", "acc_200epochs"))
    table = read_table(path, SPACE, architecture="val_arch_acc", baselines=["acc_12epochs"])
    assert table.accuracy == "acc_200epochs"


def test_named_columns(tmp_path: Path) -> None:
    rows = [(f"{place}", text, accuracy) for place, (text, accuracy, _) in enumerate(ROWS)]
    path = csv_file(tmp_path, rows, ("arch", "cell", "größe, top 1"))
    table = read_table(path, SPACE, architecture="cell", accuracy="größe, top 1")
    assert pairs(table) == EXPECTED


def test_architectures_are_in_the_spaces_own_notation(tmp_path: Path) -> None:
    space = swap.spaces.get("flexibert")
    wanted = space.sample(random.Random(0))
    other = next(iter(space.formats(wanted).values()))  # the benchmark's JSON
    table = read_table(csv_file(tmp_path, [(other, "1", "")]), space)
    assert table.rows[0].architecture == wanted


def test_columns_of_nasbench101(tmp_path: Path) -> None:
    """Its matrices lose their leading zeros in tables."""
    space = swap.spaces.get("nasbench101")
    wanted = [space.sample(random.Random(seed)) for seed in range(5)]
    rows = [(str(int(text.split(":")[0])), text.split(":")[1], "90") for text in wanted]
    table = read_table(csv_file(tmp_path, rows, ("adjacency49", "ops", "val_accuracy")), space)
    assert [row.architecture for row in table.rows] == wanted
    entries = [{"adjacency49": int(row[0]), "ops": row[1], "val": 90} for row in rows]
    again = read_table(json_file(tmp_path, entries), space)
    assert [row.architecture for row in again.rows] == wanted


@pytest.mark.parametrize("config", [None, 3, [], {}, {"encoder_layers": 3}, {"encoder_layers": []}])
def test_entries_of_flexibert_without_an_architecture(config: Any, tmp_path: Path) -> None:
    space = swap.spaces.get("flexibert")
    good = json.loads(next(iter(space.formats(space.sample(random.Random(0))).values())))
    bad = {"hidden_size": 128, "nas_config": config}
    entries = [{**entry, "scores": {"glue": 70}} for entry in (good, bad)]
    path = json_file(tmp_path, entries)
    table = read_table(path, space, accuracy="scores.glue", skip_bad=True)
    assert [row.place for row in table.rows] == [1]
    assert [fault.place for fault in table.faults] == [2]


@pytest.mark.parametrize(
    ("file", "name", "accuracy", "rows", "faults"),
    [
        ("darts_cifar10.csv", "darts", None, 498, {}),
        ("nasbench101_500.csv", "nasbench101", None, 500, {}),
        ("flexibert.json", "flexibert", "scores.glue", 248, {"duplicate", "without an accuracy"}),
    ],
)
def test_published_tables(
    file: str, name: str, accuracy: str | None, rows: int, faults: set[str], benchmark_data: Path
) -> None:
    path = benchmark_data / file
    table = read_table(path, swap.spaces.get(name), accuracy=accuracy, skip_bad=True)
    assert len(table.rows) == rows
    assert {fault.kind for fault in table.faults} == set(faults)


# ---- what is refused -------------------------------------------------------------------------------

BAD = [
    (ROWS[0][0], "70", "1"),
    ("no cell", "71", "1"),
    ("", "71", "1"),
    (architectures(20)[12], "nan", "1"),
    (architectures(20)[13], "", "1"),
    (architectures(20)[14], "inf", "1"),
    (architectures(20)[15], "93 %", "1"),
    (architectures(20)[16], "93"),
    (architectures(20)[17], "93", "1", "2"),
]
KINDS = [
    *("duplicate", "unparsable", "unparsable"),
    *["without an accuracy"] * 4,
    *["ragged"] * 2,
]


def test_bad_rows_are_listed_and_left_out_on_request(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [*ROWS, *BAD])
    with pytest.raises(ValueError, match="9 of 21 rows can't be used") as told:
        read_table(path, SPACE)
    text = str(told.value)
    for part in (
        *("1 duplicate:", "2 unparsable:", "4 without an accuracy:", "2 ragged:"),
        "row 14: the architecture of row 2",
        "row 15: expected '|', found 'n', at character 0",
        "row 17: val_acc is 'nan', not a finite number",
        "--skip-bad",
    ):
        assert part in text
    table = read_table(path, SPACE, skip_bad=True)
    assert pairs(table) == EXPECTED
    assert [fault.kind for fault in table.faults] == KINDS
    assert [fault.place for fault in table.faults] == list(range(14, 23))


def test_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no row can be used; 8 of 8 rows"):
        read_table(csv_file(tmp_path, BAD[1:]), SPACE, skip_bad=True)


@pytest.mark.parametrize("value", [None, "", True, [3], "1e999", "1e"])
def test_values_that_are_no_accuracies(value: Any, tmp_path: Path) -> None:
    entries = [{"arch": ROWS[0][0], "val": 1.5}, {"arch": ROWS[1][0], "val": value}]
    table = read_table(json_file(tmp_path, entries), SPACE, skip_bad=True)
    assert pairs(table) == [(ROWS[0][0], 1.5)]
    assert table.faults[0].kind == "without an accuracy"


@pytest.mark.parametrize("value", [None, 3, True, ["x"]])
def test_values_that_are_no_architectures(value: Any, tmp_path: Path) -> None:
    entries = [{"arch": ROWS[0][0], "val": 1.5}, {"arch": value, "val": 1.5}]
    (fault,) = read_table(json_file(tmp_path, entries), SPACE, skip_bad=True).faults
    assert fault == Fault(2, "without an architecture", f"there is {value!r} in its place")


def test_a_baseline_may_have_gaps(tmp_path: Path) -> None:
    rows = [(*ROWS[0][:2], "2.5"), (*ROWS[1][:2], ""), (*ROWS[2][:2], "none")]
    table = read_table(csv_file(tmp_path, rows), SPACE, baselines=["other"])
    values = [row.baselines["other"] for row in table.rows]
    assert values[0] == 2.5
    assert all(map(math.isnan, values[1:]))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "", "a.csv is empty: expected a header line"),
        ("a.csv", "arch,val\n", "a.csv has no rows"),
        ("a.csv", "arch,val,val\nx,1,2\n", "more than one column 'val'"),
        ("a.csv", "x,val\n1,2\n", "which column of .*a.csv has the architectures.* it has: x, val"),
        ("a.csv", "arch,x\n1,2\n", "which column of .*a.csv has the accuracies.* it has: arch, x"),
        ("a.csv", "arch|val\n1|2\n", "which column of .* it has: arch|val"),
        ("a.csv", "#arch,val\n", "a.csv is empty: expected a header line"),
        ("a.csv", 'arch,val\n"x,1\n', "can't read .*a.csv as a CSV file"),
        (
            "a.csv",
            b"arch,val\n\xe9,1\n",
            "a.csv is not text in UTF-8 .*at byte 9.*save it as UTF-8",
        ),
        ("a.csv", "arch,val\nx,1\n".encode("utf-16-le"), "a.csv is not text: it has zero bytes"),
        ("a.json", "", "can't read .*a.json as JSON"),
        ("a.json", "[{", "can't read .*a.json as JSON"),
        ("a.json", "[]", "a.json has no rows"),
        ("a.json", "{}", "is not a list of objects"),
        ("a.json", "[[1]]", "is not a list of objects"),
        ("a.json", "[" * 100_000, "a.json is nested too deeply"),
        ("a.json", '{"a":' * 100_000, "a.json is nested too deeply"),
        ("a.json", "[" * 101 + "]" * 101, "a.json is nested too deeply: more than 100"),
        ("a.json", "[" + "9" * 10_000 + "]", "can't read .*a.json as JSON"),
        ("a.json", "[{}]", "which column of .* has the architectures"),
    ],
)
def test_files_that_are_no_tables(
    name: str, content: str | bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=problem):
        read_table(path, SPACE)


def test_missing_columns_and_files(tmp_path: Path) -> None:
    path = csv_file(tmp_path)
    for columns in ({"architecture": "x"}, {"accuracy": "x"}, {"baselines": ["other", "x"]}):
        problem = "table.csv has no column 'x'; it has: arch, val_acc, other"
        with pytest.raises(ValueError, match=problem):
            read_table(path, SPACE, **columns)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="there is no table"):
        read_table(tmp_path / "none.csv", SPACE)


def test_a_long_list_is_cut_short() -> None:
    text = tell_faults([Fault(place, "ragged", "so") for place in range(1, 1235)], 2000)
    assert text.splitlines()[:2] == ["1,234 of 2,000 rows can't be used", "  1,234 ragged:"]
    assert text.splitlines()[-1].strip() == "and 1,229 more"
    assert len(text.splitlines()) == 8


# ---- samples ---------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_a_smaller_sample_is_part_of_a_larger_one(
    rows: int, limit: int, other: int, seed: int
) -> None:
    table = AccuracyTable("", "", [Row(place, "", 0.0, {}) for place in range(rows)], [])
    small, large = sorted((limit, other))
    fewer, more = (table.sampled(count, seed).rows for count in (small, large))
    assert len(fewer) == min(small, rows)
    places = [row.place for row in more]
    assert places == sorted(places)
    assert {row.place for row in fewer} <= set(places)
    assert table.sampled(None, seed) is table


def test_another_seed_is_another_sample() -> None:
    table = AccuracyTable("", "", [Row(place, "", 0.0, {}) for place in range(100)], [])
    assert table.sampled(10, 0) == table.sampled(10, 0)
    assert table.sampled(10, 0) != table.sampled(10, 1)


def test_a_number_that_is_too_large(tmp_path: Path) -> None:
    entries = [{"arch": ROWS[0][0], "val": 1.5}, {"arch": ROWS[1][0], "val": 10**400}]
    table = read_table(json_file(tmp_path, entries), SPACE, skip_bad=True)
    assert table.faults[0].kind == "without an accuracy"


def test_a_column_beside_the_benchmarks_own(tmp_path: Path) -> None:
    space = swap.spaces.get("flexibert")
    text = space.sample(random.Random(0))
    entry = json.loads(next(iter(space.formats(text).values())))
    table = read_table(json_file(tmp_path, [{**entry, "acc": 1.0}]), space)
    assert table.rows[0].architecture == text
