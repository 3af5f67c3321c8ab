"""The CUDA half without a GPU: its operators, compiled for the emulated GPU of ``tests/simt``, against
the reference over every dtype, layout and edge size."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cuda_sanitize
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.layouts import DTYPES, EDGE_SIZES, LAYOUTS, activations, lay_out, random_values
from torch import Tensor

from swapnas_ext.patterns import ops, reference, table_format

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # the first one compiles the emulator


class EmulatedGpu:
    """``torch.ops.swapnas_simt``, with tables of its own size."""

    def __init__(self, library: Path) -> None:
        self._schemas = torch.library.Library("swapnas_simt", "DEF")
        for schema in ops.SCHEMAS:
            self._schemas.define(schema)
        torch.ops.load_library(library)
        self.ops = torch.ops.swapnas_simt
        self.library = library
        self._functions = ctypes.CDLL(str(library))
        self._functions.simt_table_words.restype = ctypes.c_int64

    def schedule(self, seed: int, multiprocessors: int = 2, form: str = "") -> None:
        os.environ["SWAPNAS_CUDA_FORM"] = form
        self._functions.simt_settings(ctypes.c_uint64(seed), multiprocessors)

    def launched_kernels(self) -> set[int]:
        """Where in the library those lie that were launched so far."""
        room = 1000
        offsets = (ctypes.c_int64 * room)()
        count = self._functions.simt_launched_kernels(offsets, ctypes.c_int64(room))
        assert count <= room
        return set(offsets[:count])

    def new_table(self, samples: int, ternary: bool, patterns: int, groups: int = 1) -> Tensor:
        words = self._functions.simt_table_words(
            ctypes.c_int64(samples), ctypes.c_bool(ternary), ctypes.c_int64(patterns)
        )
        return torch.zeros(groups, words, dtype=torch.int64)


@pytest.fixture(scope="module")
def gpu() -> EmulatedGpu:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not (shutil.which("cmake", path=path) and shutil.which("ninja", path=path)):
        pytest.skip("no cmake and ninja to build the emulated GPU with: pip install cmake ninja")
    build = ROOT / "build" / "core"  # as tests/cpp/run.sh, which has built most of it by then
    command = ["sh", ROOT / "tests/cpp/build.sh", build, "swapnas_simt_ops"]
    environment = {**os.environ, "PATH": path, "PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return EmulatedGpu(build / "libswapnas_simt_ops.so")


def test_the_check_of_all_kernels_reaches_all_kernels(gpu: EmulatedGpu) -> None:
    """Of each kernel, every instantiation that is in the library."""
    kernels = cuda_sanitize.Kernels(gpu.ops, gpu.new_table, torch.device("cpu"))
    for case in cuda_sanitize.few_cases():
        gpu.schedule(case.samples)
        cuda_sanitize.check(kernels, case)
    symbols = subprocess.run(
        ["nm", "--demangle", gpu.library], capture_output=True, text=True, check=True
    ).stdout
    kernel = re.compile(
        r"(\w+) [tW] (?:void )?swapnas::cuda::(?:\(anonymous namespace\)::)?(\w+_kernel\b.*Arguments\))$"
    )
    found = (kernel.match(line) for line in symbols.splitlines())
    there = {int(match[1], 16): match[2] for match in found if match}
    assert len(there) > 50
    missing = there.keys() - gpu.launched_kernels()
    assert not missing, [there[offset] for offset in missing]


def small(case: tuple[Tensor, int]) -> bool:
    """Whether a thread at a time gets through it soon."""
    return case[0].numel() <= 60_000


def small_for_pairs(case: tuple[Tensor, int]) -> bool:
    """The same for all pairs of samples."""
    return case[0].numel() * case[1] <= 200_000


many_cases = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
cases = activations().filter(small)
seeds = st.integers(0, 2**31)
forms = st.sampled_from(("", *cuda_sanitize.FORMS))


@many_cases
@given(case=cases, ternary=st.booleans(), seed=seeds, form=forms)
def test_insert_and_count_equal_reference(
    gpu: EmulatedGpu, case: tuple[Tensor, int], ternary: bool, seed: int, form: str
) -> None:
    x, samples = case
    gpu.schedule(seed, form=form)
    expected = [[reference.count_patterns(x, samples=samples, ternary=ternary), 0]]
    table = gpu.new_table(samples, ternary, x.numel() // samples)
    gpu.ops.insert_(table, x, samples, ternary)
    assert gpu.ops.count(table, samples, ternary).tolist() == expected
    assert gpu.ops.count_patterns([x, x], samples, ternary).tolist() == expected


@many_cases
@given(case=activations().filter(small_for_pairs), seed=seeds)
def test_agreements_equal_reference(gpu: EmulatedGpu, case: tuple[Tensor, int], seed: int) -> None:
    x, samples = case
    gpu.schedule(seed)
    found = torch.zeros(samples, samples, dtype=torch.int64)
    for times in (1, 2):
        gpu.ops.add_agreements_(found, x, samples)
        assert torch.equal(found, times * reference.agreements(x, samples=samples))


@many_cases
@given(case=cases, ternary=st.booleans(), inplace=st.booleans(), seed=seeds, form=forms)
def test_relu_equals_reference(
    gpu: EmulatedGpu,
    case: tuple[Tensor, int],
    ternary: bool,
    inplace: bool,
    seed: int,
    form: str,
) -> None:
    x, samples = case
    gpu.schedule(seed, form=form)
    expected, before = torch.relu(x), x.clone()
    table = gpu.new_table(samples, ternary, x.numel() // samples)
    if inplace:
        gpu.ops.relu_insert_(table, x, samples, ternary)
        assert torch.equal(x, expected)
    else:
        assert torch.equal(gpu.ops.relu_insert(table, x, samples, ternary), expected)
        assert torch.equal(x, before)
    patterns = reference.count_patterns(expected, samples=samples, ternary=ternary)
    assert gpu.ops.count(table, samples, ternary).tolist() == [[patterns, 0]]


@many_cases
@given(case=cases, ternary=st.booleans(), seed=seeds)
def test_pack_and_packed_insert_equal_reference(
    gpu: EmulatedGpu, case: tuple[Tensor, int], ternary: bool, seed: int
) -> None:
    x, samples = case
    gpu.schedule(seed)
    packed, nan = gpu.ops.pack(x, samples, ternary)
    assert torch.equal(packed, reference.pack_patterns(x, samples, ternary))
    assert nan.tolist() == [0]
    expected = [[len(torch.unique(packed, dim=0)), 0]]
    table = gpu.new_table(samples, ternary, x.numel() // samples)
    gpu.ops.insert_packed_(table, packed, samples, ternary)
    gpu.ops.insert_(table, x, samples, ternary)  # nothing new: both ways make the same patterns
    assert gpu.ops.count(table, samples, ternary).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("samples", EDGE_SIZES)
def test_every_size_and_dtype(gpu: EmulatedGpu, samples: int, dtype: torch.dtype) -> None:
    for neurons in (1, 8, 63, 64, 65, 200):
        gpu.schedule(neurons, multiprocessors=1 + neurons % 3)
        x = torch.randn(samples, neurons).to(dtype)
        expected = reference.count_patterns(x, samples=samples)
        assert gpu.ops.count_patterns([x], samples, False).tolist() == [[expected, 0]]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("samples", [4, 12, 24, 40, 70])
@pytest.mark.parametrize("groups", [2, 5])  # the emulated grid is 3 groups high
def test_groups_have_their_own_sets(
    gpu: EmulatedGpu, groups: int, samples: int, layout: str
) -> None:
    x = lay_out(random_values((groups * samples, 3, 5, 8), torch.float32, samples), layout)
    x = x.unflatten(0, (groups, samples))
    gpu.schedule(samples)
    table = gpu.new_table(samples, False, 120, groups)
    assert torch.equal(gpu.ops.relu_insert(table, x, samples, False), torch.relu(x))
    expected = [[reference.count_patterns(part, samples=samples), 0] for part in x]
    assert gpu.ops.count(table, samples, False).tolist() == expected
    other = gpu.new_table(samples, False, 300, groups)
    gpu.ops.merge_(other, table, samples, False)
    assert gpu.ops.count(other, samples, False).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("samples", [4, 16, 32, 64, 100])
def test_special_values(gpu: EmulatedGpu, samples: int, dtype: torch.dtype) -> None:
    """NaN of both signs, infinities, zeros of both signs, the smallest and the largest numbers."""
    info = torch.finfo(dtype)
    nan = torch.tensor([torch.nan], dtype=dtype)
    negative_nan = torch.copysign(nan, torch.tensor([-1.0], dtype=dtype))
    numbers = torch.tensor(
        [0.0, -0.0, torch.inf, -torch.inf, info.tiny, -info.tiny, info.max, info.min], dtype=dtype
    )
    subnormal = torch.tensor([info.smallest_normal / 2, -info.smallest_normal / 2], dtype=dtype)
    values = torch.cat([numbers, subnormal, nan, negative_nan])
    generator = torch.Generator().manual_seed(samples)
    x = values[torch.randint(len(values), (samples, 300), generator=generator)]
    gpu.schedule(samples)
    for ternary in (False, True):
        expected = reference.count_patterns(x, samples=samples, ternary=ternary)
        counts = gpu.ops.count_patterns([x], samples, ternary)
        assert counts.tolist() == [[expected, table_format.SAW_NAN]]
        packed, saw_nan = gpu.ops.pack(x, samples, ternary)
        assert torch.equal(packed, reference.pack_patterns(x, samples, ternary))
        assert saw_nan.tolist() == [1]
    y = gpu.ops.relu_insert(gpu.new_table(samples, False, 300), x, samples, False)
    assert torch.equal(y.nan_to_num(7.0), torch.relu(x).nan_to_num(7.0))
    assert torch.equal(y.isnan(), x.isnan())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ops, table: ops.insert_(table, torch.ones(5, 3), 4, False), "not a multiple"),
        (lambda ops, table: ops.insert_(table, torch.ones(4, 0), 4, False), "empty"),
        (lambda ops, table: ops.insert_(table, torch.ones(4, 3), 0, False), "at least 1"),
        (lambda ops, table: ops.insert_(table, torch.ones(4, 3).long(), 4, False), "float32"),
        (lambda ops, table: ops.insert_(table[:, :8], torch.ones(4, 3), 4, False), "table"),
        (lambda ops, table: ops.insert_(table, torch.ones(40, 3), 40, False), "does not fit"),
        (lambda ops, table: ops.merge_(table, table, 40, False), "does not fit"),
    ],
    ids=["rows", "empty", "samples", "dtype", "words", "bits", "merge"],
)
def test_bad_arguments(gpu: EmulatedGpu, call: Callable[[Any, Tensor], None], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(gpu.ops, gpu.new_table(4, False, 10))
