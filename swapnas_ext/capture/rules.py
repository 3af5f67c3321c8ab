"""Which functions are activations, and where the boundaries of their linear regions lie.

The only table of activation functions: modules, operators of torch, and modules of other libraries.
``docs/activations.md`` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._util import ByClass


@dataclass(frozen=True)
class Rule:
    """Says what the pattern of an activation function is taken from.

    By default a neuron is active where the function's output is positive.

    Args:
        signed: negative outputs are a third state, so the pattern is ternary, as published for GELU and SiLU
            (Peng et al., arXiv 2605.07378).
        of_input: a neuron is active where the input is positive; for functions whose output is not zero there,
            such as a sigmoid, which is 0.5.
        upper: a second boundary of the output. At or above it a neuron is in a third state, as for ReLU6, whose
            linear regions are 0, between, and 6.
    """

    signed: bool = False
    of_input: bool = False
    upper: float | None = None

    def __post_init__(self) -> None:
        if self.upper is not None and (self.signed or self.of_input or not self.upper > 0):
            raise ValueError(
                f"upper={self.upper} must be positive, and goes with neither signed nor of_input"
            )

    @property
    def ternary(self) -> bool:
        """Whether its patterns have three states a sample."""
        return self.signed or self.upper is not None

    def states(self, input_or_output: Tensor, ternary: bool) -> Tensor:
        """A tensor whose signs are the pattern.

        Args:
            input_or_output: the input if ``of_input``, else the output.
            ternary: whether three states are told apart; a rule of two states then has no negative one.
        """
        x = input_or_output
        if self.upper is not None:  # 0: inactive, positive: between, negative: from `upper` on
            return torch.where(x < self.upper, torch.relu(x), -x)
        return torch.relu(x) if ternary and not self.signed else x


RELU = Rule()
RELU_FORWARD = nn.ReLU.forward
"""That of torch, which somebody may have replaced since."""
SIGNED = Rule(signed=True)
OF_INPUT = Rule(of_input=True)


def clamped(low: float | None, high: float | None) -> Rule | None:
    """The rule of a clamp: a ReLU if it starts at 0, three regions if it also ends at ``high``; None: no activation."""
    if low is None or not isinstance(low, int | float) or not isinstance(high, int | float | None):
        return None
    if low == 0:
        return RELU if high is None else Rule(upper=float(high)) if high > 0 else None
    return SIGNED if high is not None and low == -high else None


def _threshold(threshold: float, value: float) -> Rule | None:
    return RELU if threshold == 0 and value == 0 else None


ModuleRule = Rule | Callable[[Any], Rule | None]

MODULE_RULES: dict[type[nn.Module], ModuleRule] = {
    nn.ReLU: RELU,
    nn.ReLU6: Rule(upper=6.0),
    nn.Hardtanh: lambda module: clamped(module.min_val, module.max_val),
    nn.Threshold: lambda module: _threshold(module.threshold, module.value),
    nn.LeakyReLU: SIGNED,
    nn.PReLU: SIGNED,
    nn.RReLU: SIGNED,
    nn.ELU: SIGNED,
    nn.SELU: SIGNED,
    nn.CELU: SIGNED,
    nn.GELU: SIGNED,
    nn.SiLU: SIGNED,
    nn.Mish: SIGNED,
    nn.Hardswish: SIGNED,
    nn.Tanh: SIGNED,
    nn.Softsign: SIGNED,
    nn.Sigmoid: OF_INPUT,
    nn.Hardsigmoid: OF_INPUT,
    nn.Softplus: OF_INPUT,
}

# By the module that defines them, so that the libraries need not be installed.
_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
"""Modules of torch's quantisation: activations, and layers that contain one."""
_LIBRARIES = (
    *("transformers.activations", "timm.layers.activations", "timm.layers.activations_me"),
    *_QUANTIZED,
)
NAMED_MODULE_RULES: dict[str, Rule] = {
    "AccurateGELUActivation": SIGNED,
    "BNReLU2d": RELU,
    "BNReLU3d": RELU,
    "ClippedGELUActivation": SIGNED,
    "ConvAddReLU2d": RELU,
    "ConvReLU1d": RELU,
    "ConvReLU2d": RELU,
    "ConvReLU3d": RELU,
    "FastGELUActivation": SIGNED,
    "GELUActivation": SIGNED,
    "GELU": SIGNED,
    "GELUTanh": SIGNED,
    "HardMish": SIGNED,
    "HardMishMe": SIGNED,
    "HardSigmoid": OF_INPUT,
    "HardSigmoidMe": OF_INPUT,
    "HardSwish": SIGNED,
    "HardSwishMe": SIGNED,
    "LinearLeakyReLU": SIGNED,
    "LinearReLU": RELU,
    "LinearTanh": SIGNED,
    "Mish": SIGNED,
    "MishActivation": SIGNED,
    "MishMe": SIGNED,
    "NewGELUActivation": SIGNED,
    "PReLU": SIGNED,
    "PytorchGELUTanh": SIGNED,
    "QuickGELU": SIGNED,
    "QuickGELUActivation": SIGNED,
    "ReLU6": Rule(upper=6.0),
    "ReLUSquaredActivation": RELU,
    "SiLUActivation": SIGNED,
    "Sigmoid": OF_INPUT,
    "Swish": SIGNED,
    "SwishMe": SIGNED,
    "Tanh": SIGNED,
}

