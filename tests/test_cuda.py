"""What only a GPU can show: streams, graphs, devices, errors that arrive late. `test_counter` and
`test_ops` hold the kernels against the reference, `test_simt` does so without a GPU."""

from __future__ import annotations

import copy
import gc
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F
from support.devices import require_cuda
from support.small_net import SmallNet
from torch import nn

import swapnas_ext as swap
from swapnas_ext.capture import capturing
from swapnas_ext.patterns import checks, reference
from swapnas_ext.patterns import counter as counter_module
from swapnas_ext.patterns.build_info import cuda_problem
from swapnas_ext.patterns.native import _C


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    require_cuda()
    yield torch.device("cuda")
    torch.cuda.synchronize()


# ---- without a GPU -------------------------------------------------------------------------------


def test_a_build_without_a_gpu_says_why() -> None:
    if not _C.cuda_architectures:
        pytest.skip("built without CUDA kernels")
    state = swap.build_info()["cuda"]
    assert swap.build_info()["cuda_architectures"]
    if torch.cuda.is_available():
        assert state == "usable"
    else:
        assert state.startswith("unusable: ") and len(state) > len("unusable: ")
    assert swap.count_patterns(torch.ones(4, 3)) == 1  # the CPU half works in any case


def test_a_build_without_kernels_warns_that_it_is_slow() -> None:
    with pytest.warns(UserWarning, match="without CUDA kernels"):
        checks.warn_of_slowness(torch.device("cuda"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks.warn_of_slowness(torch.device("xpu"))


def test_what_is_missing_is_told_with_versions() -> None:
    assert cuda_problem(13000, 13000, "") == ""
    none = cuda_problem(0, 13000, "CUDA driver version is insufficient for CUDA runtime version")
    assert none == (
        "no NVIDIA driver was found, and the kernels were built with CUDA 13.0, which needs driver 580 or newer"
    )
    old = cuda_problem(12080, 13000, "CUDA driver version is insufficient for CUDA runtime version")
    for part in (
        "driver knows CUDA 12.8",
        "CUDA 13.0",
        "580",
        "nvcc of CUDA 12",
        "update the driver",
    ):
        assert part in old
    no_gpu = cuda_problem(13010, 13000, "no CUDA-capable device is detected")
    assert no_gpu.startswith("no CUDA-capable device") and "13.1" in no_gpu and "13.0" in no_gpu
    assert "newer" not in cuda_problem(0, 14000, "?")  # a version that nobody knows the driver of


def test_versions_come_from_the_binary() -> None:
    if not _C.cuda_architectures:
        pytest.skip("built without CUDA kernels")
    driver, runtime, error = _C.cuda_availability()
    assert runtime >= 12080
    assert (driver == 0) <= bool(error)


@pytest.fixture
def in_capture(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether a graph is being captured, to counters on the CPU."""
    capturing = False

    def set_capturing(value: bool) -> None:
        nonlocal capturing
        capturing = value

    monkeypatch.setattr(counter_module, "is_capturing", lambda device: capturing)
    return set_capturing


USES = {
    "update": lambda counter, x: counter.update(x),
    "relu": lambda counter, x: counter.relu(x),
    "relu_": lambda counter, x: counter.relu_(x.clone()),
    "insert_packed": lambda counter, x: counter.insert_packed(swap.pack_patterns(x)),
    "merge": lambda counter, x: counter.merge(swap.PatternCounter(40)),
    "merged from": lambda counter, x: swap.PatternCounter(40).merge(counter),
    "reset": lambda counter, x: counter.reset(),
}


@pytest.mark.parametrize("use", USES)
def test_a_captured_set_stays_where_it_is(use: str, in_capture: Callable[[bool], None]) -> None:
    counter = swap.PatternCounter(40)
    x = torch.randn(40, 100)
    counter.update(x)
    in_capture(True)
    USES[use](counter, x)
    in_capture(False)
    address, count = counter._table.data_ptr(), counter.count()
    large = torch.randn(40, 100_000)
    for grow in (lambda: counter.reserve(10_000_000), lambda: counter.update(large)):
        with pytest.raises(RuntimeError, match=r"replays of a captured CUDA graph.*reserve\("):
            grow()
    assert counter._table.data_ptr() == address and counter.count() == count
    counter.update(-x)  # what there is room for goes on
    assert counter.count() > count
    copied = copy.deepcopy(counter)  # no graph knows a copy
    copied.update(large)
    assert copied.count() > 100_000


def test_sets_that_never_grow_can_be_captured_and_used_on(
    in_capture: Callable[[bool], None],
) -> None:
    counter = swap.PatternCounter(16)
    in_capture(True)
    counter.update(torch.randn(16, 100))
    in_capture(False)
    address = counter._table.data_ptr()
    counter.update(torch.randn(16, 1_000_000))
    counter.reserve(10_000_000)
    assert counter._table.data_ptr() == address and not counter.is_captured


def test_no_growing_in_a_capture(in_capture: Callable[[bool], None]) -> None:
    counter = swap.PatternCounter(40)
    in_capture(True)
    with pytest.raises(RuntimeError, match=r"while a CUDA graph is captured; call reserve\("):
        counter.update(torch.randn(40, 100_000))
    assert counter.count() == 0


def test_memory_of_a_set_is_not_reused_before_all_streams_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A table that is used, or left for a larger one, on another stream than it was allocated on."""
    stream = "first"
    recorded: list[tuple[int, str]] = []
    monkeypatch.setattr(counter_module, "current_stream", lambda device: stream)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda table, stream: recorded.append((id(table), stream))
    )
    counter = swap.PatternCounter(40)
    small = counter._table
    counter.update(torch.randn(40, 100))
    assert not recorded
    stream = "second"
    counter.update(torch.randn(40, 100))
    counter.update(torch.randn(40, 100))
    assert recorded == [(id(small), "second")]
    stream = "third"
    counter.update(torch.randn(40, 100_000))
    assert counter._table is not small
    assert recorded == [(id(small), "second"), (id(small), "third")]


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (1, swap.NanActivationError, "NaN"),
        (2, RuntimeError, "overflowed"),
        (4, ValueError, "beyond its 30 bits"),
        (7, RuntimeError, "overflowed"),
    ],
)
def test_flags_of_a_table_become_errors(flags: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checks.check_flags([[3, 0], [3, flags]], "raise", 30)
    checks.check_flags([[3, 1]], "ignore", 30)


# ---- with one ------------------------------------------------------------------------------------


def test_work_goes_to_the_current_stream(cuda: torch.device) -> None:
    counter = swap.PatternCounter(16, device=cuda)
    x = torch.zeros(16, 1 << 20, device=cuda)
    values = torch.randn(16, 1 << 20, device=cuda)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        x.copy_(values)
        counter.update(x)  # on another stream it would see zeros
        assert counter.count() == reference.count_patterns(values, samples=16)


@pytest.mark.parametrize("samples", [16, 32, 100])
def test_inserts_do_not_synchronise(cuda: torch.device, samples: int) -> None:
    x = torch.randn(samples, 60_000, device=cuda)

    def insert() -> swap.PatternCounter:
        counter = swap.PatternCounter(samples, device=cuda)
        for _ in range(4):  # growing on the way
            counter.update(counter.relu(x))
        return counter

    insert()  # CUDA loads each kernel, and torch its memory, when first used
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(200_000_000)
        counter = insert()
        done = torch.cuda.Event()
        done.record()
        assert not done.query()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert counter.count() == reference.count_patterns(x, samples=samples)


@pytest.mark.parametrize("samples", [16, 32])
def test_a_scored_forward_pass_replays_as_a_graph(cuda: torch.device, samples: int) -> None:
    torch.manual_seed(0)
    model = SmallNet().to(cuda).eval()
    images = torch.randn(samples, 3, 32, 32, device=cuda)
    counter = swap.PatternCounter(samples, device=cuda)
    counter.reserve(2 * 8 * 32 * 32)

    def scored_forward() -> torch.Tensor:
        counter.reset()
        with capturing(model, counter):
            return model(images)

    with torch.no_grad():
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            scored_forward()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = scored_forward()
        for seed in range(3):
            images.copy_(torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)))
            graph.replay()
            replayed, logits = counter.count(), output.clone()
            eager = scored_forward()
            torch.testing.assert_close(logits, eager)
            assert replayed == pytest.approx(counter.count(), rel=0.01)  # convolutions may differ


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU])
@pytest.mark.parametrize("samples", [16, 32])
def test_repeats_at_once_and_as_replays(
    cuda: torch.device, samples: int, activation: type[nn.Module]
) -> None:
    """Convolutions of other sizes may use other algorithms, and round differently."""
    torch.manual_seed(0)
    images = torch.randn(samples, 3, 32, 32)
    model = SmallNet(activation).to(cuda)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    single = [swap.score(model, images, init="gaussian", seed=seed) for seed in range(6)]
    for max_memory in (None, 1):  # 1 byte: one after another, as replays of a graph
        scorer = swap.Scorer(images, init="gaussian", repeats=6, max_memory=max_memory)
        for _ in range(2):
            score = scorer(model)
            assert without_numbers(score.notes) == without_numbers(single[0].notes)
            assert score.patterns == pytest.approx(single, rel=0.02)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def without_numbers(notes: Sequence[str]) -> list[str]:
    """Notes that contain counts, which differ by rounding."""
    return [re.sub(r"\d[\d,.]*", "#", note) for note in notes]


