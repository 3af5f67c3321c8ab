"""For NePS: a pipeline to evaluate, and a `PipelineSpace` as a search space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from swapnas_ext._util import full_name
from swapnas_ext.compat.peer import needed
from swapnas_ext.compat.spread import STEPS, spread_floats, spread_integers
from swapnas_ext.scoring import Scorer
from swapnas_ext.spaces import Choose, DecisionSpace, Options


def swap_pipeline(build: Callable[..., nn.Module], scorer: Scorer) -> Callable[..., dict[str, Any]]:
    """A function for NePS to pass as ``evaluate_pipeline``. It scores the model that ``build(**config)`` makes.

    NePS minimises, so the objective is the negative score. The result's ``info_dict`` has the score, the number of
    parameters and the saturation. Where a model can't be scored, NePS handles the error (``ignore_errors``,
    ``objective_value_on_error``).

    Example::

        neps.run(swap_pipeline(build, scorer), Space(), root_directory="results")
    """

    def evaluate_pipeline(**config: Any) -> dict[str, Any]:
        score = scorer(build(**config))
        return {
            "objective_to_minimize": -float(score),
            "info_dict": {
                "swap": float(score),
                "parameters": score.parameters,
                "saturation": score.saturation,
            },
        }

    return evaluate_pipeline


def space(
    pipeline_space: Any,
    build: Callable[..., nn.Module],
    *,
    steps: int = STEPS,
    input_size: tuple[int, int, int] = (3, 32, 32),
) -> DecisionSpace:
    """The search space of a `PipelineSpace`, in which choices may be nested.

    Architectures are strings such as ``width=16,act=relu``: what NePS samples, in its order. Random architectures are
    uniform over the options of each; priors are not used.

    Args:
        pipeline_space: with integers, floats, categoricals and operations, and without fidelities.
        build: called with the resolved attributes of the space, as NePS calls an ``evaluate_pipeline``: operations
            are called.
        steps: so many values stand for a range of floats, evenly spread on its scale, and for a range of more than
            100 integers.
        input_size: channels, height and width of the images that the networks take.

    Raises:
        ImportError: NePS is not installed.
        ValueError: the space has a single architecture, or fidelities.

    Example::

        swap.search.evolve(swap.compat.neps.space(Space(), build), scorer)
    """
    return _Pipeline(pipeline_space, build, steps, input_size)


class _Pipeline(DecisionSpace):
    def __init__(
        self,
        pipeline_space: Any,
        build: Callable[..., nn.Module],
        steps: int,
        input_size: tuple[int, int, int],
    ) -> None:
        super().__init__()
        if getattr(pipeline_space, "fidelity_attrs", None):
            raise ValueError("a score needs no fidelities: leave them out of the pipeline space")
        self.name = full_name(build)
        self.input_size = input_size
        self.steps = steps
        self._pipeline_space = pipeline_space
        self._build_of = build
        self._check_several()

    def walk(self, choose: Choose) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self._resolved(choose, made)
        return made

    def _resolved(self, choose: Choose, made: dict[str, Any]) -> dict[str, Any]:
        """The attributes of the space, by these decisions. Notes the decisions in ``made``."""

        errors: list[Exception] = []

        def sample(*, domain_obj: Any, current_path: str) -> Any:
            name = _short(current_path)
            while name in made:
                name += "'"
            try:
                options = Options(name, _values(domain_obj, self.steps))
                index = choose(name, options)
            except Exception as error:
                errors.append(error)
                raise
            made[name] = options.values[index]
            return index if hasattr(domain_obj, "choices") else options.values[index]

        try:
            resolved, _ = _neps_space().resolve(self._pipeline_space, domain_sampler=sample)
        except Exception:  # NePS wraps what the sampler raises
            if errors:
                raise errors[0] from None
            raise
        attributes: dict[str, Any] = dict(resolved.get_attrs())
        return attributes

    def _build(self, architecture: str) -> nn.Module:
        known = self.parse(architecture)

        def choose(name: str, options: Options) -> int:
            return options.index_of(name, known[name])

        call = _neps_space().convert_operation_to_callable
        attributes = {
            name: (value.operator if isinstance(value.operator, str) else call(value))
            if hasattr(value, "operator")
            else value
            for name, value in self._resolved(choose, {}).items()
        }
        return self._build_of(**attributes)


def _neps_space() -> Any:
    return needed(
        "neps.space.neps_spaces.neps_space",
        "a space of NePS needs it: pip install neural-pipeline-search",
    )


def _short(path: str) -> str:
    """A name such as ``block.width``, of the path ``Resolvable.block.width::integer__8_64_False``."""
    return path.partition("::")[0].removeprefix("Resolvable.")


def _values(domain: Any, steps: int) -> list[Any]:
    if hasattr(domain, "choices"):
        choices = list(domain.choices)
        try:
            return list(Options("choices", choices).values)
        except ValueError:  # operations and domains have no text of their own
            return list(range(len(choices)))
    spread: Callable[..., list[Any]] = (
        spread_integers if isinstance(domain.lower, int) else spread_floats
    )
    return spread(domain.lower, domain.upper, steps, log=bool(domain.log))


__all__ = ["space", "swap_pipeline"]