Call = Callable[..., Rule | None]
"""Takes the arguments of an operator; returns the rule of this call, or None if it is no activation."""

# Operators of ``torch.ops.aten``, and their in-place forms. The functions get the arguments after the first.
OPERATOR_RULES: dict[str, Rule | Call] = {
    "relu": RELU,
    "relu6": Rule(upper=6.0),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0: clamped(min_val, max_val),
    "clamp": lambda x, min=None, max=None: clamped(min, max),
    "clamp_min": lambda x, min: clamped(min, None),
    "threshold": lambda x, threshold, value: _threshold(threshold, value),
    "leaky_relu": SIGNED,
    "prelu": SIGNED,
    "rrelu": SIGNED,
    "elu": SIGNED,
    "selu": SIGNED,
    "celu": SIGNED,
    "gelu": SIGNED,
    "silu": SIGNED,
    "mish": SIGNED,
    "hardswish": SIGNED,
    "tanh": SIGNED,
    "sigmoid": OF_INPUT,
    "hardsigmoid": OF_INPUT,
    "softplus": OF_INPUT,
    # A linear layer with its activation, in the fast path of nn.TransformerEncoderLayer.
    "_addmm_activation": lambda *args, use_gelu=False, **kwargs: SIGNED if use_gelu else RELU,
}

# Operators that hand-written activations are made of.
SUSPECT_OPERATORS = ("erf", "glu", "hardshrink", "softshrink", "log_sigmoid")

UserRules = Mapping[type[nn.Module] | str, Rule | None]
"""Rules of the user's own, by module class or by the name of an operator of ``torch.ops.aten``.
None: do not capture it."""


def check_user_rules(rules: UserRules) -> UserRules:
    """Returns the rules. Raises TypeError or ValueError for invalid ones."""
    if not isinstance(rules, Mapping):
        raise TypeError(f"rules must be a mapping, got {type(rules).__name__}")
    for key, rule in rules.items():
        if not (isinstance(key, str) or (isinstance(key, type) and issubclass(key, nn.Module))):
            raise TypeError(
                f"rules are for module classes and names of operators such as 'relu', got {key!r}"
            )
        if isinstance(key, str) and not hasattr(torch.ops.aten, key):
            raise ValueError(f"rules: torch.ops.aten has no operator {key!r}")
        if rule is not None and not isinstance(rule, Rule):
            raise TypeError(
                f"the rule of {key!r} must be a Rule or None, got {type(rule).__name__}"
            )
    return rules


def module_rule(module: nn.Module, user_rules: UserRules) -> Rule | None:
    """The rule of a module; None if it is no known activation, or an unwanted one."""
    kind = type(module)
    own = _user_class(kind, user_rules)
    if own is not None:
        return user_rules[own]
    rule = _class_rule(kind)
    return rule if rule is None or isinstance(rule, Rule) else rule(module)


def is_unwanted(module: nn.Module, user_rules: UserRules) -> bool:
    """Whether the user's rules leave this module out."""
    own = _user_class(type(module), user_rules)
    return own is not None and user_rules[own] is None


def has_user_rule(kind: type[nn.Module], user_rules: UserRules) -> bool:
    return _user_class(kind, user_rules) is not None


def _user_class(kind: type[nn.Module], user_rules: UserRules) -> type[nn.Module] | None:
    if not user_rules:
        return None
    return next((ancestor for ancestor in kind.__mro__ if ancestor in user_rules), None)


def operator_rule(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], user_rules: UserRules
) -> Rule | None:
    """The rule of one call of an operator; None if this call is no activation."""
    rule = user_rules[name] if name in user_rules else OPERATOR_RULES.get(name)
    return rule if rule is None or isinstance(rule, Rule) else rule(*args, **kwargs)


@ByClass
def _class_rule(kind: type[nn.Module]) -> ModuleRule | None:
    for ancestor in kind.__mro__:
        if ancestor in MODULE_RULES:
            return MODULE_RULES[ancestor]
        if ancestor.__module__.startswith(_LIBRARIES) and ancestor.__name__ in NAMED_MODULE_RULES:
            return NAMED_MODULE_RULES[ancestor.__name__]
    return None


@ByClass
def is_quantized_activation(kind: type[nn.Module]) -> bool:
    """Whether a module class is one of torch's quantised activations, most of which call no operator that can be
    intercepted."""
    return kind.__module__.startswith(_QUANTIZED) and is_known_class(kind)


def is_known_class(kind: type[nn.Module]) -> bool:
    return _class_rule(kind) is not None


_ACTIVATION_NAME = re.compile(
    r"relu|elu|silu|swish|mish|sigmoid|tanh|softplus|softsign|shrink|activation|^act\d*$",
    re.IGNORECASE,
)


@ByClass
def looks_like_activation(kind: type[nn.Module]) -> bool:
    """Whether a module class is named like an activation."""
    return _ACTIVATION_NAME.search(kind.__name__) is not None
