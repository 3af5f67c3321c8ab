"""Makes pandas data frames. pandas need not be installed to import this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas

ColumnType = Literal["string", "float64", "Int64", "boolean", "object", "datetime64[ns, UTC]"]
"""The types of columns. All but ``object`` may lack values; times are given in seconds since the epoch."""


def data_frame(columns: Mapping[str, tuple[ColumnType, Sequence[Any]]]) -> pandas.DataFrame:
    """A data frame of columns, by name, each with its type. None stands for a missing value.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "data frames need pandas; run: pip install 'swapnas-ext[pandas]'"
        ) from error

    def column(kind: ColumnType, values: Sequence[Any]) -> pandas.Series[Any]:
        if kind.startswith("datetime"):
            seconds = pandas.Series(values, dtype="float64")
            return pandas.to_datetime(seconds, unit="s", utc=True)
        return pandas.Series(values, dtype=kind)

    return pandas.DataFrame({name: column(*given) for name, given in columns.items()})
