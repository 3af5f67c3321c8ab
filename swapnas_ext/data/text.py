"""Mini-batches of text: words as numbers, for models that take token ids.

A stand-in for a tokenizer. Untrained embeddings only have to tell words apart, so that a word's id is a
checksum of it: nothing to download, and the same everywhere.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import torch
from torch import Tensor

from swapnas_ext._util import read_text

CLASSIFY = 0
"""The id of every passage's first token, as BERT's ``[CLS]``."""

_WORD = re.compile(r"\w+")


def passages(samples: int, length: int, vocabulary: int, path: str | Path | None = None) -> Tensor:
    """Passages of a text as int64 token ids ``[samples, length]``, always the same.

    The text is cut into ``samples`` equal parts; of each the first words are taken, after a first token
    that is `CLASSIFY`. A word is a run of letters and digits, in lower case; its id is its CRC-32, modulo
    the ids from 1 to ``vocabulary - 1``: of 1,000 different words some 30 share theirs with another where
    the vocabulary is BERT's 30,522.

    Args:
        path: a text file in UTF-8, or in UTF-16 with a byte order mark. By default the help texts that
            Python brings (``pydoc_data.topics``): English prose, the same for all who run one version of Python.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: counts that can't be, a file that is no text, or too short a text.
        ImportError: this Python comes without its help texts.
    """
    for name, value, least in (
        ("samples", samples, 1),
        ("length", length, 2),
        ("vocabulary", vocabulary, 2),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    words = _WORD.findall(_bundled() if path is None else _read(Path(path)))
    part, needed = len(words) // samples, length - 1
    if part < needed:
        raise ValueError(
            f"{path or 'the help texts of Python'}: {len(words):,} words, but {samples} passages of "
            f"{length} tokens take {samples * needed:,}"
        )
    starts = range(0, samples * part, part)
    rows = [
        [CLASSIFY, *(_word_id(word, vocabulary) for word in words[start : start + needed])]
        for start in starts
    ]
    return torch.tensor(rows, dtype=torch.int64, device="cpu")


def _word_id(word: str, vocabulary: int) -> int:
    return 1 + zlib.crc32(word.lower().encode()) % (vocabulary - 1)


def _bundled() -> str:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise ImportError(
            "the bundled text is Python's own help texts (pydoc_data), which this Python lacks; "
            "give the path of a text file"
        ) from error
    return "\n".join(topics[name] for name in sorted(topics))


def _read(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"no text at {path}: expected a text file in UTF-8")
    return read_text(path)
