"""The options for how networks are scored."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

import click
import torch
from torch import Tensor

from swapnas_ext import data, measures
from swapnas_ext.capture import MODES, Mode
from swapnas_ext.cli.command import option_group
from swapnas_ext.cli.messages import EXPECTED
from swapnas_ext.cli.option_types import AUTO, Function, NumberOrAuto, completing, plain_type
from swapnas_ext.models import OWN, initialization
from swapnas_ext.scoring import Scorer, ScoringOptions
from swapnas_ext.spaces import SearchSpace


def _option(help: str, **settings: Any) -> dict[str, Any]:
    """The arguments of `click.option` for a field; its name and its type are those of the field."""
    return {"help": help, "show_default": "default" in settings, **settings}


def _known_measure(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        measures.get(value)
    except EXPECTED as error:
        raise click.BadParameter(str(error), context, parameter) from error
    return value


_WEIGHTS = {
    "keep": "weights as built",
    "gaussian": "Gaussian weights",
    "kaiming": "Kaiming weights",
    OWN: "weights of each measure's own",
}


@dataclass(frozen=True)
class Scoring:
    """How networks are scored. Each field is an option. All values fit JSON."""

    images: str | None = field(
        metadata=_option(
            "A folder of images (of each of its subfolders, the same number is taken), an .npz or .npy file, one array "
            "of it (file.npz:key), or one image (for flexibert: a text). Default: the bundled photograph (text).",
            type=click.Path(),
        )
    )
    samples: int | str = field(
        metadata=_option(
            "S, images in the mini-batch; auto: a pilot of random architectures chooses it, and --size unless it is "
            "given, so that scores are repeatable, not saturated, and cheap.",
            type=NumberOrAuto(),
            default=data.DEFAULT_SAMPLES,
        )
    )
    size: int | None = field(
        metadata=_option(
            "Width and height of images, in pixels. Default: the input size of the space's networks, or 32.",
            type=click.IntRange(max=16_384),
        )
    )
    repeats: int | str = field(
        metadata=_option(
            "Number of initialisations to average over; auto: a pilot chooses it.",
            type=NumberOrAuto(),
            default=1,
        )
    )
    tolerance: float | None = field(
        metadata=_option(
            "Ends the repeats early, when the relative standard error of the mean is at most this, such as 0.01."
        )
    )
    max_memory: int | None = field(
        metadata=_option("Memory for repeats that run at once.", metavar="MIB")
    )
    init: str | None = field(
        metadata=_option(
            "Weight initialisation; keep: the model's own. Default: that of the measure (of several: of each), see "
            "'swapnas measures'.",
            type=click.Choice(initialization.NAMES),
        )
    )
    device: str = field(
        metadata=_option("Device that runs the networks: cpu, cuda, cuda:1, ...", default="cpu")
    )
    capture: Mode = field(
        metadata=_option(
            "Captures activations as modules, or as the operators that compute them; auto: both.",
            type=click.Choice(MODES),
            default="auto",
        )
    )
    select: tuple[str, ...] = field(
        metadata=_option(
            "Captures only activations with matching names, such as 'layer4.*'. Repeatable.",
            multiple=True,
            metavar="PATTERN",
        )
    )
    autocast: str | None = field(
        metadata=_option(
            "Runs the models in this type.", type=click.Choice(["bfloat16", "float16"])
        )
    )
    measure: str = field(
        metadata=_option(
            f"The measure: {', '.join(measures.names())}, swap (the same as patterns), or MODULE:NAME of your own; see "
            "'swapnas measures'. Several with commas: swap,capacity.",
            metavar="NAME",
            default="patterns",
            shell_complete=completing(measures.names),
            callback=_known_measure,
        )
    )
    channels_last: bool = field(
        metadata=_option("Runs the models in this memory layout.", is_flag=True)
    )
    torch_layers: bool = field(
        metadata=_option(
            "Runs all layers by PyTorch's kernels, as the published code does: slower, and the same up to rounding.",
            is_flag=True,
        )
    )

    @property
    def is_auto(self) -> bool:
        """Whether a pilot is to choose something."""
        return AUTO in (self.samples, self.repeats)

    @property
    def initialization(self) -> str:
        return self.init or measures.get(self.measure).default_init

    def sentence(self, scorer: Scorer) -> str:
        """What the scorer measures, of which weights, on which inputs."""
        options = scorer.options
        init = OWN if scorer.draws_for_each else self.initialization
        (inputs, *_), _ = scorer.batch.on(torch.device("cpu"))
        shape = " x ".join(map(str, inputs.shape[1:]))
        source = self.images or ("the bundled photograph" if inputs.ndim == 4 else "bundled texts")
        name, title = options.measure.name, options.measure.title
        what = name if title.lower() == name.lower() else f"{name} ({title})"
        repeats = "1 repeat" if options.repeats == 1 else f"{options.repeats} repeats"
        return (
            f"measure {what}, {_WEIGHTS[init]}, seed {options.seed}, {scorer.samples} samples of "
            f"{source} ({shape}), {repeats}"
        )

    def inputs(self, space: SearchSpace | None) -> Tensor:
        assert isinstance(self.samples, int), "a pilot is to choose it first"
        if space is not None:
            return space.inputs(self.samples, self.images, self.size)
        size = data.DEFAULT_SIZE if self.size is None else self.size
        if self.images is None:
            return data.photograph(self.samples, size)
        return data.images(self.images, self.samples, size)

    def scorer(
        self,
        space: SearchSpace | None,
        *,
        seed: int,
        mu: float | None = None,
        sigma: float | None = None,
    ) -> Scorer:
        assert isinstance(self.repeats, int), "a pilot is to choose it first"
        options = self.options(seed)
        options["repeats"] = self.repeats
        options["mu"], options["sigma"] = mu, sigma
        return Scorer(self.inputs(space), **options)

    def options(self, seed: int) -> ScoringOptions:
        """The options of the scorer, without those of size control, and without repeats."""
        return {
            "init": self.initialization,
            "seed": seed,
            "capture": self.capture,
            "select": tuple(self.select) or None,
            "tolerance": self.tolerance,
            "max_memory": None if self.max_memory is None else self.max_memory << 20,
            "autocast": getattr(torch, self.autocast) if self.autocast else None,
            "channels_last": self.channels_last,
            "fast_layers": not self.torch_layers,
            "measure": self.measure,
        }


@option_group("Scoring")
def scoring_options(command: Function, **defaults: Any) -> Function:
    """Gives a command ``scoring``, a `Scoring`. ``defaults`` are the command's own, by the name of the field."""

    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> Any:
        scoring = Scoring(**{setting.name: given.pop(setting.name) for setting in fields(Scoring)})
        return command(*args, scoring=scoring, **given)

    types = get_type_hints(Scoring)
    for setting in reversed(fields(Scoring)):
        settings = dict(setting.metadata)
        if setting.name in defaults:
            settings["default"] = defaults[setting.name]
        if "type" not in settings and "is_flag" not in settings:
            settings["type"] = plain_type(types[setting.name])
        wrapped = click.option(f"--{setting.name.replace('_', '-')}", **settings)(wrapped)
    return wrapped  # type: ignore[return-value]  # it takes what the command takes, and these options
