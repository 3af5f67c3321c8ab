"""The figures of `gpu.py`, by name. On a GPU run each in a separate process, since a process can't use the GPU
after a CUDA error:

    python benchmarks/gpu_figures.py NAME ... [--dry-run]

It prints results for people, and sends them as rows to `gpu_runner`. Everything is checked before it is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import gpu_messages
import models
import torch
from gpu_device import Device, DryRun, Gpu, Work, medians
from gpu_results import summary_of_row
from published import published_count, published_way
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.capture import capturing
from swapnas_ext.patterns import reference

Value = TypeVar("Value")
GIB = 1 << 30
DARTS_V2 = (  # Liu et al., ICLR 2019, second order
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
REPEATS = 32


# ---- rows ----------------------------------------------------------------------------------------


def tell(row: dict[str, Any]) -> None:
    gpu_messages.tell("row", row)
    print(summary_of_row(row), flush=True)


def compare(
    milliseconds: Callable[[Work], float],
    work: str,
    ours: Work,
    others: Mapping[str, Work],
    *,
    against: str,
    rounds: int = 21,
    before: Work | None = None,
    at_least: float | None = None,
    within: float | None = None,
    faster: bool = True,
    notes: Callable[[Mapping[str, float]], dict[str, Any]] = lambda medians: {},
) -> None:
    """Times ours and the others in turn, and reports a row.

    With ``faster``, the ratio is the time of ``against`` divided by ours, otherwise ours divided by that of
    ``against``. The aim is a ratio of ``at_least`` or ``within``, or none. ``notes`` computes more from the
    medians."""
    found = medians(milliseconds, {**others, "ours": ours}, rounds=rounds, before=before)
    mine = found.pop("ours")
    ratio = found[against] / mine if faster else mine / found[against]
    bound, kept = "", True
    if at_least is not None:
        bound, kept = f">= {at_least}", ratio >= at_least
    elif within is not None:
        bound, kept = f"<= {within}", ratio <= within
    row = {"work": work, "ours_ms": mine, "others_ms": found, "against": against}
    tell(row | {"ratio": ratio, "bound": bound, "kept": kept, **notes(found)})


def require_equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what} is wrong: {found}, expected {expected}; nothing of it is timed")


def require_relu(what: str, y: Tensor, x: Tensor) -> None:
    if not torch.equal(y, torch.relu(x)):
        raise SystemExit(
            f"{what}: the output is not torch.relu of the input; nothing of it is timed"
        )


def distinct(packed: list[Tensor]) -> int:
    """Counts patterns packed by the reference."""
    patterns = torch.cat(packed)
    return len(torch.unique(patterns) if patterns.dim() == 1 else torch.unique(patterns, dim=0))


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """The kernels read it at every launch."""
    before = os.environ.get(name, "")
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ[name] = before


def in_form(work: Callable[[], Value], form: str) -> Callable[[], Value]:
    """The work with inserts of a form (csrc/cuda/insert_form.h), or of the chosen one where that is not
    possible."""

    def forced() -> Value:
        with environment("SWAPNAS_CUDA_FORM", form):
            return work()

    return forced


# ---- inserts -------------------------------------------------------------------------------------


def columns(device: Device, samples: int, neurons: int, kinds: int, dtype: torch.dtype) -> Tensor:
    """Activations in which each neuron is one of ``kinds`` random columns."""
    some = torch.randn(samples, kinds, device=device.torch, dtype=dtype)
    return some[:, torch.randint(kinds, (neurons,), device=device.torch)].contiguous()


class Insert:
    """ReLU + insert as the operator: a counter would treat each call's neurons as new, and grow."""

    def __init__(self, device: Device, x: Tensor) -> None:
        self.x = x
        self.samples = x.shape[0]
        counter = swap.PatternCounter(self.samples, device=device.torch)
        counter.reserve(x.numel() // self.samples)
        self.counter = counter
        self.table = counter._table

    def __call__(self) -> Tensor:
        return torch.ops.swapnas.relu_insert(self.table, self.x, self.samples, False)


def poisoned_call(x: Tensor, insert: Callable[[], Tensor]) -> Tensor:
    """The output most likely gets memory full of NaN, which reveals unwritten elements."""
    poison = torch.full_like(x, torch.nan)
    del poison
    return insert()


def inserts(device: Device, dtype: torch.dtype, samples: int, aim: float | None) -> None:
    neurons = device.sized(GIB, 1 << 16) // samples // dtype.itemsize
    kinds = device.sized(100_000, 100)
    name = f"ReLU + insert S={samples} {str(dtype)[6:]}, {device.sized('1 GiB', '64 KiB')}"
    # With the forms that are worth a comparison: of rows that begin anywhere only Lines reads whole lines.
    split = ("split",) if samples > 32 else ()
    either = ("runs", "lines")
    patterns = f"{kinds:,} patterns"
    for kind, extra, forms in (
        ("all neurons random", None, split),
        (patterns, 0, split),
        ("no power of two", 8008, either),
        ("a multiple of 4", 1004, either),
        ("odd", 1001, ()),
    ):
        if extra is None:
            x = torch.randn(samples, neurons, device=device.torch).to(dtype)
        else:
            x = columns(device, samples, neurons + extra, kinds, dtype)
        if extra:
            kind = f"{patterns}, V={neurons + extra:,}, {kind}"
        insert = Insert(device, x)
        del x
        check_insert(f"{name}, {kind}", insert, forms)
        measure_insert(device, f"{name}, {kind}", insert, aim, forms)
        del insert
        device.empty_cache()


def check_insert(name: str, insert: Insert, forms: Sequence[str]) -> None:
    """At last of the form that the kernels choose, whose patterns stay in the set."""
    expected = distinct([reference.pack_patterns(insert.x, insert.samples)])
    for form in (*forms, ""):
        insert.counter.reset()
        y = poisoned_call(insert.x, in_form(insert, form))
        require_relu(f"{name} {form}", y, insert.x)
        require_equal(f"count of {name} {form}", insert.counter.count(), expected)


def measure_insert(
    device: Device, name: str, insert: Insert, aim: float | None, forms: Sequence[str] = ()
) -> None:
    x = insert.x
    copy = torch.empty_like(x)
    bytes_moved = 2 * x.numel() * x.element_size()

    def notes(others: Mapping[str, float]) -> dict[str, Any]:
        """A copy reads and writes as much, so its bandwidth limits the insert."""
        bandwidth = bytes_moved / others["copy"] * 1e3
        return {
            "bytes": bytes_moved,
            "copy_TBps": bandwidth / 1e12,
            "floor_ms": 1e3 * bytes_moved / bandwidth,
            "patterns": insert.counter.count(),
        }

    others = {"copy": lambda: copy.copy_(x), "torch.relu": lambda: torch.relu(x)}
    others |= {f"as {form}": in_form(insert, form) for form in forms}
    timed = partial(compare, device.kernel_ms, against="copy", notes=notes)
    timed(name, insert, others, at_least=device.sized(aim, None))
    # The reset is not timed.
    timed(f"{name}, into an empty set", insert, others, before=insert.counter.reset, rounds=7)


def beyond_31_bits(device: Device) -> None:
    """More elements than a signed 32-bit index reaches, with known patterns. The last neurons, whose last
    sample lies beyond that, differ from the others only in that sample."""
    samples, dtype = 32, torch.bfloat16
    neurons = device.sized((1 << 31) // samples, 1 << 14) + 1001
    kinds, last = device.sized((100_000, 30_000), (1000, 500))
    base = torch.randperm(1 << 20, device=device.torch)[:kinds] * 2039  # below 2^31
    own_of_last = base[:last] | (1 << 31)
    patterns = torch.cat([base, own_of_last])
    index = torch.randint(kinds, (neurons,), device=device.torch, dtype=torch.int32)
    index[:kinds] = torch.arange(kinds, device=device.torch)
    index[-last:] = torch.arange(kinds, kinds + last, device=device.torch)
    x = torch.empty(samples, neurons, device=device.torch, dtype=dtype)
    for sample in range(samples):
        values = ((patterns >> sample & 1) * 2 - 1).to(dtype)
        torch.index_select(values, 0, index, out=x[sample])
    del index
    name = f"ReLU + insert S={samples} bfloat16, {x.numel():,} elements"
    insert = Insert(device, x)
    y = poisoned_call(x, insert)
    for sample in range(samples):
        require_relu(f"{name}, sample {sample}", y[sample], x[sample])
    require_equal(f"count of {name}", insert.counter.count(), kinds + last)
    require_equal(f"count_patterns of {name}", swap.count_patterns(y), kinds + last)
    del y
    measure_insert(device, name, insert, None)


# Samples and neurons of activation maps: of NAS-Bench-201, and of ResNet-50.
MAPS = (
    (16, 16_384),
    (128, 16_384),
    (128, 4_096),
    (16, 401_408),
    (16, 802_816),
    (16, 1_605_632),
    (128, 802_816),
)


class Maps:
    """Launches as in a scored forward pass: one after the other in a graph, each with its own map, into one set
    with room for all of them."""

    def __init__(self, device: Device, samples: int, neurons: int) -> None:
        neurons = device.sized(neurons, neurons // 64)
        self.launches = device.sized(20 if neurons < 100_000 else 4, 2)
        self.device = device
        self.xs = [torch.randn(samples, neurons, device=device.torch) for _ in range(self.launches)]
        self.name = f"ReLU + insert of a map, S={samples} V={neurons:,}"
        self.counter = swap.PatternCounter(samples, device=device.torch)
        self.counter.reserve(self.launches * neurons)

    def insert(self) -> None:
        for x in self.xs:
            torch.ops.swapnas.relu_insert(self.counter._table, x, self.counter.samples, False)

    def relu(self) -> None:
        for x in self.xs:
            torch.relu(x)

    def compare(self, name: str, ours: Work, ways: Mapping[str, Work]) -> None:
        """Ours is a replay of the inserts, and so are ``ways``."""
        packed = [reference.pack_patterns(x, self.counter.samples) for x in self.xs]
        expected = distinct(packed)
        for way, replay in {"": ours, **ways}.items():
            self.counter.reset()
            replay()
            require_equal(f"count of {name} {way}", self.counter.count(), expected)
        moved = 2 * self.xs[0].numel() * self.xs[0].element_size()
        compare(
            lambda work: self.device.kernel_ms(work) / self.launches,
            name,
            ours,
            {"torch.relu": self.device.captured(self.relu), **ways},
            against="torch.relu",
            rounds=self.device.sized(21, 2),
            before=self.counter.reset,
            notes=lambda _: {"bytes": moved, "launches": self.launches},
        )


def maps(device: Device) -> None:
    for samples, neurons in MAPS:
        these = Maps(device, samples, neurons)
        forms = ("runs", "single", "split") if neurons > 100_000 else ()
        ways = {f"as {form}": device.captured(in_form(these.insert, form)) for form in forms}
        these.compare(these.name, device.captured(these.insert), ways)
        del these, ways
        device.empty_cache()


# ---- agreements ----------------------------------------------------------------------------------


def agreements(device: Device) -> None:
    """The kernel of NWOT. It reads the activations once; a copy reads and writes them."""
    for samples, neurons in ((16, 1_605_632), (128, 802_816), (128, 16_384), (256, 401_408)):
        neurons = device.sized(neurons, neurons // 64)
        x = torch.randn(samples, neurons, device=device.torch)
        found = torch.zeros(samples, samples, dtype=torch.int64, device=device.torch)
        name = f"agreements S={samples} V={neurons:,}"
        torch.ops.swapnas.add_agreements_(found, x, samples)
        expected = reference.agreements(x, samples=samples)
        require_equal(name, found.tolist(), expected.tolist())
        copy = torch.empty_like(x)
        compare(
            device.kernel_ms,
            name,
            lambda found=found, x=x, samples=samples: torch.ops.swapnas.add_agreements_(
                found, x, samples
            ),
            {"copy": lambda copy=copy, x=x: copy.copy_(x)},
            against="copy",
            rounds=device.sized(21, 2),
        )
        del x, copy
        device.empty_cache()


# ---- profiles ------------------------------------------------------------------------------------


def profiled(device: Device, dtype: torch.dtype, samples: int) -> None:
    """For ncu: an insert into an empty set, then the same again."""
    neurons = device.sized(GIB // 4, 1 << 16) // samples // dtype.itemsize
    insert = Insert(device, columns(device, samples, neurons, device.sized(100_000, 100), dtype))
    insert()
    insert()
    print(f"profiled {samples=} {dtype}: {insert.counter.count():,} patterns", flush=True)


# ---- counts --------------------------------------------------------------------------------------


def counts(device: Device) -> None:
    for samples, neurons, aim in ((32, 1_500_000, 100), (16, 43_008, None), (128, 500_000, None)):
        neurons = device.sized(neurons, neurons // 100)
        x = torch.relu(columns(device, samples, neurons, neurons // 2, torch.float32))
        name = f"count S={samples} V={neurons:,}"
        require_equal(name, swap.count_patterns(x), published_count([x], samples))
        parts = {
            "on the device": partial(torch.ops.swapnas.count_patterns, [x], samples, False),
            "reading x": partial(torch.max, x),
        }
        parts_ms = medians(device.kernel_ms, parts, rounds=device.sized(21, 2))
        print(f"{name}: {parts_ms}", flush=True)
        compare(
            device.call_ms,
            name,
            partial(swap.count_patterns, x),
            {"cat+sign+unique": partial(published_count, [x], samples)},
            against="cat+sign+unique",
            rounds=device.sized(21, 3),
            at_least=device.sized(aim, None),
            notes=lambda _, parts_ms=parts_ms: {"parts_ms": parts_ms},
        )


# ---- scored forward passes -----------------------------------------------------------------------


def darts(device: Device) -> nn.Module:
    layers, channels = device.sized((8, 36), (3, 4))
    return swap.spaces.get("darts", network="cifar10", layers=layers, channels=channels).build(
        DARTS_V2
    )


# Name, builder, pixels.
NETWORKS: dict[str, tuple[str, Callable[[Device], nn.Module], int]] = {
    "nasbench201": ("NAS-Bench-201", lambda device: swap.spaces.get("nasbench201").build(CELL), 32),
    "darts": ("DARTS, 36 channels, 8 cells", darts, 32),
    "resnet50": (
        "ResNet-50",
        lambda device: models.resnet50(device.sized((3, 4, 6, 3), (1, 1, 1, 1))),
        224,
    ),
    "vit": ("ViT-B/16", lambda device: models.ViT(*device.sized((224, 12), (32, 1))), 224),
}


def forwards(device: Device, network: str) -> None:
    title, build, pixels = NETWORKS[network]
    pixels = device.sized(pixels, 32)
    torch.manual_seed(0)
    model = (
        build(device).to(device.torch).train()
    )  # as in the published code: the mini-batch's statistics
    ternary = any(isinstance(module, nn.GELU) for module in model.modules())
    for samples in device.sized((16, 128), (4,)):
        images = torch.randn(samples, 3, pixels, pixels, device=device.torch)
        name = f"scored forward, {title} at {pixels}, {samples} images"
        with torch.no_grad():
            scored_forward(device, name, model, images, ternary)
        device.empty_cache()


def scored_forward(
    device: Device, name: str, model: nn.Module, images: Tensor, ternary: bool
) -> None:
    """Compares the calls, then the graphs."""
    counter = swap.PatternCounter(len(images), device=device.torch, ternary=ternary)

    def bare() -> None:
        model(images)

    def scored() -> None:
        counter.reset()
        with capturing(model, counter):
            model(images)

    neurons = check_scored_forward(name, model, scored, counter)
    counter.reserve(neurons)
    eager = counter.count()
    compare(
        device.call_ms,
        name,
        scored,
        {"bare forward": bare},
        against="bare forward",
        rounds=device.sized(41, 2),
        within=device.sized(1.03, None),
        faster=False,
    )
    replay_scored, replay_bare = device.captured(scored), device.captured(bare)
    counter.reset()
    replay_scored()
    replayed = counter.count()
    if abs(replayed - eager) > 1 + eager // 100:  # convolutions may use other algorithms
        raise SystemExit(f"the graph of {name} counts {replayed}, and the forward pass {eager}")
    compare(
        device.kernel_ms,
        f"{name}, as a graph",
        replay_scored,
        {"bare forward": replay_bare},
        against="bare forward",
        rounds=device.sized(101, 2),
        within=device.sized(1.03, None),
        faster=False,
        notes=lambda _: {"patterns": replayed, "neurons": neurons},
    )


def check_scored_forward(
    name: str, model: nn.Module, scored: Work, counter: swap.PatternCounter
) -> int:
    """Checks that the count equals that of the reference on the same activations; returns V."""
    packed: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        packed.append(reference.pack_patterns(output, counter.samples, counter.ternary))

    hooks = [
        module.register_forward_hook(keep)
        for module in model.modules()
        if isinstance(module, nn.ReLU | nn.GELU)
    ]
    scored()
    for hook in hooks:
        hook.remove()
    require_equal(f"count of {name}", counter.count(), distinct(packed))
    return sum(map(len, packed))


# ---- the published workload ----------------------------------------------------------------------


def repeats(device: Device) -> None:
    number = device.sized(REPEATS, 4)
    images = swap.data.photograph(16)
    space = swap.spaces.get("darts")
    model = space.build(DARTS_V2).to(device.torch)
    at_once = swap.Scorer(images, init="gaussian", repeats=number)
    replayed = swap.Scorer(images, init="gaussian", repeats=number, max_memory=1)
    scores = at_once(model), replayed(model)
    for left, right in zip(*(score.patterns for score in scores), strict=True):
        if abs(left - right) > 1 + right // 50:  # convolutions may use other algorithms
            raise SystemExit(f"repeats at once and as replays differ: {scores[0]} and {scores[1]}")
    inputs = images.to(device.torch)
    others = {
        "published way": lambda: published_way(
            lambda: space.build(DARTS_V2).to(device.torch), inputs, number
        )
    }
    for way, scorer in (("at once", at_once), ("as replays of a graph", replayed)):
        score = scorer(model)
        about = {"mean": score.mean, "notes": list(score.notes)}
        compare(
            device.call_ms,
            f"DARTS workload, {number} repeats {way}",
            partial(scorer, model),
            others,
            against="published way",
            rounds=device.sized(11, 1),
            notes=lambda _, about=about: about,
        )


# ---- searches ------------------------------------------------------------------------------------

SEARCHED = 300
_START_SECONDS = 8.0  # estimated time for workers to import torch and find the GPU


def searches(device: Device, seconds: float) -> None:
    """Uses one seed, so the candidates are the same, except where another device rounds convolutions
    differently. A short search on each device shows how many candidates fit the time."""
    devices = device.sized(("cuda", "cpu"), ("cpu",))
    crews = device.sized((1, 4), (1,))
    deadline = time.monotonic() + seconds
    rates = {
        name: searched(name, 1, device.sized(40, 6))["candidates_per_second"] for name in devices
    }
    left = deadline - time.monotonic() - _START_SECONDS * len(devices) * len(crews)
    # Assumes that four workers are at least twice as fast as one.
    each = sum(1 / rate / workers**0.5 for rate in rates.values() for workers in crews)
    candidates = min(device.sized(SEARCHED, 12), max(device.sized(100, 12), int(left / each)))
    print(
        f"{rates} candidates/s with one worker; {candidates:,} candidates in {left:.0f} s",
        flush=True,
    )
    failures: set[str] = set()
    for workers in crews:
        for name in devices:
            row = searched(name, workers, candidates)
            failures.update(row.pop("failures"))
            tell(row)
    if failures:
        raise SystemExit(f"candidates failed: {sorted(failures)[:5]}")


def searched(device: str, workers: int, candidates: int) -> dict[str, Any]:
    """The rate counts from the first quarter of the candidates to the last one, when all workers have
    started."""
    from swapnas_ext.search import Progress, SearchSettings, search

    space = swap.spaces.get("darts")
    scorer = swap.Scorer(space.inputs(16), init="gaussian", seed=1)
    reports: list[tuple[int, float]] = []

    def on_progress(progress: Progress) -> None:
        reports.append((progress.done, time.perf_counter()))

    start = time.perf_counter()
    found = search(
        space,
        scorer,
        SearchSettings(candidates=candidates, seed=1),
        workers=workers,
        device=device,
        on_progress=on_progress,
    )
    seconds = time.perf_counter() - start
    first = next(one for one in reports if one[0] >= candidates // 4)
    done, end = reports[-1]
    rate = (done - first[0]) / (end - first[1]) if done > first[0] else candidates / seconds
    return {
        "work": f"DARTS search, {candidates:,} candidates on {device}, {workers} worker(s)",
        "seconds": seconds,
        "candidates_per_second": rate,
        "candidates_per_second_with_start": candidates / seconds,
        "seconds_of_a_score": statistics.median(c.outcome.seconds for c in found.scored),
        "best": found.best.architecture,
        "best_score": found.best.score,
        "failures": [c.outcome.error for c in found.failed],
        "bound": "",
    }


# ---- by name -------------------------------------------------------------------------------------

Measure = Callable[[Device, float], None]  # second item: most seconds


def _named() -> dict[str, Measure]:
    measures: dict[str, Measure] = {}
    for dtype, samples, aim in (
        (torch.float32, 16, 0.85),
        (torch.float32, 32, 0.7),
        (torch.bfloat16, 32, None),
        (torch.float32, 64, None),
        (torch.float32, 128, None),
    ):
        name = f"{str(dtype)[6:]}-{samples}"
        measures[f"insert-{name}"] = lambda device, _, d=dtype, s=samples, a=aim: inserts(
            device, d, s, a
        )
        measures[f"profile-{name}"] = lambda device, _, d=dtype, s=samples: profiled(device, d, s)
    measures["beyond-31-bits"] = lambda device, _: beyond_31_bits(device)
    measures["maps"] = lambda device, _: maps(device)
    measures["agreements"] = lambda device, _: agreements(device)
    measures["count"] = lambda device, _: counts(device)
    for network in NETWORKS:
        measures[f"forward-{network}"] = lambda device, _, n=network: forwards(device, n)
    measures["repeats"] = lambda device, _: repeats(device)
    measures["search"] = searches
    return measures


MEASURES = _named()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="+", choices=MEASURES, metavar="NAME", help=" ".join(MEASURES)
    )
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, at tiny sizes")
    parser.add_argument(
        "--wait", action="store_true", help="for the seconds that it may take, on standard input"
    )
    arguments = parser.parse_args()
    seconds = float(sys.stdin.read()) if arguments.wait else 100.0
    device = DryRun() if arguments.dry_run else Gpu()
    for name in arguments.names:
        torch.manual_seed(0)
        MEASURES[name](device, seconds)


if __name__ == "__main__":
    main()
