"""Spaces from functions and choices."""

from __future__ import annotations

import enum
import functools
import random
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode

import swapnas_ext as swap
from swapnas_ext.cli import main
from swapnas_ext.report.search.text import to_text
from swapnas_ext.search import RunFile, SearchSettings, admission, search
from swapnas_ext.search.description import describe_space
from swapnas_ext.spaces import ArchitectureError, Choices, OneOf, Repeated
from swapnas_ext.testing import check_space

ROOT = Path(__file__).parents[2]


def build(depth: int = 1, width: int = 2, kernel: int = 3, **more: Any) -> nn.Module:
    layers = [nn.Conv2d(3, width, kernel, padding=kernel // 2), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, kernel, padding=kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers)


class Act(enum.Enum):
    RELU = nn.ReLU
    GELU = nn.GELU


KERNEL = OneOf(conv={"kernel": (3, 5)}, skip={}, mbconv={"kernel": (3, 5, 7), "expand": (2, 4)})
SPACES: dict[str, dict[str, Any]] = {
    "flat": {"depth": (1, 2), "width": range(2, 5), "kernel": (1, 3)},
    "values": {
        "a": (1, "1", 1.5, None, "True", True and "x y", 'q"(', (1, ("b", 2))),
        "act": (nn.ReLU, nn.GELU),
        "member": Act,
    },
    "nested": {"blocks": Repeated(KERNEL, times=(0, 1, 3)), "stem": {"a": (1, 2), "b": (True, False)}},
    "valid": {"depth": (1, 2, 3), "width": (1, 2, 3), "valid": lambda depth, width: depth * width < 4},
    "isolated": {"depth": (1, 2), "width": (1, 2), "valid": lambda depth, width: depth == width},
    "fixed": {"depth": (1,), "width": (2, 3)},
}  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_contract(name: str) -> None:
    check_space(Choices(build, **SPACES[name]), samples=15, networks=2)


def test_strings() -> None:
    space = Choices(build, **SPACES["nested"])
    text = "blocks=[conv(kernel=5),skip,mbconv(kernel=7,expand=2)],stem=(a=1,b=False)"
    made = {
        "blocks": [("conv", {"kernel": 5}), ("skip", {}), ("mbconv", {"kernel": 7, "expand": 2})],
        "stem": {"a": 1, "b": False},
    }
    assert space.parse(text) == made
    assert space.format(made) == text == space.canonical(text)
    assert len(space) == len(set(space)) == (1 + 9 + 9**3) * 4
    labels = space.graphs(text)[0].nodes
    assert labels.count("kernel=5") == 1 and "blocks=skip" in labels


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("depth=1,width=2", 15, 'expected ",kernel=", found the end'),
        ("depth=1,width=9,kernel=3", 14, "width must be one of 2, 3, 4, found '9'"),
        ("depth=1,width=22,kernel=3", 14, "found '22'"),
        ("width=2,depth=1,kernel=3", 0, 'expected "depth="'),
        ("depth=1,width=2,kernel=3,x=1", 24, "expected the end"),
    ],
)
def test_errors_point_at_the_place(text: str, position: int, problem: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(problem)) as raised:
        Choices(build, **SPACES["flat"]).check(text)
    assert raised.value.position == position


def test_values_that_are_no_architecture() -> None:
    space = Choices(build, **SPACES["nested"])
    for values, problem in (
        ({"blocks": []}, "must be a dict with blocks, stem"),
        ({"blocks": [("skip", {})] * 2, "stem": {"a": 1, "b": True}}, "length of blocks must be"),
        ({"blocks": [("none", {})], "stem": {"a": 1, "b": True}}, "blocks.0 must be one of conv"),
        ({"blocks": [], "stem": {"a": 3, "b": True}}, "stem.a must be one of 1, 2, got 3"),
    ):
        with pytest.raises(ValueError, match=problem):
            space.format(values)


def hinted(
    depth: Literal[1, 2],
    width: Annotated[int, range(2, 5)],
    act: Act,
    bias: bool,
    kernel: Literal[3, 5] | None = 3,
    classes: int = 10,
) -> nn.Module:
    return build(depth, width)


def test_hints() -> None:
    space = Choices(hinted)
    assert space.choices == (
        "depth=1|2", "width=2|3|4", "act=RELU|GELU", "bias=False|True", "kernel=3|5|None",
    )  # fmt: skip
    some = Choices(hinted, width=(7, 8))
    assert some.choices == ("depth=1|2", "width=7|8", "act=RELU|GELU", "bias=False|True")


