"""Sets of activation patterns that activations stream into, and one-call counting."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from swapnas_ext._util import warn
from swapnas_ext.patterns import ops
from swapnas_ext.patterns.observer import Observer

NanPolicy = Literal["raise", "ignore"]
_DTYPES = frozenset({torch.float32, torch.float64, torch.float16, torch.bfloat16})
_NUMPY_DTYPES = frozenset(map(np.dtype, (np.float32, np.float64, np.float16)))
_INITIAL_PATTERNS = 1 << 15
_MOST = 1 << 62  # samples, groups or neurons: what the kernels' integers hold


NAN_MESSAGE = (
    "the activations contain NaN; their patterns are not meaningful. Check the weights and inputs, or "
    'pass nan_policy="ignore" to count NaN as inactive'
)


_STRAY_BITS_MESSAGE = "a packed pattern has a bit set beyond its {} bits"


class NanActivationError(ValueError):
    """Activations contain NaN, so that their signs mean nothing."""


class PatternCounter(Observer):
    """An exact set of activation patterns, fed one activation tensor at a time.

    Nothing but the set is kept: memory does not grow with the activations, only with the number of
    neurons (and not at all up to 20 bits of pattern).

    On CUDA everything is enqueued on torch's current stream, and only `count` and `saw_nan`
    synchronise. To capture inserts in a ``torch.cuda.CUDAGraph``, make room before with `reserve`;
    a replay inserts without the counter's knowledge, so capture `reset` too. A set that is part of a
    captured graph, which knows its address, never grows again; keep the counter as long as the graph.

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
        self.samples = _positive("samples", samples)
        self.groups = _positive("groups", groups)
        self.ternary = bool(ternary)
        self.nan_policy = _nan_policy(nan_policy)
        self.device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0"
        self._has_kernel = ops.has_kernel(self.device)
        if not self._has_kernel:
            _warn_of_slowness(self.device)
        # Tables of up to 20 bits have a flag for each possible pattern, and never grow.
        self._allocate(_INITIAL_PATTERNS)
        self.is_captured = (
            False  # whether a CUDA graph knows the address of a set that may have to grow
        )
        self.resets = 0
        self._at_most = 0  # an upper bound on the patterns of any group, known without asking

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
            return y
        return self._insert(torch.ops.swapnas.relu_insert, x)

    def direct_relu(self) -> Callable[[Tensor], Tensor] | None:
        """`relu` as a function of as little Python as can be, for use without autograd; None where the set
        may have to grow, or there is no kernel."""
        if self._grows or not self._has_kernel:
            return None
        table, samples, ternary = self._table, self.samples, self.ternary
        operator, device = torch.ops.swapnas.relu_insert.default, self.device

        def direct_relu(x: Tensor) -> Tensor:
            if x.device != device or x.layout is not torch.strided:
                self._check(x)
            try:  # the kernel checks the rest, for less
                return operator(table, x, samples, ternary)
            except Exception:
                self._check(x)
                raise

        return direct_relu

    def relu_(self, x: Tensor) -> Tensor:
        """`relu` in place; returns ``x``.

        Raises as `update` does, and ValueError where elements of ``x`` share memory.
        """
        if isinstance(x, Tensor) and _shares_memory(x):
            raise ValueError(
                f"relu_ writes to x, and elements of x share memory (shape {list(x.shape)}, strides "
                f"{list(x.stride())}, as after expand()); use relu, or x.contiguous()"
            )
        if isinstance(x, Tensor) and (x.is_neg() or (x.requires_grad and torch.is_grad_enabled())):
            self.reserve(self._check(x))  # an error of which comes before x is changed
            self.update(torch.relu_(x))
        else:
            self._insert(torch.ops.swapnas.relu_insert_, x)
            if not x.is_inference():
                torch.autograd.graph.increment_version(x)  # an operator of one's own does not
        return x

    def insert_replicates(self, operator: Callable[..., Any], x: Tensor) -> Any:
        """Calls an inserting operator under ``torch.func.vmap``, whose replicates are the groups; ``x`` is
        what one of them sees, ``[S * chunks, ...]``."""
        _check_activations(x, self.samples)
        self._check_device("activations", x)
        self._make_room(ops.neurons(x, self.samples))
        return operator(self._table, x, self.samples, self.ternary)

    def insert_packed(self, patterns: Tensor) -> None:
        """Adds patterns packed by `pack_patterns` with the same ``samples`` and ``ternary``."""
        if not isinstance(patterns, Tensor):
            raise TypeError(f"patterns must be a torch.Tensor, got {type(patterns).__name__}")
        if patterns.layout is not torch.strided:
            raise ValueError(f"patterns must be dense, got layout {patterns.layout}")
        if self.groups != 1:
            raise ValueError(f"insert_packed needs groups=1, this counter has {self.groups}")
        bits = ops.pattern_bits(self.samples, self.ternary)
        words = -(-bits // 64)
        dtype = torch.int32 if bits <= 32 else torch.int64
        shape = "[V]" if words == 1 else f"[V, {words}]"
        fits = patterns.shape[1:] == (() if words == 1 else (words,))
        if patterns.dtype != dtype or patterns.dim() == 0 or not fits:
            raise ValueError(
                f"patterns of {bits} bits are packed as {dtype} {shape}, got {patterns.dtype} "
                f"{list(patterns.shape)}"
            )
        self._check_device("patterns", patterns)
        if len(patterns) == 0:
            return
        self._make_room(len(patterns))
        patterns = patterns.contiguous()
        try:
            torch.ops.swapnas.insert_packed_(self._table, patterns, self.samples, self.ternary)
        except Exception:
            if _has_stray_bits(patterns, bits):
                raise ValueError(_STRAY_BITS_MESSAGE.format(bits)) from None
            raise

    def merge(self, other: PatternCounter) -> None:
        """Adds all the patterns of another counter (same samples, ternary, groups and device)."""
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
        """`count` of the first group, on the CPU and without its checks: cheap enough for every layer."""
        words = self._host_words
        return words[ops.OCCUPIED_WORD] + words[ops.ZERO_PATTERN_WORD]

    def count(self) -> int | list[int]:
        """Number of distinct patterns so far; a list of R numbers where ``groups`` is R > 1.

        Raises:
            NanActivationError: a NaN went in and ``nan_policy`` is ``"raise"``.
            ValueError: on CUDA, where inserts can't raise it: a packed pattern had a stray bit.
            RuntimeError: on CUDA: replays of a graph inserted more than there was room for.
        """
        counts = self._counts()
        _check_flags(counts, self.nan_policy, ops.pattern_bits(self.samples, self.ternary))
        return counts[0][0] if self.groups == 1 else [count for count, _ in counts]

    @property
    def saw_nan(self) -> bool:
        """Whether a NaN activation went in since the last reset."""
        return any(flags & ops.SAW_NAN for _, flags in self._counts())

    def reserve(self, neurons: int) -> None:
        """Makes room for ``neurons`` more neurons (of each group) before the set has to grow.

        Raises:
            RuntimeError: the device has not the memory.
        """
        at_most = self._at_most
        self._make_room(_positive("neurons", neurons))
        self._at_most = at_most

    def reset(self) -> None:
        """Empties the set, keeping its memory."""
        self._note_use()
        self._table.zero_()
        self.resets += 1
        self._at_most = 0

    def __copy__(self) -> PatternCounter:
        """With a set of its own, as ``copy.deepcopy``."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        of_this_table = ("_host_header", "_host_words", "_stream", "is_captured")
        return {name: value for name, value in vars(self).items() if name not in of_this_table}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.is_captured = False
        self._stream = _current_stream(self.device)
        self._view_header()

    def __repr__(self) -> str:
        return (
            f"PatternCounter(samples={self.samples}, device='{self.device}', "
            f"ternary={self.ternary}, groups={self.groups})"
        )

    def _counts(self) -> list[list[int]]:
        """[count, flags] of each group; costs a synchronisation off the CPU."""
        if self._host_header is not None:
            return [
                [words[ops.OCCUPIED_WORD] + words[ops.ZERO_PATTERN_WORD], words[ops.NAN_WORD]]
                for words in self._host_header.tolist()
            ]
        counts = torch.ops.swapnas.count(self._table, self.samples, self.ternary).tolist()
        self._at_most = max(patterns for patterns, _ in counts)
        return counts

    def _allocate(self, patterns: int) -> None:
        self._table = ops.new_table(
            self.samples, self.ternary, patterns=patterns, groups=self.groups, device=self.device
        )
        self._view_header()
        self._stream = _current_stream(self.device)
        self._limit = ops.table_limit(self.samples, self.ternary, self._table)
        self._grows = not ops.holds_all(self.samples, self.ternary, self.device)

    def _view_header(self) -> None:
        # As a NumPy array over the table: reading it takes less than calling an operator.
        header = self._table[:, : ops.HEADER_WORDS]
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
        """What whoever replaces the table has to know of its use: that a graph has its address, and the
        streams that it is used on beside the one that it was allocated on."""
        if not self._grows or torch.compiler.is_compiling():
            return
        if _is_capturing(self.device):
            self.is_captured = True
        stream = _current_stream(self.device)
        if stream != self._stream:
            # torch hands freed memory out again in the order of the stream that it was allocated on.
            self._table.record_stream(stream)
            self._stream = stream

    def _grow(self, neurons: int) -> None:
        needed = self._at_most + neurons
        if _is_capturing(self.device):
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
        except RuntimeError:  # too large; but perhaps there are fewer patterns than there may be
            self._at_most = max(count for count, _ in self._counts())
            needed = self._at_most + neurons
            if needed <= self._limit:
                return
            self._allocate(needed)
        if self._stream != stream:
            full.record_stream(self._stream)
        torch.ops.swapnas.merge_(self._table, full, self.samples, self.ternary)

    def _tightened(self) -> int:
        """The bound, brought down to the true count where that is known to the host for free."""
        if self._at_most and self.device.type == "cpu":
            self._at_most = max(count for count, _ in self._counts())
        return self._at_most

    def _insert(self, operator: Callable[..., Any], x: Tensor) -> Any:
        """Calls an inserting operator. A kernel checks most of the arguments itself, for less."""
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
        """V of ``x``, or an error before anything is changed."""
        _check_activations(x, self.samples, self.groups)
        self._check_device("activations", x)
        return ops.neurons(x, self.samples, self.groups)

    def _check_device(self, what: str, x: Tensor) -> None:
        if x.device != self.device:
            raise ValueError(
                f"the {what} are on {x.device}, the counter on {self.device}; "
                f"make the counter with device='{x.device}'"
            )


def count_patterns(
    *activations: Tensor | np.ndarray[Any, Any],
    samples: int | None = None,
    ternary: bool = False,
    nan_policy: NanPolicy = "raise",
) -> int:
    """Number of distinct patterns over all neurons of all the activations, exactly.

    Args:
        activations: torch tensors or NumPy arrays ``[S * chunks, ...]``, all on one device; read
            where they are, without a copy.
        samples: S; by default the first dimension of the first activation.
        ternary: count the patterns of ``torch.sign`` instead of those of "is positive".
        nan_policy: ``"raise"`` a `NanActivationError` on NaN, or ``"ignore"``.

    Raises:
        TypeError, ValueError: as `PatternCounter.update`.

    Source: the SWAP-Score of Peng et al., ICLR 2024, arXiv 2403.04161.

    Equivalent to::

        rows = torch.cat([x.reshape(samples, -1) for x in activations], dim=1)
        torch.unique(torch.sign(rows).T, dim=0).size(0)
    """
    tensors = [x if isinstance(x, Tensor) else _as_tensor(x) for x in activations]
    if not tensors:
        raise ValueError("count_patterns needs at least one activation tensor")
    if samples is None:
        if tensors[0].dim() == 0:
            raise ValueError("activations need a first dimension of samples, got a scalar")
        samples = tensors[0].size(0)  # of a nested tensor too, which has no shape
    _positive("samples", samples)
    _nan_policy(nan_policy)
    device = tensors[0].device
    for x in (
        tensors
    ):  # what the operator can't see; a full check of small tensors takes longer than counting
        if x.device != device:
            raise ValueError(f"the activations are on different devices: {device} and {x.device}")
        if x.layout is not torch.strided or x.is_meta or x.is_nested:
            _check_activations(x, samples)
    if not ops.has_kernel(device):
        _warn_of_slowness(device)
    elif device.type == "cuda":
        ops.check_memory(
            samples, ternary, patterns=sum(x.numel() for x in tensors) // samples, device=device
        )
    try:
        counts = torch.ops.swapnas.count_patterns(tensors, samples, ternary)
    except Exception:
        for x in tensors:
            _check_activations(x, samples)
        raise
    found = counts.tolist()
    _check_flags(found, nan_policy, ops.pattern_bits(samples, ternary))
    return found[0][0]


def pack_patterns(
    x: Tensor | np.ndarray[Any, Any],
    *,
    samples: int | None = None,
    ternary: bool = False,
    nan_policy: NanPolicy = "raise",
) -> Tensor:
    """The patterns of ``x`` themselves, as integers, one for each neuron in the order of ``x[0]``.

    Returns int32 ``[V]`` for patterns of up to 32 bits, int64 ``[V]`` up to 64, and int64
    ``[V, words]`` above: bit b is bit ``b % 64`` of word ``b // 64``, and says "positive on sample b"
    (for b >= S, where ternary, "negative on sample b - S").

    Args and errors as in `count_patterns`. Equivalent to ``reference.pack_patterns``.
    """
    x = x if isinstance(x, Tensor) else _as_tensor(x)
    if samples is None:
        samples = x.size(0) if x.dim() else 1
    _positive("samples", samples)
    _nan_policy(nan_policy)
    _check_activations(x, samples)
    patterns, nan = torch.ops.swapnas.pack(x.detach(), samples, ternary)
    if nan_policy == "raise" and nan.item():
        raise NanActivationError(
            'the activations contain NaN; pass nan_policy="ignore" to pack NaN as inactive'
        )
    return patterns


def _check_flags(counts: list[list[int]], nan_policy: NanPolicy, bits: int) -> None:
    """Raises what the kernels could only note; ``counts`` as the operator gives them."""
    flags = 0
    for _, own in counts:
        flags |= own
    if flags & ops.OVERFLOWED:
        raise RuntimeError(
            "the set overflowed: a CUDA graph was replayed until there was no room. Capture reset() in "
            "the graph, or reserve() room for the neurons of all replays before"
        )
    if flags & ops.STRAY_BITS:
        raise ValueError(_STRAY_BITS_MESSAGE.format(bits))
    if flags & ops.SAW_NAN and nan_policy == "raise":
        raise NanActivationError(NAN_MESSAGE)


def _is_capturing(device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return torch.cuda.is_current_stream_capturing()


def _current_stream(device: torch.device) -> torch.cuda.Stream | None:
    return torch.cuda.current_stream(device) if device.type == "cuda" else None


def _shares_memory(x: Tensor) -> bool:
    """Of dense layouts, those that expand() makes; the kernels refuse the others."""
    is_dense = x.layout is torch.strided and not x.is_nested
    return is_dense and any(
        stride == 0 and size > 1 for size, stride in zip(x.shape, x.stride(), strict=True)
    )


def _has_stray_bits(patterns: Tensor, bits: int) -> bool:
    last_word = patterns if patterns.dim() == 1 else patterns[:, -1]
    used = (bits - 1) % (8 * patterns.dtype.itemsize) + 1
    if used == 8 * patterns.dtype.itemsize:
        return False
    return bool((last_word & (-1 << used)).any())


def _warn_of_slowness(device: torch.device) -> None:
    if device.type == "cuda":
        warn(
            "this swapnas_ext was built without CUDA kernels, so patterns on the GPU are counted by "
            "the slow reference; reinstall it with nvcc on the PATH (SWAPNAS_CUDA=1 insists on it)"
        )


def _as_tensor(x: Tensor | np.ndarray[Any, Any]) -> Tensor:
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"activations must be a torch.Tensor or NumPy array, got {type(x).__name__}"
        )
    if x.dtype.newbyteorder("=") not in _NUMPY_DTYPES:
        raise TypeError(
            f"activations must be float32, float64 or float16 where they are NumPy arrays, got {x.dtype}; "
            "convert them, as with .astype(np.float32)"
        )
    if not _is_shareable(x):
        x = x.astype(x.dtype.newbyteorder("="), order="C")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(x)


def _is_shareable(x: np.ndarray[Any, Any]) -> bool:
    """Whether torch takes an array as it is: not backwards, even along a dimension of size 1, nor of parts
    of records, nor in the byte order of another machine."""
    return x.dtype.isnative and all(
        stride >= 0 and stride % x.itemsize == 0 for stride in x.strides
    )


def _check_activations(x: Tensor, samples: int, groups: int = 1) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(
            f"activations must be a torch.Tensor or NumPy array, got {type(x).__name__}"
        )
    if x.dtype not in _DTYPES:
        advice = "; call .dequantize()" if x.is_quantized else ""
        raise TypeError(
            f"activations must be float32, float64, float16 or bfloat16, got {x.dtype}{advice}"
        )
    if x.is_nested:
        raise ValueError(
            "activations must be dense, got a nested tensor; call torch.nested.to_padded_tensor(x, 0.0)"
        )
    if x.layout != torch.strided:
        raise ValueError(f"activations must be dense, got layout {x.layout}; call .to_dense()")
    if x.device.type == "meta":
        raise ValueError("activations on the meta device have no values to take patterns of")
    batch = 0 if groups == 1 else 1
    expected = "[samples * chunks, ...]" if batch == 0 else f"[{groups}, samples * chunks, ...]"
    if x.dim() <= batch or (batch and x.shape[0] != groups):
        raise ValueError(f"activations must be {expected}, got shape {list(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"the activations are empty: shape {list(x.shape)}")
    if x.shape[batch] % samples:
        raise ValueError(
            f"the activations have {x.shape[batch]} rows, which is not a multiple of "
            f"samples={samples}: shape {list(x.shape)}, expected {expected}"
        )


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if not 1 <= value <= _MOST:
        bound = "at least 1" if value < 1 else f"at most {_MOST:,}"
        raise ValueError(f"{name} must be {bound}, got {value}")
    return int(value)


def _nan_policy(policy: NanPolicy) -> NanPolicy:
    if policy not in ("raise", "ignore"):
        raise ValueError(f'nan_policy must be "raise" or "ignore", got {policy!r}')
    return policy
