"""A search on a Dask cluster: here of local processes, elsewhere of many machines. Run it::

pip install 'swapnas-ext[dask]'
python examples/dask_search.py
python examples/dask_search.py tcp://scheduler:8786      # a running cluster
"""

import sys

import swapnas_ext as swap


def main(address: str | None = None) -> None:
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    scorer = swap.Scorer(space.inputs(samples=16), init="gaussian")
    settings = swap.search.SearchSettings(candidates=60, population=16, seed=1)
    workers = "dask:2" if address is None else f"dask:{address}"
    result = swap.search.search(space, scorer, settings, workers=workers)
    print(f"{len(result.scored)} networks were scored; the best:")
    for row in result.ranked()[:3]:
        print(f"  {row.score:6.0f} patterns, {row.parameters:6,} parameters: {row.architecture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
