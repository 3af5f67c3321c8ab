"""A search on a Dask cluster: here of local processes, elsewhere of many machines. Run it::

pip install 'swapnas-ext[dask]'
python examples/dask_search.py
python examples/dask_search.py tcp://scheduler:8786      # a running cluster
"""

import sys

from distributed import Client

import swapnas_ext as swap


def main(address: str | None = None) -> None:
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    scorer = swap.Scorer(space.inputs(samples=16), init="gaussian")
    settings = swap.search.SearchSettings(candidates=60, population=16, seed=1)
    # One thread each: a process scores its networks one after another.
    cluster = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with Client(address) if address else Client(**cluster) as client:
        result = swap.search.search(space, scorer, settings, workers=client.get_executor())
    print(f"{len(result.scored)} networks were scored; the best:")
    for row in result.ranked()[:3]:
        print(f"  {row.score:6.0f} patterns, {row.parameters:6,} parameters: {row.architecture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