def test_classes_partials_and_names_that_are_taken() -> None:
    class Net(nn.Sequential):
        def __init__(self, width: Literal[2, 3], valid: int = 0) -> None:
            super().__init__(nn.Conv2d(3, width, 1), nn.ReLU())

    assert Choices(Net).choices == ("width=2|3",)
    assert Choices(Net, {"valid": (0, 1)}).choices == ("width=2|3", "valid=0|1")


def raises(*_: Any, **__: Any) -> bool:
    raise LookupError("no luck")


class Flags(enum.Flag):
    A = 1


def positional(a: int, /) -> nn.Module:
    return build()


@pytest.mark.parametrize(
    ("arguments", "choices", "problem"),
    [
        ((3,), {}, "build must be a function"),
        ((hinted,), {"depht": (1, 2)}, "no parameter depht; it takes depth, width"),
        ((lambda a, b=1: build(),), {}, "parameter a of <lambda> has no choice"),
        ((lambda a=1: build(),), {}, "there are no choices"),
        ((positional,), {}, "its parameter a does not take one"),
        ((build,), {"depth": ()}, "depth has no options"),
        ((build,), {"depth": 3}, r"for a fixed value give \(3,\)"),
        ((build,), {"depth": {1, 2}}, "options in an order"),
        ((build,), {"depth": "12"}, "options in an order"),
        ((build,), {"depth": (1, True)}, "equal options: 1 and True"),
        ((build,), {"depth": (1, 1.0)}, "equal options"),
        ((build,), {"depth": (nn.ReLU, "ReLU")}, "both written ReLU"),
        ((build,), {"depth": (lambda: 0, 1)}, "has no name to write it by"),
        ((build,), {"depth": (1,)}, "a single architecture, depth=1"),
        ((build,), {"depth": (1, 2), "valid": lambda depth: False}, "has no architecture"),
        ((build,), {"depth": (1, 2), "valid": lambda width: True}, "parameter width, which is no choice"),
        ((build,), {"depth": (1, 2), "valid": 3}, "valid must be a function"),
        ((build,), {"depth": (1, 2), "valid": raises}, "valid fails with .*LookupError: no luck"),
        ((build,), {"depth": (1, 2), "input_size": (3, 0, 1)}, "input_size must be"),
        ((build,), {"a": range(1000), "b": range(1000), "valid": lambda a, b: False}, "10,000 random ones"),
        ((build,), {"depth": (1, 2), "valid": max}, "valid must be a function whose parameters"),
        ((build,), {"depth": (1, 2), "valid": lambda depth, /: True}, "its parameter depth does not take one"),
        ((build,), {"depth": (Flags(0), Flags.A)}, "has no name to write it by"),
    ],
)  # fmt: skip
def test_bad_input(arguments: Any, choices: dict[str, Any], problem: str) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError), match=problem):
        Choices(*arguments, **choices)


def test_bad_alternatives_and_parts() -> None:
    with pytest.raises(ValueError, match="OneOf needs alternatives"):
        OneOf()
    with pytest.raises(TypeError, match="the alternative conv must be a dict"):
        OneOf(conv=(3, 5))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="times must be numbers of parts"):
        Repeated((1, 2), times=(-1,))
    with pytest.raises(ValueError, match="can't be the name of a choice"):
        Choices(build, a={"b c": (1, 2)})


def test_numbers_of_numpy() -> None:
    space = Choices(build, a=np.float32([0.5, 1.5]), b=np.array([True, False]), c=np.arange(2))
    values = space.parse("a=0.5,b=True,c=1")
    assert values == {"a": 0.5, "b": True, "c": 1}
    assert [type(value) for value in values.values()] == [float, bool, int]


def test_very_many_options_and_combinations() -> None:
    many = Choices(build, width=range(60_000), depth=(1, 2))
    assert len(many) == 120_000
    huge = Choices(build, depth=Repeated(range(100), times=30))
    assert huge.combinations == 100**30
    assert "about 1e60" in huge._repr_html_()
    with pytest.raises(OverflowError, match="ask for its combinations"):
        len(huge)


def test_a_notebook_shows_a_space_without_listing_it() -> None:
    asked = []
    space = Choices(build, a=range(1000), b=range(1000), valid=lambda a: asked.append(a) or True)
    before = len(asked)
    assert "many" in space._repr_html_()
    assert len(asked) == before


def test_a_partial_has_the_same_name_in_each_process() -> None:
    one, other = (functools.partial(build, act=lambda: 0) for _ in range(2))
    names = {Choices(made, depth=(1, 2)).name for made in (one, other)}
    assert len(names) == 1


