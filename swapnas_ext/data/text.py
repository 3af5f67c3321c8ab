"""Makes mini-batches of text for models that take token ids.

This replaces a tokenizer. Untrained embeddings only need different words to have different ids, so the id of a
word is its checksum: nothing has to be downloaded, and the ids are the same everywhere.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import torch
from torch import Tensor

from swapnas_ext._util import read_text

CLASSIFY = 0
"""The id of the first token of every passage, like BERT's ``[CLS]``."""

_WORD = re.compile(r"\w+")


def passages(samples: int, length: int, vocabulary: int, path: str | Path | None = None) -> Tensor:
    """Passages of a text as int64 token ids ``[samples, length]``, always the same.

    The text is cut into ``samples`` equal parts. A passage is `CLASSIFY` and then the first words of a part.
    A word is a run of letters and digits, in lower case. Its id is its CRC-32, reduced to 1 to
    ``vocabulary - 1``. With BERT's vocabulary of 30,522, about 30 of 1,000 different words share their id
    with another.

    Args:
        path: a text file in UTF-8, or in UTF-16 with a byte order mark. By default the help texts that
            Python includes (``pydoc_data.topics``): English prose, the same for everyone with the same
            version of Python.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: ``samples`` below 1, ``length`` or ``vocabulary`` below 2, a file that is not text, or a
            text that is too short.
        ImportError: this Python has no help texts.
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