def test_functions_on_a_gpu(cuda: torch.device) -> None:
    class Functional(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu_(F.gelu(x) - 0.1)

    x = torch.randn(16, 5000)
    score = swap.score(Functional(), x.to(cuda))
    assert [layer.kind for layer in score.layers] == ["gelu", "relu"]
    assert score == pytest.approx(swap.score(Functional(), x), rel=0.01)
    encoder = nn.TransformerEncoderLayer(32, 2, 64, activation="gelu", batch_first=True)
    tokens = torch.randn(8, 7, 32)
    assert swap.score(encoder.to(cuda), tokens).neurons == 7 * 64


def test_replays_are_exact(cuda: torch.device) -> None:
    x = torch.empty(40, 5000, device=cuda)
    counter = swap.PatternCounter(40, device=cuda)
    counter.reserve(3 * 5000)
    counter.update(x.normal_())
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        counter.reset()
        y = counter.relu(x)
        counter.update(x)
    for _ in range(3):
        x.normal_()
        graph.replay()
        assert counter.count() == reference.count_patterns(x, samples=40)
        assert torch.equal(y, torch.relu(x))


def test_kernels_are_loaded_inside_a_capture(cuda: torch.device) -> None:
    """Where a capture is the first thing that a process does with them."""
    program = """
import torch
import swapnas_ext as swap
from swapnas_ext.patterns import reference

for samples, dtype in ((16, torch.float32), (16, torch.bfloat16), (32, torch.float32), (100, torch.float16)):
    x = torch.randn(samples, 1 << 21, device="cuda").to(dtype)
    counter = swap.PatternCounter(samples, device="cuda")
    counter.reserve(1 << 21)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        counter.reset()
        y = counter.relu(x)
    graph.replay()
    assert counter.count() == reference.count_patterns(x, samples=samples), samples
    assert torch.equal(y, torch.relu(x)), samples
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_growing_on_another_stream(cuda: torch.device) -> None:
    x = torch.randn(40, 20_000, device=cuda)
    large = torch.randn(40, 500_000, device=cuda)
    expected = reference.count_patterns(x, large, samples=40)
    for _ in range(5):
        counter = swap.PatternCounter(40, device=cuda)
        counter.update(x)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            torch.cuda._sleep(20_000_000)
            counter.update(large)  # grows
        # Would be given the memory of the first set, while it is being merged.
        torch.zeros(1 << 16, dtype=torch.int64, device=cuda).fill_(-1)
        torch.cuda.current_stream().wait_stream(side)
        assert counter.count() == expected


def test_a_captured_set_does_not_move(cuda: torch.device) -> None:
    x = torch.randn(40, 5000, device=cuda)
    counter = swap.PatternCounter(40, device=cuda)
    counter.reserve(5000)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        counter.reset()
        counter.update(x)
    with pytest.raises(RuntimeError, match="replays of a captured CUDA graph"):
        counter.update(torch.randn(40, 1_000_000, device=cuda))
    graph.replay()
    assert counter.count() == reference.count_patterns(x, samples=40)


def test_no_growing_while_a_graph_is_captured(cuda: torch.device) -> None:
    counter = swap.PatternCounter(40, device=cuda)
    x = torch.randn(40, 1_000_000, device=cuda)
    graph = torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match=r"call reserve\("), torch.cuda.graph(graph):
        counter.update(x)
    counter.update(x)
    assert counter.count() == reference.count_patterns(x, samples=40)


def test_replays_that_overflow_are_reported(cuda: torch.device) -> None:
    counter = swap.PatternCounter(40, device=cuda)
    x = torch.randn(40, 10_000, device=cuda)
    counter.update(x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        counter.update(x)
    for _ in range(10):
        x.normal_()
        graph.replay()
    with pytest.raises(RuntimeError, match="overflowed"):
        counter.count()
    counter.reset()
    assert counter.count() == 0


def test_stray_bits_are_reported_when_counting(cuda: torch.device) -> None:
    counter = swap.PatternCounter(30, device=cuda)
    counter.insert_packed(torch.tensor([1, -1, 2], dtype=torch.int32, device=cuda))
    with pytest.raises(ValueError, match="beyond its 30 bits"):
        counter.count()


def test_tensors_on_another_device(cuda: torch.device) -> None:
    on_gpu, on_cpu = swap.PatternCounter(4, device=cuda), swap.PatternCounter(4)
    here, there = torch.ones(4, 3), torch.ones(4, 3, device=cuda)
    for counter, x in ((on_gpu, here), (on_cpu, there)):
        for call in (counter.update, counter.relu, counter.relu_):
            with pytest.raises(ValueError, match=f"make the counter with device='{x.device}'"):
                call(x)
        assert counter.count() == 0
    with pytest.raises(ValueError, match="different devices"):
        swap.count_patterns(here, there)
    with pytest.raises(ValueError, match="device differ"):
        on_gpu.merge(on_cpu)
    assert on_gpu.device == torch.device("cuda", torch.cuda.current_device())


def test_the_device_of_the_tensor_not_the_current_one(cuda: torch.device) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    x = torch.randn(16, 5000, device="cuda:1")
    counter = swap.PatternCounter(16, device="cuda:1")
    counter.update(x)
    assert counter.count() == reference.count_patterns(x, samples=16)
    assert torch.cuda.current_device() == 0


def test_a_set_beyond_memory_is_refused_before_allocating(cuda: torch.device) -> None:
    counter = swap.PatternCounter(64, device=cuda)
    x = torch.randn(64, 1000, device=cuda)
    counter.update(x)
    gc.collect()  # what earlier tests left must not be freed in between
    before = torch.cuda.memory_allocated()
    with pytest.raises(RuntimeError, match="GiB"):
        counter.reserve(1 << 36)
    assert torch.cuda.memory_allocated() == before
    assert counter.count() == reference.count_patterns(x, samples=64)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU])
def test_score_on_the_gpu(cuda: torch.device, activation: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = SmallNet(activation)
    images = torch.randn(16, 3, 32, 32)
    on_cpu = swap.score(model, images)
    on_gpu = swap.score(model.to(cuda), images)
    assert on_gpu.neurons == on_cpu.neurons
    assert on_gpu.value == pytest.approx(on_cpu.value, rel=0.02)  # convolutions round differently
    repeated = swap.score(model, images, init="gaussian", repeats=3, seed=1)
    assert len(set(repeated.patterns)) > 1
    assert (
        repeated.patterns == swap.score(model, images, init="gaussian", repeats=3, seed=1).patterns
    )


@pytest.mark.parametrize("measure", swap.measures.names())
def test_measures_on_the_gpu(cuda: torch.device, measure: str) -> None:
    """A GPU draws other random numbers, so measures that draw noise or labels only come out near."""
    torch.manual_seed(0)
    model = SmallNet()
    images = torch.randn(16, 3, 32, 32)
    on_cpu = swap.score(model, images, measure=measure)
    on_gpu = swap.score(model.to(cuda), images.to(cuda), measure=measure)
    assert on_gpu.neurons == on_cpu.neurons
    assert on_gpu.log_value == pytest.approx(on_cpu.log_value, rel=0.1, abs=1.0)
