"""Private names of torch: all in one file, and none that the package can't do without."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.pattern_counts import assert_same_patterns

import swapnas_ext
from swapnas_ext._torch_private import NAMES

PACKAGE = Path(swapnas_ext.__file__).parent
OPERATORS = "torch._C._dispatch_key_parse"
MODE = "torch.utils._python_dispatch.TorchDispatchMode"
COMPILER = [name for name in NAMES if name.startswith("torch._dynamo")]


def scored_without(names: list[str], *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "support/hidden_names.py", *options],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, result in found.items():
        assert "error" not in result, f"without {name}:\n{result['error']}"
    return found


@pytest.fixture(scope="module")
def scored() -> dict[str, Any]:
    return scored_without(["", *NAMES, f"{OPERATORS},{MODE}"])


def assert_same_scores(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["scores"].keys() == expected["scores"].keys()
    for name, patterns in found["scores"].items():
        assert_same_patterns(tuple(patterns), tuple(expected["scores"][name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scores_without_a_name(name: str, scored: dict[str, Any]) -> None:
    found = scored[name]
    assert_same_scores(found, scored[""])
    assert found["unchanged"]
    note = f"has no {name}: {NAMES[name].without}"
    assert len(found["missing"]) == 1 and note in found["missing"][0]
    for notes in found["notes"].values():
        assert any(note in line for line in notes)


@pytest.mark.slow
def test_nothing_is_missing_here(scored: dict[str, Any]) -> None:
    assert scored[""]["missing"] == []
    assert scored[""]["notes"]["repeats"] == []


@pytest.mark.slow
def test_without_any_way_to_see_operators(scored: dict[str, Any]) -> None:
    found, expected = scored[f"{OPERATORS},{MODE}"], scored[""]
    assert len(found["missing"]) == 2
    assert found["scores"]["modules"] == expected["scores"]["modules"]
    assert found["scores"]["of a space"] == expected["scores"]["of a space"]
    seen, all_ = found["scores"]["as they are"], expected["scores"]["as they are"]
    assert 0 < seen[0] < all_[0]  # those that are modules
    assert "no activation" in found["scores"]["ternary"]


@pytest.mark.slow
def test_models_that_were_compiled() -> None:
    found = scored_without(["", *COMPILER], "--compiled")
    assert found[""]["scores"]["compiled"] == found[""]["scores"]["as they are"]
    for name in COMPILER:
        assert_same_scores(found[name], found[""])


@pytest.mark.slow
def test_a_name_that_is_not_used_can_not_be_hidden() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import swapnas_ext"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SWAPNAS_HIDE_TORCH_NAMES": "torch._C.nothing"},
    )
    assert done.returncode != 0 and "expected names of torch._C.DispatchKeySet" in done.stderr


PRIVATE = re.compile(
    r"torch(\.\w+)*\._[a-zA-Z]"  # torch._C.something
    r"|from torch[\w.]* import .*\b_\w+"
    r"|from torch(\.\w+)*\._"
    r"|(?<!\bself)(?<!\bfound)\._(version|parameters|buffers|modules|forward_hooks|forward_pre_hooks|schema"
    r"|overloadname|orig_mod|backward_hooks|non_persistent_buffers_set|base|current_level)\b"
    r"|[\"']_(parameters|buffers|modules|forward_hooks|forward_pre_hooks|orig_mod)[\"']"
)


def test_no_other_file_has_a_private_name() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_torch_private" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert found == []
