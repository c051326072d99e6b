"""Synthetic problems with conditions, and which problems with conditions results are reported on.

`tabulated` has those that were trained. Searches are developed on the problems of `conditional`, which are others.
"""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np

from benchmarks.problems import synthetic, tabulated
from benchmarks.problems.conditional import if_active
from benchmarks.problems.fidelities import FidelityProblem, Quality
from benchmarks.problems.problem import Config, Problem, choice, real, whole

__all__ = ["FIDELITY_REPORTED", "REPORTED"]

# A choice of a surface to minimise, each with parameters of its own, and none that all share. The best of them has the
# most parameters, so that others are better at first.

_SURFACES = {surface.name: surface for surface in synthetic.REPORTED}
_OFFSETS_SCALES = {"branin": (0.15, 200.0), "hartmann3": (0.08, 6.0), "levy4": (0.1, 60.0), "hartmann6": (0.0, 6.0)}
_CHOSEN = (
    choice("surface", *_OFFSETS_SCALES),
    *(
        if_active({**param, "name": f"{name}_{param['name']}"}, surface=name)
        for name in _OFFSETS_SCALES
        for param in _SURFACES[name].space
    ),
)


def _chosen(config: Config) -> float:
    name = config["surface"]
    surface, (offset, scale) = _SURFACES[name].problem(), _OFFSETS_SCALES[name]
    height = surface.value({param["name"]: config[f"{name}_{param['name']}"] for param in surface.space})
    return offset + (height - _SURFACES[name].minimum) / scale


# A network of up to four blocks: which kind each one is, and what a kind has. Each block wants a width that follows
# from that of the block before, and the learning rate to fit their number.

_KINDS = ("dense", "gated", "skip")
_BLOCKS = 4
_STACK = (
    whole("blocks", 1, _BLOCKS),
    real("learning_rate", 1e-4, 1, log=True),
    *(
        param
        for index in range(1, _BLOCKS + 1)
        for param in (
            if_active(choice(f"kind{index}", *_KINDS), blocks=list(range(index, _BLOCKS + 1))),
            if_active(whole(f"width{index}", 8, 512, log=True), **{f"kind{index}": ["dense", "gated"]}),
            if_active(real(f"dropout{index}", 0, 0.8), **{f"kind{index}": "dense"}),
            if_active(real(f"gate{index}", 0, 1), **{f"kind{index}": "gated"}),
        )
    ),
)
_NUMBERS = {1: 0.3, 2: 0.1, 3: 0.0, 4: 0.02}
_MISFITS = (
    {"dense": 0.0, "gated": 0.05, "skip": 0.3},
    {"dense": 0.08, "gated": 0.0, "skip": 0.15},
    {"dense": 0.0, "gated": 0.03, "skip": 0.1},
    {"dense": 0.06, "gated": 0.04, "skip": 0.01},
)


def _stack(config: Config) -> float:
    number, before = config["blocks"], 8.0
    rate = math.log10(config["learning_rate"]) + 1.8 + 0.3 * (number - 3)
    value = _NUMBERS[number] + 0.15 * rate**2
    for index in range(1, number + 1):
        kind = config[f"kind{index}"]
        value += _MISFITS[index - 1][kind]
        if kind != "skip":
            width = math.log2(config[f"width{index}"])
            value += 0.03 * (width - (before - 1)) ** 2
            value += 0.8 * (config[f"dropout{index}"] - 0.2) ** 2 if kind == "dense" else 0.0
            value += 0.6 * (config[f"gate{index}"] - 0.4 - 0.1 * index) ** 2 if kind == "gated" else 0.0
            before = width
    return float(value)


# The same with epochs: higher learning rates learn faster, and more blocks more slowly, so that what is best early is
# not what is best in the end.

_EPOCHS = 27


@dataclasses.dataclass(frozen=True, slots=True)
class _Learning:
    seed: int

    def loss(self, config: Config, fidelity: int) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        speed = (2.0 + math.log10(config["learning_rate"]) / 4) * 1.8 / (1 + 0.5 * config["blocks"])
        left = math.exp(-speed * math.log(fidelity)) - math.exp(-speed * math.log(_EPOCHS))
        text = f"{self.seed} {fidelity} {sorted(config.items())}"
        noise = float(np.random.default_rng(zlib.crc32(text.encode())).standard_normal())
        return self.value(config) + 1.5 * left + 0.03 * (1 - fidelity / _EPOCHS) * noise

    def value(self, config: Config) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        return _stack(config)


def _no_prior(quality: Quality, _: int) -> Config:
    msg = f"the default of a {quality} prior was asked for, but problems with conditions have none."
    raise ValueError(msg)


REPORTED = (
    Problem("surfaces", _CHOSEN, _chosen, optimum=0.0),
    Problem("stack", _STACK, _stack, optimum=0.0),
    *tabulated.problems(),
)
"""Nobody tunes an optimizer on them."""
FIDELITY_REPORTED = (
    FidelityProblem(
        "mf-stack",
        _STACK,
        whole("epochs", 1, _EPOCHS),
        lambda fidelity: fidelity / _EPOCHS,
        _Learning,
        _no_prior,
        optimum=0.0,
    ),
    *tabulated.fidelity_problems(),
)
"""With a fidelity: nor on these."""
