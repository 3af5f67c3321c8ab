"""Finds the column of a benchmark table that has the accuracies, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+")
_ACCURACY = re.compile(r".*acc(s|uracy|uracies)?")
_PARTS = "train|val|valid|validation|test|eval|best|final|mean|avg|acc|accuracy|top|n|num"
_LOWER_IS_BETTER = (
    "error|err|mistake|loss|nll|perplexity|ppl|entropy|xent|brier|mae|mse|rmse|mape|regret|drop|gap|"
    "diff|difference|delta|rank|ranking|position"
)
_SPREAD = "std|stdev|stddev|stderr|variance|deviation|uncertainty"
_COST = (
    "time|duration|second|hour|day|date|timestamp|latency|latencie|throughput|speed|param|parameter|"
    "flop|mflop|gflop|mac|macc|madd|size|memory|byte|cost|energy|power"
)
_PLACE = "epoch|step|iter|iteration|seed|index|indice|number"
_SHORT = "ce|ece|wer|cer|eer|fid|bpc|bpd|bpb|sd|se|sem|ci|var|sec|ms|lat|fps|mem|mb|ep|idx|id|uid"
_NO_ACCURACY = re.compile(
    f"({_PARTS})*({_LOWER_IS_BETTER}|{_SPREAD}|{_COST}|{_PLACE})(s|es)?|{_SHORT}"
)
"""Words in names of columns that are no accuracies, whether or not the name has "acc" too."""
_DESCRIPTION = re.compile(
    "(set|split|dataset|name|path|file|hash|arch|architecture|genotype|cell|run|trial|fold)s?"
)
"""Words in names of columns that are no accuracies, unless the name has "acc" too."""
_OF_WHICH = re.compile(
    r"(epoch|ep|step|iter|iteration|seed)s?[\W_]*\d+"
    r"|(?<![^\W_])\d+[\W_]*(epoch|ep|step|iter|iteration)s?(?![^\W_])"
)
"""Parts of names that tell several accuracies apart, as in ``val_acc_seed777`` and ``acc_200_epochs``."""


def accuracy_column(columns: Iterable[str]) -> str | None:
    """The name that most likely is that of the accuracies; the first of several that are as likely.

    A name with "acc" or "accuracy" as a word is likelier than one that begins with "val" or "test". Validation is
    likelier than test. None where no name can be that of accuracies.
    """
    places = {name: place for name in columns if (place := _place(name)) is not None}
    return min(places, key=places.__getitem__, default=None)


def _place(column: str) -> int | None:
    """How likely the name is that of accuracies: 0 is the likeliest, None means that it is not."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower()
    words = _WORD.findall(name)
    if not any(map(_ACCURACY.fullmatch, words)):
        if any(map(_NO_ACCURACY.fullmatch, words)) or any(map(_DESCRIPTION.fullmatch, words)):
            return None
        return 3 if name.startswith("val") else 4 if name.startswith("test") else None
    if any(map(_NO_ACCURACY.fullmatch, _WORD.findall(_OF_WHICH.sub(" ", name)))):
        return None
    of_part = [any(word.startswith(part) for word in words) for part in ("train", "val", "test")]
    return 5 if of_part[0] else 0 if of_part[1] else 1 if of_part[2] else 2
