"""Prints how many milliseconds an ONNX model takes for one sample: 20 runs with onnxruntime, on one thread.

    swapnas search --space nasbench201 --objective latency --latency-command 'python examples/measure_latency.py {onnx}'

A script for a phone or a board has the same form: it copies the file there (adb push, scp), runs it, and prints the
times."""

from __future__ import annotations

import sys
import time

import numpy as np
import onnxruntime

RUNS = 20


def main(path: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    kind = np.int64 if "int64" in declared.type else np.float32
    sample = np.zeros([size if isinstance(size, int) else 1 for size in declared.shape], kind)

    def milliseconds() -> float:
        start = time.perf_counter()
        session.run(None, {declared.name: sample})
        return 1e3 * (time.perf_counter() - start)

    for _ in range(5):  # the first runs prepare memory
        milliseconds()
    print(*(f"{milliseconds():.4f}" for _ in range(RUNS)))


if __name__ == "__main__":
    main(sys.argv[1])