def test_a_function_that_returns_no_network() -> None:
    space = Choices(lambda a: a, a=(1, 2))
    with pytest.raises(TypeError, match=r"must return a network .* returns int for a=1"):
        space.build("a=1")


def test_sampling_is_uniform_over_each_choice() -> None:
    space = Choices(build, **SPACES["nested"])
    rng = random.Random(0)
    counts = Counter(len(space.parse(space.sample(rng))["blocks"]) for _ in range(3000))
    assert all(abs(counts[times] - 1000) < 100 for times in (0, 1, 3))


def test_mutation_changes_one_choice() -> None:
    space = Choices(build, **SPACES["flat"])
    rng = random.Random(0)
    for _ in range(50):
        text = space.sample(rng)
        before, after = space.parse(text), space.parse(space.mutate(text, rng))
        assert sum(before[name] != after[name] for name in before) == 1


def test_mutation_lists_neighbours_where_few_are_valid() -> None:
    """Of 2,000 neighbours one is valid: chance alone would not find it."""
    space = Choices(
        build,
        a=range(2000),
        b=range(500),
        valid=lambda a, b: (a, b) == (7, 3) or b == 4 or a + b < 3,
    )
    assert space.mutate("a=7,b=3", random.Random(0)) == "a=7,b=4"


OPTION = st.one_of(
    st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=4), st.none(),
    st.tuples(st.text(max_size=2), st.integers(0, 3)),
)  # fmt: skip
NAMES = st.from_regex(r"[a-z]{1,3}_", fullmatch=True)


def _alternatives(part: Any) -> Any:
    return st.dictionaries(NAMES, st.dictionaries(NAMES, part, max_size=2), min_size=1, max_size=3)


