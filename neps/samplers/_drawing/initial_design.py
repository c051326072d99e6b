"""What is evaluated without asking a model: an initial design, and now and then a configuration drawn at random.

NumPy only. The samplers that learn from results are composed with it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from neps._history import History
from neps._trial import Trial, Value
from neps.errors import ArgumentError
from neps.samplers import _settings as settings
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._drawing.numbered import Numbered
from neps.samplers._drawing.sequences import sobol_sequence
from neps.samplers._protocol import Done, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps.space import SearchSpace

__all__ = ["InitialDesign", "in_full", "interleaved", "is_initial", "sobol_point", "usual_size"]

_BY = "initial design"
_LARGEST = 8


def sobol_point(history: History, number: int, generator: np.random.Generator) -> dict[str, Value]:  # noqa: ARG001
    """Point `number - 1` of the run's scrambled Sobol sequence, of those whose configurations are allowed.

    The sequence is that of all parameters. Of a point, coordinates of inactive ones count for nothing: so each branch
    has points that are spread evenly over what is active in it.
    """
    if history.space.forbid:
        return _allowed(history.space, history.seed).get(number - 1) or {}  # there are infinitely many
    return _decoded(history.space, history.seed, number - 1)


@functools.lru_cache(maxsize=16)
def _allowed(space: SearchSpace, seed: int) -> Numbered:
    return Numbered(space, functools.partial(_decoded, space, seed))


def _decoded(space: SearchSpace, seed: int, place: int) -> dict[str, Value]:
    return space.decode(sobol_sequence(space.dimensions, seed).point(place))


def usual_size(space: SearchSpace) -> int:
    """How many trials an initial design has where a user doesn't say."""
    return min(space.dimensions + 1, _LARGEST)


@attrs.frozen
class InitialDesign:
    """The trials before there are results enough to learn from.

    It goes on while fewer results are in than it has trials, so that no worker waits for the others'.

    Args:
        size: `initial_design_size`, at least 1. None: one more than the space has dimensions, but 8 at most. A model's
            prior is good enough to learn from few trials, and a short run should profit from it.
        default_first: `sample_default_first`: whether the first trial is the default configuration.
        draw: what the others evaluate, from the history, a number and its generator.
        usual: the size that None stands for, where it is another.
        goes_on_while_equal: whether it goes on while no two losses differ. A model then believes that nothing changes
            along any axis, and looks at the edges.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if `default_first` is True and there is no
            default.
    """

    size: int | None = attrs.field(converter=settings.initial_design_size)
    default_first: bool = attrs.field(converter=settings.sample_default_first)
    draw: Callable[[History, int, np.random.Generator], dict[str, Value]] = sobol_point
    usual: Callable[[SearchSpace], int] = usual_size
    goes_on_while_equal: bool = False

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`; a size of None stays None, and follows the space."""
        return {"initial_design_size": self.size, "sample_default_first": self.default_first}

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without a default where that is to come first."""
        if self.default_first and not space.has_prior:
            raise ArgumentError(
                "sample_default_first=True needs a default, but no parameter of the search space has one. "
                "Give at least one a default, as in Float(0, 1, default=0.3), or leave sample_default_first out."
            )

    def decide(self, history: History, number: int, generator: np.random.Generator) -> Suggestion | Done | None:
        """A trial of the design, or that all configurations are claimed; None once its results are in."""
        space = history.space  # a branch of an infinite one may be finite
        claimed = Claimed.of(history) if space.is_finite or space.is_conditional else None
        if claimed is not None and (done := claimed.exhausted) is not None:
            return done
        if self.is_over(history) and not (self.goes_on_while_equal and _are_equal(history)):
            return None
        config = self._configuration(history, number, generator)
        if claimed is not None and config in claimed:
            config = claimed.another(generator)
        return Suggestion(config=config, metadata={"by": _BY})

    def _configuration(self, history: History, number: int, generator: np.random.Generator) -> dict[str, Value]:
        default = history.space.default_config() if self.default_first and number == 1 else None
        return default or self.draw(history, number, generator)

    def is_over(self, history: History) -> bool:
        """Whether as many results are in as it has trials, imported ones included.

        Of a run that an earlier one has misled only its own count, unless there are twice as many of others: what was
        evaluated before that was known says little about all the rest.
        """
        size = self.size or self.usual(history.space)
        ended = [trial for trial in history.trials if trial.ended and trial.decision is not None]
        misled = history.earlier and len(ended) < 2 * size
        results = sum(map(is_initial, ended)) if misled else len(ended)
        return results + len(in_full(history)) >= size


def _are_equal(history: History) -> bool:
    """Whether two results or more are in, those of earlier runs included, and no two finite losses differ."""
    own = (trial for trial in history.trials if trial.ended and trial.decision is not None)
    results, losses = 0, set[float]()
    for trial in itertools.chain(history.earlier, in_full(history), own):
        results += 1
        if trial.succeeded and trial.loss is not None and math.isfinite(trial.loss):
            losses.add(trial.loss)
        if len(losses) > 1:  # mostly after two: the others needn't be looked at
            return False
    return results > 1


def in_full(history: History) -> list[Trial]:
    """The imported trials at the highest fidelity: what a search without fidelities would have found itself."""
    return [trial for trial in history.imported if trial.fidelity in {None, history.space.highest_fidelity}]


def is_initial(trial: Trial) -> bool:
    """Whether a trial belongs to the initial design."""
    return trial.decision is not None and trial.decision.metadata.get("by") == _BY


def interleaved(history: History, probability: float, generator: np.random.Generator) -> Suggestion | None:
    """With this probability a configuration that nobody has claimed, drawn uniformly; else None."""
    if not probability or generator.random() >= probability:
        return None
    return Suggestion(config=Claimed.of(history).another(generator), metadata={"by": "random"})
