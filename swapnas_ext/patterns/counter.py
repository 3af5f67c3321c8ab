"""A set of activation patterns that activations stream into."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from swapnas_ext.patterns import tables
from swapnas_ext.patterns.checks import (
    NanPolicy,
    check_activations,
    check_count,
    check_flags,
    check_nan_policy,
    check_packed,
    has_repeated_elements,
    has_stray_bits,
    stray_bits_error,
    warn_of_slowness,
)
from swapnas_ext.patterns.cuda_streams import current_stream, is_capturing
from swapnas_ext.patterns.observer import InsertingOperator, Observer
from swapnas_ext.patterns.table_format import (
    HEADER_WORDS,
    NAN_WORD,
    OCCUPIED_WORD,
    SAW_NAN,
    ZERO_PATTERN_WORD,
)

_INITIAL_PATTERNS = 1 << 15

Result = TypeVar("Result")


class PatternCounter(Observer):
    """An exact set of activation patterns, fed one activation tensor at a time.

    The counter keeps only the set. Its memory grows with the number of neurons, not with the size of the
    activations, and does not grow at all for patterns of up to 20 bits.

    On CUDA all work is enqueued on torch's current stream; only `count` and `saw_nan` synchronise. To
    capture inserts in a ``torch.cuda.CUDAGraph``, make room before with `reserve`. Capture `reset` too,
    since the counter does not see what a replay inserts. A captured graph keeps the address of the set,
    so the set can't grow any more: keep the counter as long as the graph.

    Args:
        samples: S, the number of samples of the mini-batch.
        device: where the activations are.
        ternary: count the patterns of ``torch.sign`` (negative, zero, positive) instead of those of
            "is positive"; for activations that can be negative, such as GELU's.
        groups: R, sets kept side by side; activations are then ``[R, S * chunks, ...]``.
        nan_policy: what ``count`` does when a NaN went in: ``"raise"`` a `NanActivationError`, or
            ``"ignore"`` it. A NaN is inactive either way.

    Example::

        counter = PatternCounter(samples=16)
        y = counter.relu(x)          # ReLU and insert in one pass over x
        counter.update(other)        # insert only
        counter.count()              # distinct patterns so far

    Equivalent to::

        rows = torch.cat([t.reshape(16, -1) for t in (torch.relu(x), other)], dim=1)
        torch.unique(rows > 0, dim=1).shape[1]
    """

    counts_patterns = True

    def __init__(
        self,
        samples: int,
        *,
        device: torch.device | str = "cpu",
        ternary: bool = False,
        groups: int = 1,
        nan_policy: NanPolicy = "raise",
    ) -> None:
        self.samples = check_count("samples", samples)
        self.groups = check_count("groups", groups)
        self.ternary = bool(ternary)
        self.nan_policy = check_nan_policy(nan_policy)
        self.device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0"
        self._has_kernel = tables.has_kernel(self.device)
        if not self._has_kernel:
            warn_of_slowness(self.device)
        self._allocate(_INITIAL_PATTERNS)
        self.is_captured = False  # whether a CUDA graph keeps the address of a set that may grow
        self.resets = 0
        self._at_most = (
            0  # an upper bound on the patterns of any group, known without a synchronisation
        )

    def update(self, x: Tensor) -> None:
        """Adds the patterns of ``x``, ``[S * chunks, ...]`` (``[R, S * chunks, ...]`` for R groups).

        A first dimension of several times S holds that many chunks of neurons, sample-major, as in
        ``x.view(S, -1)``. float32, float64, float16 or bfloat16, any strides.

        Raises:
            TypeError: not a tensor, or not a floating-point one.
            ValueError: wrong first dimension, an empty tensor, another device, sparse.
        """
        self._insert(torch.ops.swapnas.insert_, x.detach() if isinstance(x, Tensor) else x)

    def relu(self, x: Tensor) -> Tensor:
        """Returns ``torch.relu(x)`` and adds its patterns, in one pass over ``x``.

        Raises as `update` does. Where autograd is recording ``x``, this is ``torch.relu`` and
        `update`, so that the gradient is right.
        """
        if isinstance(x, Tensor) and x.requires_grad and torch.is_grad_enabled():
            self._check(x)
            y = torch.relu(x)
            self.update(y)
        else:
            y = self._insert(torch.ops.swapnas.relu_insert, x)
        return y

    def direct_relu(self) -> Callable[[Tensor], Tensor] | None:
        """`relu` as the fastest possible function, for use without autograd. None where the set may have to
        grow, and where the device has no kernel."""
        if self._grows or not self._has_kernel:
            return None
        memory, samples, ternary = self._table, self.samples, self.ternary
        operator, device = torch.ops.swapnas.relu_insert.default, self.device

        def direct_relu(x: Tensor) -> Tensor:
            if x.device != device or x.layout is not torch.strided:
                self._check(x)
            try:  # the kernel checks the rest faster
                y: Tensor = operator(memory, x, samples, ternary)
            except Exception:
                self._check(x)
                raise
            return y

        return direct_relu

    def direct_table(self) -> Tensor | None:
        """The table itself. None where the set may have to grow, where it has several groups, and on a GPU."""
        is_direct = not self._grows and self.groups == 1 and self.device.type == "cpu"
        return self._table if is_direct else None

    def relu_(self, x: Tensor) -> Tensor:
        """`relu` in place; returns ``x``.

        Raises as `update` does, and ValueError where elements of ``x`` share memory.
        """
        if isinstance(x, Tensor) and has_repeated_elements(x):
            raise ValueError(
                f"relu_ writes to x, and elements of x share memory (shape {list(x.shape)}, strides "
                f"{list(x.stride())}, as after expand()); use relu, or x.contiguous()"
            )
        if isinstance(x, Tensor) and (x.is_neg() or (x.requires_grad and torch.is_grad_enabled())):
            self.reserve(self._check(x))  # raises before x is changed
            self.update(torch.relu_(x))
        else:
            self._insert(torch.ops.swapnas.relu_insert_, x)
            if not x.is_inference():
                torch.autograd.graph.increment_version(x)  # torch does not, for custom operators
        return x

    def insert_replicates(self, operator: Callable[..., Result], x: Tensor) -> Result:
        """Calls an inserting operator under ``torch.func.vmap`` and returns its result. Each replicate has
        a group of its own; ``x`` is the tensor of one replicate, ``[S * chunks, ...]``."""
        check_activations(x, self.samples)
        self._check_device("activations", x)
        self._make_room(tables.neurons(x, self.samples))
        return operator(self._table, x, self.samples, self.ternary)

    def insert_by(self, operator: InsertingOperator, x: Tensor) -> Tensor | None:
        if self.device.type != "cpu" or x.shape[0] % self.samples:
            return None
        self._make_room(x.numel() // (self.samples * self.groups))
        return operator(self._table, x, self.samples, self.ternary)

    def insert_packed(self, patterns: Tensor) -> None:
        """Adds patterns packed by `pack_patterns` with the same ``samples`` and ``ternary``.

        Raises:
            TypeError: not a tensor.
            ValueError: another dtype, shape or device, more groups than one, or (on the CPU) a bit set
                beyond the bits of a pattern.
        """
        if self.groups != 1:
            raise ValueError(f"insert_packed needs groups=1, this counter has {self.groups}")
        bits = tables.pattern_bits(self.samples, self.ternary)
        check_packed(patterns, bits)
        self._check_device("patterns", patterns)
        if len(patterns) == 0:
            return
        self._make_room(len(patterns))
        patterns = patterns.contiguous()
        try:
            torch.ops.swapnas.insert_packed_(self._table, patterns, self.samples, self.ternary)
        except Exception:
            if has_stray_bits(patterns, bits):
                raise stray_bits_error(bits) from None
            raise

    def merge(self, other: PatternCounter) -> None:
        """Adds all the patterns of another counter.

        Raises:
            TypeError: not a counter.
            ValueError: its samples, ternary, groups or device differ.
        """
        if not isinstance(other, PatternCounter):
            raise TypeError(f"only a PatternCounter can be merged, got {type(other).__name__}")
        for name in ("samples", "ternary", "groups", "device"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"can't merge counters whose {name} differ: {mine} and {theirs}")
        if other is self:
            return
        self._make_room(other._tightened())
        other._note_use()
        torch.ops.swapnas.merge_(self._table, other._table, self.samples, self.ternary)

    def count_on_host(self) -> int:
        """`count` of the first group without checks, on the CPU only: fast enough to call after every layer."""
        words = self._host_words
        return words[OCCUPIED_WORD] + words[ZERO_PATTERN_WORD]

    def count(self) -> int | list[int]:
        """Number of distinct patterns so far; a list of R numbers where ``groups`` is R > 1.

        Raises:
            NanActivationError: a NaN went in and ``nan_policy`` is ``"raise"``.
            ValueError: on CUDA, where `insert_packed` can't raise it: a packed pattern had a stray bit.
            RuntimeError: on CUDA: replays of a graph inserted more patterns than there was room for.
        """
        counts = self._counts()
        check_flags(counts, self.nan_policy, tables.pattern_bits(self.samples, self.ternary))
        return counts[0][0] if self.groups == 1 else [count for count, _ in counts]

    @property
    def saw_nan(self) -> bool:
        """Whether a NaN activation went in since the last reset."""
        return any(flags & SAW_NAN for _, flags in self._counts())

    def reserve(self, neurons: int) -> None:
        """Makes room for ``neurons`` more neurons (of each group) before the set has to grow.

        Raises:
            RuntimeError: the device has too little memory.
        """
        at_most = self._at_most
        self._make_room(check_count("neurons", neurons))
        self._at_most = at_most

    def reset(self) -> None:
        """Empties the set, keeping its memory."""
        self._note_use()
        self._table.zero_()
        self.resets += 1
        self._at_most = 0

    def __copy__(self) -> PatternCounter:
        """Copies the set too, as ``copy.deepcopy`` does."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        tied_to_memory = ("_host_header", "_host_words", "_stream", "is_captured")
        return {name: value for name, value in vars(self).items() if name not in tied_to_memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.is_captured = False
        self._stream = current_stream(self.device)
        self._view_header()

    def __repr__(self) -> str:
        return (
            f"PatternCounter(samples={self.samples}, device='{self.device}', "
            f"ternary={self.ternary}, groups={self.groups})"
        )

    def _counts(self) -> list[list[int]]:
        """``[count, flags]`` of each group; synchronises with any device but the CPU."""
        if self._host_header is not None:
            return [
                [words[OCCUPIED_WORD] + words[ZERO_PATTERN_WORD], words[NAN_WORD]]
                for words in self._host_header.tolist()
            ]
        counts: list[list[int]] = torch.ops.swapnas.count(
            self._table, self.samples, self.ternary
        ).tolist()
        self._at_most = max(patterns for patterns, _ in counts)
        return counts

    def _allocate(self, patterns: int) -> None:
        self._table = tables.new_table(
            self.samples, self.ternary, patterns=patterns, groups=self.groups, device=self.device
        )
        self._view_header()
        self._stream = current_stream(self.device)
        self._limit = tables.table_limit(self.samples, self.ternary, self._table)
        self._grows = not tables.holds_all(self.samples, self.ternary, self.device)

    def _view_header(self) -> None:
        # A NumPy array over the table is faster to read than calling an operator.
        header = self._table[:, :HEADER_WORDS]
        self._host_header = header.numpy() if self.device.type == "cpu" else None
        if self._host_header is not None:
            self._host_words = memoryview(self._host_header[0])

    def _make_room(self, neurons: int) -> None:
        if not self._grows:
            return
        if self._at_most + neurons > self._limit and self._tightened() + neurons > self._limit:
            self._grow(neurons)
        self._at_most += neurons
        self._note_use()

    def _note_use(self) -> None:
        """Notes two facts that matter once the table is replaced: whether a CUDA graph keeps its address, and
        which streams use it besides the one that it was allocated on."""
        if not self._grows or torch.compiler.is_compiling():
            return
        if is_capturing(self.device):
            self.is_captured = True
        stream = current_stream(self.device)
        if stream != self._stream:
            # torch reuses freed memory in the order of the stream that it was allocated on.
            self._table.record_stream(stream)  # type: ignore[arg-type] # torch's stub names a base class
            self._stream = stream

    def _grow(self, neurons: int) -> None:
        needed = self._at_most + neurons
        if is_capturing(self.device):
            raise RuntimeError(
                f"the set has room for {self._limit:,} patterns and could get {needed:,}, but can't "
                f"grow while a CUDA graph is captured; call reserve({needed:,}) before"
            )
        if self.is_captured:
            raise RuntimeError(
                f"the set has room for {self._limit:,} patterns and could get {needed:,}, but can't "
                "grow, since replays of a captured CUDA graph insert into it where it is; call "
                f"reserve({needed:,}) before the capture, or use another counter"
            )
        full, stream = self._table, self._stream
        try:
            self._allocate(max(needed, 2 * self._limit))
        except RuntimeError:  # too large, but the true count may be far below the bound
            self._at_most = max(count for count, _ in self._counts())
            needed = self._at_most + neurons
            if needed <= self._limit:
                return
            self._allocate(needed)
        if self._stream != stream:
            full.record_stream(self._stream)  # type: ignore[arg-type] # torch's stub names a base class
        torch.ops.swapnas.merge_(self._table, full, self.samples, self.ternary)

    def _tightened(self) -> int:
        """The upper bound on the patterns; on the CPU, where counting is free, the true count."""
        if self._at_most and self.device.type == "cpu":
            self._at_most = max(count for count, _ in self._counts())
        return self._at_most

    def _insert(self, operator: Callable[..., Result], x: Tensor) -> Result:
        """Calls an inserting operator. Its kernel checks most arguments itself, faster than Python can."""
        kernel_checks = (
            isinstance(x, Tensor)
            and x.device == self.device
            and self._has_kernel
            and x.layout is torch.strided
        )
        if self._grows or not kernel_checks:
            self._make_room(self._check(x))
        try:
            return operator(self._table, x, self.samples, self.ternary)
        except Exception:
            self._check(x)
            raise

    def _check(self, x: Tensor) -> int:
        """V of ``x``. Raises before anything is changed."""
        check_activations(x, self.samples, self.groups)
        self._check_device("activations", x)
        return tables.neurons(x, self.samples, self.groups)

    def _check_device(self, what: str, x: Tensor) -> None:
        if x.device != self.device:
            raise ValueError(
                f"the {what} are on {x.device}, the counter on {self.device}; "
                f"make the counter with device='{x.device}'"
            )
