"""``swapnas export``: takes an architecture away, as a program, an ONNX model, or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

from swapnas_ext.cli.command import Command
from swapnas_ext.cli.messages import EXPECTED, fail, tell
from swapnas_ext.cli.output import check_writable, own_prints, write
from swapnas_ext.cli.progress import bar
from swapnas_ext.cli.space_choice import SpaceChoice, space_options
from swapnas_ext.cli.space_of_run import space_to_build
from swapnas_ext.export import Checkpoint, Exported, check_onnx, describe, to_onnx, to_torch
from swapnas_ext.models import own_random_state
from swapnas_ext.report.shared.json_text import json_text
from swapnas_ext.report.shared.text import terminal_width, wrapped
from swapnas_ext.search import Ranked, asked_space_name, load
from swapnas_ext.spaces import SearchSpace

EXAMPLES = """
\b
Examples:
  swapnas export run.db --format onnx                            # the best of a run
  swapnas export run.db --rank 3 --format torch --output third.pt2
  swapnas export run.db --format onnx --weights net.pt           # with trained weights
  swapnas export run.db --format json | python -m json.tool
  swapnas export --space nasbench201 --format onnx \\
    --arch '|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|'
"""

_ENDINGS = {"torch": ".pt2", "onnx": ".onnx", "json": ".json"}
_PHASES = {"torch": 2, "onnx": 3}


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What is to be exported: an architecture, the space whose network it becomes, and what a run knows of it."""

    space: SearchSpace
    architecture: str
    ranked: Ranked | None = None
    rank: int | None = None
    settings: Mapping[str, Any] | None = None


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--rank",
    type=click.IntRange(1),
    help="Which architecture of the run, as `swapnas show` ranks them. Default: 1, the best.",
)
@click.option(
    "--arch", metavar="STRING", help="An architecture instead, which need not be in the run."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(_ENDINGS)),
    help="torch: a program of torch.export; onnx: a model that is checked with onnxruntime (extra: swapnas-ext[onnx]); "
    "json: the architecture with its formats, score and settings. Default: by the ending of --output, or torch.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; an existing one is replaced as a whole. Default: RUN-rank1.pt2 or .onnx; JSON: the terminal.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Trained weights: a checkpoint of examples/train.py, a state_dict of torch.save, or .safetensors. Default: "
    "untrained ones.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of untrained weights.",
)
@space_options
def export(
    run: Path | None,
    rank: int | None,
    arch: str | None,
    output_format: str | None,
    output: Path | None,
    weights: Path | None,
    seed: int,
    choice: SpaceChoice,
) -> None:
    """Writes the network of an architecture, of a run file or of --space, to use it elsewhere.

    It is the final network, the one to train, in evaluation mode. Its weights are UNTRAINED, as built with --seed,
    unless --weights are given. The file is written after it has been loaded and compared with the network on random
    inputs. It also holds what --format json shows.

    --space and its options choose another network of the run's architecture, such as one for other images.
    """
    try:
        output_format = _format(output_format, output)
        if output_format == "onnx":
            check_onnx()
        with own_prints():
            chosen = _chosen(run, rank, arch, choice)
        path = _path(output, output_format, run, chosen, choice)
        if path is not None:
            given = [(run, "the run file"), (weights, "the file of --weights")]
            check_writable(path, "--output", given)
        with own_prints():
            network, inputs, about = _built(chosen, weights, seed)
        notes = json_text(
            describe(
                chosen.space,
                chosen.architecture,
                network=network,
                inputs=inputs,
                ranked=chosen.ranked,
                rank=chosen.rank,
                settings=chosen.settings,
                weights=about,
            )
        )
        if path is None:
            click.echo(notes, nl=False)
            return
        if output_format == "json":
            write(path, notes)
            click.echo(f"wrote {path}: {_bytes(path.stat().st_size)}")
            return
        to_file = to_onnx if output_format == "onnx" else to_torch
        with _shown(_PHASES[output_format]) as on_phase:
            found = to_file(network, inputs, path, notes=notes, on_phase=on_phase)
    except EXPECTED as error:
        fail(error)
    click.echo(wrapped(_told(found, network, trained=weights is not None), terminal_width()))
    if found.fixed_by:
        tell(f"it takes batches of {found.inputs[0]} only: {found.fixed_by} allows no others")


