"""Every CUDA kernel once on small activations, for compute-sanitizer (``make cuda-sanitize``)."""

from __future__ import annotations

import torch

import swapnas_ext as swap
from swapnas_ext import reference


def main() -> None:
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        for samples in (4, 16, 20, 32, 64, 129):
            for ternary in (False, True):
                for neurons in (33, 4096):
                    check(samples, neurons, dtype, ternary)
    check(4, 1 << 20, torch.float32, False)  # enough for bitmaps in shared memory
    print("all kernels agree with the reference")


def check(samples: int, neurons: int, dtype: torch.dtype, ternary: bool) -> None:
    x = torch.randn(samples, neurons).to("cuda", dtype)
    expected = reference.count_patterns(x, samples=samples, ternary=ternary)
    counter, packed_counter, merged = (
        swap.PatternCounter(samples, device="cuda", ternary=ternary) for _ in range(3)
    )
    counter.update(x)
    packed_counter.insert_packed(swap.pack_patterns(x, ternary=ternary))
    merged.merge(counter)
    counts = [counter.count(), packed_counter.count(), merged.count()]
    if counts != [expected] * 3:
        raise SystemExit(
            f"{counts}, expected {expected}: {samples=} {neurons=} {dtype=} {ternary=}"
        )
    y = counter.relu(x)
    counter.relu_(x)
    if not torch.equal(x, y):
        raise SystemExit(f"relu and relu_ differ: {samples=} {neurons=} {dtype=} {ternary=}")


if __name__ == "__main__":
    main()
