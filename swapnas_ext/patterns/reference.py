"""Defines in plain PyTorch what the kernels compute: slow and obviously right.

The tests compare every kernel with these functions, and these functions with ``torch.unique``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def signs(x: Tensor, samples: int) -> Tensor:
    """Signs of the activations, one row for each sample: ``[S * chunks, ...] -> int8 [S, V]``.

    NaN counts as inactive (0).

    Equivalent to::

        torch.sign(x.reshape(samples, -1))
    """
    rows = x.reshape(samples, -1)
    return (rows > 0).to(torch.int8) - (rows < 0).to(torch.int8)


def pattern_bits(x: Tensor, samples: int, ternary: bool = False) -> Tensor:
    """Patterns as booleans, ``[S * chunks, ...] -> bool [V, bits]``.

    ``bits`` is S, or 2 S where ternary: first "is positive on sample s" for all s, then "is negative on
    sample s".
    """
    sign = signs(x, samples)
    planes = torch.cat([sign > 0, sign < 0]) if ternary else sign > 0
    return planes.T.contiguous()


def pack_patterns(x: Tensor, samples: int, ternary: bool = False) -> Tensor:
    """Patterns as integers: bit b of a pattern is bit ``b % 64`` of its word ``b // 64``.

    Returns int32 [V] up to 32 bits, int64 [V] up to 64, int64 [V, words] above.
    """
    bits = pattern_bits(x, samples, ternary)
    width = bits.shape[1]
    word_bits = 32 if width <= 32 else 64
    words = -(-width // word_bits)
    padded = torch.zeros(len(bits), words * word_bits, dtype=torch.int64, device=x.device)
    padded[:, :width] = bits
    weights = torch.ones(word_bits, dtype=torch.int64, device=x.device)
    weights <<= torch.arange(word_bits, device=x.device)
    packed = (padded.view(-1, words, word_bits) * weights).sum(-1)  # bit 63 wraps to the sign
    if word_bits == 32:
        packed = packed.to(torch.int32)
    return packed[:, 0].contiguous() if words == 1 else packed


def count_patterns(*activations: Tensor, samples: int, ternary: bool = False) -> int:
    """Number of distinct patterns over all neurons of all the activations: the SWAP-Score (Peng et
    al., ICLR 2024, arXiv 2403.04161, definition 3.2).

    Equivalent to::

        rows = torch.cat([x.reshape(samples, -1) for x in activations], dim=1)
        torch.unique(torch.sign(rows).T, dim=0).size(0)
    """
    bits = torch.cat([pattern_bits(x, samples, ternary) for x in activations])
    return len(torch.unique(bits, dim=0))


def agreements(*activations: Tensor, samples: int) -> Tensor:
    """On how many neurons two samples agree, both positive or neither: int64 ``[S, S]``. The kernel of NWOT
    (Mellor et al., ICML 2021, arXiv 2006.04647).

    Equivalent to::

        active = torch.cat([x.reshape(samples, -1) for x in activations], dim=1) > 0
        (active[:, None] == active[None]).sum(-1)
    """
    active = torch.cat([signs(x, samples) > 0 for x in activations], dim=1)
    return torch.stack([(active == one).sum(1) for one in active])