CHOICE = st.recursive(
    st.lists(OPTION, min_size=1, max_size=4, unique_by=lambda value: (str(value), 0)),
    lambda part: st.one_of(
        st.dictionaries(NAMES, part, max_size=3),
        _alternatives(part).map(lambda given: OneOf(**given)),
        st.builds(Repeated, part, st.sets(st.integers(0, 3), min_size=1).map(sorted)),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.dictionaries(NAMES, CHOICE, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_any_choices_come_back(choices: dict[str, Any], rng: random.Random) -> None:
    try:
        space = Choices(lambda **given: build(), choices)
    except ValueError as error:
        assert re.search("single architecture|equal options|both written", str(error))
        return
    one, other = space.sample(rng), space.sample(rng)
    changed, crossed = space.mutate(one, rng), space.crossover(one, other, rng)
    assert changed != one
    for text in (one, other, changed, crossed):
        space._known.clear()
        made = space.parse(text)
        assert space.format(made) == text


# ---- in a search


def fails_for_some(width: int, depth: int) -> nn.Module:
    if width % 2:
        raise ValueError(f"{width * 7} channels can't be halved")
    return build(depth, width)


def test_search_of_a_whole_space_with_failures(tmp_path: Path) -> None:
    space = Choices(fails_for_some, width=range(2, 8), depth=(1, 2))
    scorer = swap.Scorer(space.inputs(4, size=8), init="gaussian")
    for limit in (None, 1e6):
        path = tmp_path / f"{limit}.db"
        options = SearchSettings(candidates=100, population=6, tournament=2, max_params=limit)
        found = search(space, scorer, options, history=path)
        assert found.exhausted
        assert len(found.candidates) == len(space) and len(found.failed) == 6
        for row in found.ranked():
            assert row.parameters == space.size(row.architecture)
        again = search(space, scorer, options, history=path)
        assert again.candidates == found.candidates
        shown = to_text(found, top=1, about=RunFile.read(path).about, space=space)
        assert "6 could not be scored" in shown and shown.count("can't be halved") == 1
        assert "(and 5 alike)" in shown
    other = Choices(fails_for_some, width=range(2, 9), depth=(1, 2))
    with pytest.raises(ValueError, match="was made with choices="):
        search(other, scorer, options, history=path)


def test_sizes_need_no_weights() -> None:
    called: list[str] = []

    class Recorded(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.append(function.__name__)
            return function(*args, **(kwargs or {}))

    def made(width: int) -> nn.Module:
        network = build(width=width)
        nn.init.orthogonal_(tensor=network[0].weight)  # type: ignore[index, arg-type]
        return network

    space = Choices(made, width=(2, 3))
    with Recorded():
        size = space.size("width=3")
    assert size == sum(parameter.numel() for parameter in space.build("width=3").parameters())
    assert "empty" in called
    assert not {"uniform_", "kaiming_uniform_", "orthogonal_", "normal_"} & set(called)


def test_most_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space too large to list ends soon after everything new is over the limit."""
    monkeypatch.setattr(admission, "_TOO_LARGE", 100)
    built = []

    def counted(width: int, depth: int, other: int) -> nn.Module:
        built.append(width)
        return build(depth, width)

    space = Choices(counted, width=range(1, 301), depth=(1, 2), other=range(1000))
    scorer = swap.Scorer(space.inputs(4, size=8), init="gaussian")
    with pytest.raises(ValueError, match="at most 30 parameters was found"):
        search(space, scorer, SearchSettings(candidates=50, population=10, max_params=30))
    assert len(built) == 100


def test_descriptions_differ() -> None:
    one = describe_space(Choices(build, depth=(1, 2)))
    assert one["name"] == f"{__name__}:build"
    assert one != describe_space(Choices(build, depth=(1, 2, 3)))
    assert one != describe_space(Choices(build, depth=(1, 2), input_size=16))
    assert one != describe_space(Choices(build, depth=(1, 2), valid=lambda: True))


def test_functions_that_can_not_be_sent_are_named() -> None:
    lock = threading.Lock()

    def locked(width: int) -> nn.Module:
        with lock:
            return build(1, width)

    space = Choices(locked, width=(2, 3))
    scorer = swap.Scorer(space.inputs(4, size=8), init="gaussian")
    with pytest.raises(TypeError, match=r"the space .*locked can't: .*lock.*workers=None"):
        search(space, scorer, SearchSettings(candidates=4), workers=1)


def test_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine_.py").write_text(
        "import swapnas_ext as swap\nfrom torch import nn\nfrom typing import Literal\n"
        "def build(width: Literal[2, 3]):\n    return nn.Sequential(nn.Conv2d(3, width, 1), nn.ReLU())\n"
        "space = swap.spaces.Choices(build, width=(4, 5))\nnumber = 3\n"
        "def failing(width: Literal[2, 3]):\n    raise KeyError('odd')\n"
        "class Stops(nn.Module):\n    def __init__(self, width: Literal[2, 3]):\n        super().__init__()\n"
        "    def forward(self, x):\n        raise KeyError(3)\ndef plain(x): return x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    get = swap.spaces.get
    assert list(get("mine_:build")) == ["width=2", "width=3"]  # type: ignore[call-overload]
    assert get("mine_:build", input_size=64).input_size == (3, 64, 64)
    assert list(get("mine_:space")) == ["width=4", "width=5"]  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="mine_ has number, which is of type int; expected a sub"):
        get("mine_:number")
    with pytest.raises(ValueError, match="mine_ has no nothing; expected"):
        get("mine_:nothing")
    with pytest.raises(ValueError, match="mine_:plain is no search space: the parameter x"):
        get("mine_:plain")
    _check_hints_of_its_name(tmp_path / "run.db")
    for name, problem in (
        ("failing", "width=3 can't be built: KeyError: 'odd'"),
        ("Stops", "the network fails on inputs [1, 3, 32, 32]: KeyError: 3"),
    ):
        command = f"export --space mine_:{name} --arch width=3 --format json"
        refused = CliRunner().invoke(main, command.split())
        assert refused.exit_code == 2
        assert f"Error: {problem}" in refused.output
    sys.modules.pop("mine_")


def _check_hints_of_its_name(path: Path) -> None:
    """Errors ask for the space by the name that the command had, also where its function has another one."""
    command = (
        f"search --space mine_:space --candidates 2 --samples 4 --size 8 --workers 1 --run {path}"
    )
    made = CliRunner().invoke(main, command.split())
    assert made.exit_code == 0, made.output
    for command in ("show {} --distinct", "export {}", "export {} --space-option input_size=8"):
        refused = CliRunner().invoke(main, command.format(path).split())
        assert refused.exit_code == 2
        assert "give --space mine_:space" in refused.output
    with pytest.raises(ValueError, match="space='mine_:space'"):
        swap.search.load(path).best.build()


@pytest.mark.slow
def test_the_example() -> None:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import resnet
    finally:
        sys.path.pop(0)
    check_space(Choices(resnet.build, input_size=16), samples=4, networks=1)


def test_the_page() -> None:
    text = (ROOT / "docs/own-spaces.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    found: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "own-spaces.md", "exec", dont_inherit=True), found)
    assert found["result"].best.parameters <= 50_000
