"""Compares every CUDA kernel with the reference on a few shapes. Alone it is a quick check of a GPU; under
compute-sanitizer (``make cuda-sanitize``) it checks memory accesses.

    python tests/cuda_sanitize.py [--device cuda] [--cases few]

A sanitizer makes every launch and every allocation slow, so it gets the ``few`` cases: each kernel with as few
neurons as reach it. `test_simt` runs them on the emulated GPU, and checks that they reach every kernel. The
reference runs on the CPU. Each case is announced with the time, so that a log shows what took long.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from swapnas_ext.patterns import reference, tables

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
FORMS = ("runs", "single", "split", "lines")
KERNEL_DTYPES = DTYPES[:3]  # both formats of 16 bits have the same kernels


@dataclass(frozen=True)
class Kernels:
    """Operators to check: a namespace of ``torch.ops``, with tables ``new_table(samples, ternary,
    patterns)`` on a device."""

    ops: Any
    new_table: Callable[[int, bool, int], Tensor]
    device: torch.device


@dataclass(frozen=True)
class Case:
    samples: int
    neurons: int
    dtype: torch.dtype
    ternary: bool
    form: str = ""  # of the inserts (csrc/cuda/insert_form.h); the kernels choose if empty


def few_cases() -> Iterator[Case]:
    """Enough to reach every kernel, few enough for an emulated GPU and for a sanitizer."""
    for dtype in KERNEL_DTYPES:
        # A bitmap, keys of 32 and of 64 bits, and keys of several words.
        for samples, ternary in ((16, False), (24, False), (40, False), (100, False)):
            for form in FORMS:
                yield Case(samples, 72, dtype, ternary, form)
        for samples in (8, 12, 20, 50):
            for form in FORMS:
                yield Case(samples, 72, dtype, True, form)
        # Many neurons for the size of the bitmap, so that each block has its own.
        for form in ("runs", "single", "lines"):
            yield Case(4, 640, dtype, False, form)
            yield Case(2, 640, dtype, True, form)
        yield Case(100, 5, dtype, False)


def further_cases() -> Iterator[Case]:
    for case in few_cases():
        if case.dtype == torch.float16:
            yield replace(case, dtype=torch.bfloat16)
    for dtype in DTYPES:
        for samples in (16, 20, 32, 64, 129):
            for ternary in (False, True):
                for form in FORMS:
                    yield Case(samples, 4096, dtype, ternary, form)
                yield Case(samples, 4097, dtype, ternary)
    # Bitmaps of 8 KiB in shared memory.
    yield Case(16, 1_200_000, torch.float32, False)
    yield Case(16, 1_200_001, torch.bfloat16, False)


def distinct(packed: Tensor) -> int:
    """`reference.count_patterns` of packed patterns: far faster for patterns of one word."""
    return len(torch.unique(packed, dim=0 if packed.dim() > 1 else None))


def check(kernels: Kernels, case: Case) -> None:
    """Raises AssertionError if an operator differs from the reference."""
    os.environ["SWAPNAS_CUDA_FORM"] = case.form
    generator = torch.Generator().manual_seed(case.samples * case.neurons)
    # Every second neuron copies another one, so that patterns repeat.
    half = torch.randn(case.samples, -(-case.neurons // 2), generator=generator)
    on_host = torch.cat([half, half], dim=1)[:, : case.neurons].to(case.dtype)
    x = on_host.to(kernels.device)
    tail = (case.samples, case.ternary)
    do = kernels.ops

    def counted(table: Tensor) -> int:
        count, flags = do.count(table, *tail).tolist()[0]
        assert flags == 0, f"{case}: flags {flags}"
        return count

    def table() -> Tensor:
        return kernels.new_table(case.samples, case.ternary, case.neurons)

    def expect(what: str, found: object, expected: object) -> None:
        assert found == expected, f"{case}: {what} gives {found}, expected {expected}"

    relu = torch.relu(on_host)
    wanted = reference.pack_patterns(on_host, *tail)
    expected, of_relu = distinct(wanted), distinct(reference.pack_patterns(relu, *tail))

    inserted = table()
    do.insert_(inserted, x, *tail)
    expect("insert_", counted(inserted), expected)
    expect("count_patterns", do.count_patterns([x], *tail).tolist(), [[expected, 0]])

    packed, nan = do.pack(x, *tail)
    expect("pack's NaN", nan.tolist(), [0])
    assert torch.equal(packed.cpu(), wanted), f"{case}: pack"
    of_packed = table()
    do.insert_packed_(of_packed, packed, *tail)
    expect("insert_packed_", counted(of_packed), expected)

    agreements = torch.zeros(case.samples, case.samples, dtype=torch.int64, device=kernels.device)
    do.add_agreements_(agreements, x, case.samples)
    wanted = reference.agreements(on_host, samples=case.samples)
    assert torch.equal(agreements.cpu(), wanted), f"{case}: add_agreements_"

    merged = table()
    do.merge_(merged, inserted, *tail)
    expect("merge_", counted(merged), expected)

    fused = table()
    assert torch.equal(do.relu_insert(fused, x, *tail).cpu(), relu), f"{case}: relu_insert"
    expect("relu_insert", counted(fused), of_relu)
    in_place = table()
    do.relu_insert_(in_place, x, *tail)
    assert torch.equal(x.cpu(), relu), f"{case}: relu_insert_"
    expect("relu_insert_", counted(in_place), of_relu)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device", default="cuda", help="default: cuda; cpu tests the script itself"
    )
    parser.add_argument(
        "--cases", choices=["all", "few"], default="all", help="few: for a sanitizer (default: all)"
    )
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    start = time.monotonic()

    def announce(text: str) -> None:
        print(f"{time.monotonic() - start:6.1f} s: {text}", flush=True)

    def new_table(samples: int, ternary: bool, patterns: int) -> Tensor:
        return tables.new_table(samples, ternary, patterns=patterns, device=device)

    if not tables.has_kernel(device):
        raise SystemExit(f"this swapnas_ext was built without kernels for {device}")
    kernels = Kernels(torch.ops.swapnas, new_table, device)
    cases = [*few_cases(), *([] if arguments.cases == "few" else further_cases())]
    announce(f"{len(cases)} cases on {device}")
    mistakes = []
    for number, case in enumerate(cases, start=1):
        announce(f"{number} of {len(cases)}: {case}")
        try:
            check(kernels, case)
        except AssertionError as error:
            mistakes.append(str(error))
    if mistakes:
        raise SystemExit("\n".join([f"wrong in {len(mistakes)} of {len(cases)} cases:", *mistakes]))
    print(f"every operator agrees with the reference in {len(cases)} cases on {device}")


if __name__ == "__main__":
    main()