def _format(given: str | None, output: Path | None) -> str:
    ending = "" if output is None else output.suffix.lower()
    by_ending = next((name for name, known in _ENDINGS.items() if known == ending), None)
    if given is not None and by_ending not in (None, given):
        raise ValueError(
            f"--output {output} is a name for {by_ending}: give --format {by_ending}, or another name"
        )
    return given or by_ending or "torch"


def _chosen(run: Path | None, rank: int | None, arch: str | None, choice: SpaceChoice) -> Chosen:
    if rank is not None and arch is not None:
        raise ValueError("give --rank or --arch, not both")
    if run is None:
        if arch is None:
            raise ValueError("give a run file, or --space and --arch")
        space = choice.get().final()
        space.check(arch)
        return Chosen(space, arch)
    result = load(run, None if choice.options else choice.name)
    ranked, settings = result.ranked(), dict(result.settings)
    searched = space_to_build(choice, settings, run) if choice.options else result.space
    if searched is None:
        name = asked_space_name(settings)
        raise ValueError(f"{run} is a run of the space {name}: give --space {name} too")
    space = searched.final()
    if arch is not None:
        space.check(arch)
        rank = next((k for k, row in enumerate(ranked, 1) if row.architecture == arch), None)
        if rank is None:
            return Chosen(space, arch)
    rank = 1 if rank is None else rank
    if rank > len(ranked):
        raise ValueError(f"--rank {rank}: {run} has {len(ranked)} scored architectures")
    row = ranked[rank - 1]
    space.check(row.architecture)
    return Chosen(space, row.architecture, row, rank, settings)


def _path(
    output: Path | None, output_format: str, run: Path | None, chosen: Chosen, choice: SpaceChoice
) -> Path | None:
    if output is not None or output_format == "json":
        return output
    if run is None:
        name = (choice.name or "").replace(":", ".")
    else:
        name = f"{run.stem}-arch" if chosen.rank is None else f"{run.stem}-rank{chosen.rank}"
    return Path(name + _ENDINGS[output_format])


def _built(
    chosen: Chosen, weights: Path | None, seed: int
) -> tuple[nn.Module, Tensor, dict[str, Any]]:
    """The network, two of its inputs, and where its weights are from."""
    checkpoint = None if weights is None else Checkpoint.read(weights)
    with own_random_state(torch.device("cpu")) as reseed:
        reseed(seed)
        try:
            network = chosen.space.build(chosen.architecture)
        except EXPECTED:
            raise
        except Exception as error:  # the code of a space of one's own may raise anything
            raise RuntimeError(
                f"{chosen.architecture} can't be built: {type(error).__name__}: {error}"
            ) from error
        if checkpoint is None:
            return network, chosen.space.inputs(2), {"trained": False, "seed": seed}
        of = checkpoint.told.get("architecture", chosen.architecture)
        if of != chosen.architecture:
            raise ValueError(
                f"{weights} has the weights of another architecture: give --arch '{of}'"
            )
        inputs = chosen.space.inputs(2, size=checkpoint.told.get("size"))
        network = checkpoint.into(network, inputs)
    told = {name: value for name, value in checkpoint.told.items() if name != "architecture"}
    return network, inputs, {"trained": True, "file": checkpoint.path.name, **told}


@contextmanager
def _shown(phases: int) -> Iterator[Callable[[str], None]]:
    with bar("exporting") as shown:
        task = shown.add_task("", total=phases, state="")
        begun = 0

        def on_phase(phase: str) -> None:
            nonlocal begun
            shown.update(task, completed=begun, state=phase)
            begun += 1

        yield on_phase


def _told(found: Exported, network: nn.Module, *, trained: bool) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    kind = "trained" if trained else "untrained"
    shape = ", ".join(map(str, found.inputs))
    return (
        f"wrote {found.path}: {_bytes(found.size)}, {count:,} {kind} parameters, input {found.dtype} [{shape}]; loaded "
        f"again, its outputs differ from torch's by at most {found.difference:.1g} of their spread (tolerance "
        f"{found.tolerance:.0e})"
    )


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
