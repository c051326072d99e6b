"""Freeze-thaw Bayesian optimization: after each step of fidelity, a model says what to continue or to begin.

Used through `searcher="freeze_thaw"` and `"freeze_thaw_prior"`, and by default where there is a fidelity. The
model-based step is in `_model_based.fidelity_proposal`, which needs scipy and is imported when the first model is
fitted.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import attrs

from neps._fidelity import evenly_spaced, fidelity_run
from neps._trial import Place
from neps.errors import ArgumentError
from neps.samplers import _settings as settings
from neps.samplers._model_based.priors import PriorTerm
from neps.samplers._multi_fidelity.design import Design, Halving, Spread
from neps.samplers._multi_fidelity.fidelity import DefaultFirst, check_fidelity, check_prior, fidelity_of, rungs_of
from neps.samplers._protocol import Done, Sampler, Suggestion, Wait

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps._models.acquisition import Acquisition
    from neps._models.terms import LogPrior
    from neps._trial import Trial, Value
    from neps.samplers._model_based.axes import Axes
    from neps.space import Confidence, SearchSpace

__all__ = ["FreezeThaw", "FreezeThawPrior", "FreezeThawSearch"]

_MOST_LEVELS = 1000
_DOUBT = 3.0
"""The power of what the prior's region promises, relative to anywhere: how soon a prior that results contradict is
forgotten."""


def FreezeThaw(
    eta: float = 3.0,
    *,
    sample_default_first: bool = False,
    sample_default_at_target: bool = False,
    step: float | None = None,
    initial_design_size: int | None = None,
    random_interleave_prob: float = 0.0,
) -> FreezeThawSearch:
    """Bayesian optimization that freezes configurations, and thaws those that promise most for what they cost.

    A Gaussian process over configurations and fidelities predicts each one's loss at the highest fidelity. After each
    step there is a choice: continue any configuration from its checkpoint, or begin the new one with the highest
    expected improvement. The one is taken whose expected improvement is largest per expected cost, given that it may be
    given up again after each further step: an index of optimal stopping (Weitzman 1979, "Optimal search for the best
    alternative"), from which follows what is thawed and how long it runs.

    The idea is that of Swersky et al. (2014, "Freeze-thaw Bayesian optimization"), who choose what to run by the
    entropy of the optimum. The process and the choice are our own: no shape of learning curves is assumed, and nothing
    is learned beforehand from other runs, as in ifBO (Rakotoarison et al. 2024). DyHPO (Wistuba et al. 2022) chooses by
    what the next step improves; here it is what the last one does.

    A step costs what such steps have cost on average, where `run_pipeline` returns costs, and else its share of the
    fidelity. Reported learning curves are learned from where they pass rungs. Failed evaluations, and losses that
    aren't finite, count as the worst loss seen, and are never continued. Priors are ignored: a default is only looked
    at with `sample_default_first`.

    Args:
        eta: the factor between the fidelities at which there is a choice, above 1. Default 3.
        step: the difference between them instead, above 0, and a whole number where the fidelity is one; a step of 1
            decides after each epoch. There may be 1000 steps at most. None (the default) takes factors, and so makes
            far fewer trials.
        initial_design_size: how many configurations a design by successive halving begins, at least 1: points of a
            Sobol sequence, of which the best 1/`eta` are continued to each next rung. None (the default): as many as
            have to begin for one to reach the highest fidelity; where that were more than 81, they begin at a higher
            rung. No fewer than `BayesianOptimization` has.
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else. Default False.
        random_interleave_prob: the probability, from 0 to 1, that a new configuration is drawn at random instead,
            uniformly. Default 0.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, the step isn't whole where the fidelity is, or far too small, or there is no
            default and one is asked for.

    Example:
        >>> FreezeThaw(step=1).settings()["step"]
        1.0
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return FreezeThawSearch("FreezeThaw", eta, default, step, initial_design_size, random_interleave_prob)


def FreezeThawPrior(  # noqa: PLR0913 - one for each setting
    eta: float = 3.0,
    *,
    sample_default_first: bool = True,
    sample_default_at_target: bool = True,
    step: float | None = None,
    initial_design_size: int | None = None,
    random_interleave_prob: float = 0.0,
    prior_weight: float = 3.0,
    prior_confidence: Confidence | None = None,
) -> FreezeThawSearch:
    """FreezeThaw that evaluates the default first, in full, and looks for new configurations where the prior is high.

    The default runs at the highest fidelity before all else: for the cost of one full evaluation a good one is ahead of
    what any search finds in several, and a bad one is known to be bad. The rest of the initial design ignores the
    prior, since what the model learns of the whole space is what it needs to doubt it. There is less of it than in
    `FreezeThaw`, and none begins at the highest fidelity.

    New configurations then are those with the highest expected improvement times π^(r³ β / n), where π is the prior, β
    `prior_weight`, and n the full evaluations run so far. r, from 0 to 1, says whether the model still agrees, as in
    `PiBO`: the mean expected improvement over a sample of the prior, relative to that over a uniform one. What is
    thawed doesn't depend on the prior.

    Args:
        eta: see `FreezeThaw`.
        step: see `FreezeThaw`.
        initial_design_size: how many results there must be before the model is asked, at least 1, the default
            configuration's included; until then points of a Sobol sequence begin, at each rung as often as Hyperband
            begins configurations there. None (the default): as many as cost one full evaluation at the lowest fidelity,
            but 8 at most, and no fewer than `BayesianOptimization` has.
        random_interleave_prob: see `FreezeThaw`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else. Default True.
        prior_weight: β, above 0. Default 3.
        prior_confidence: "low", "medium" or "high", for all parameters that have a default, instead of each one's own
            `default_confidence`. None (the default) leaves them their own.

    Raises:
        ArgumentError: as `FreezeThaw`, and from `check`, if no parameter has a default.

    Example:
        >>> FreezeThawPrior(prior_confidence="high").settings()["sample_default_at_target"]
        True
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    prior = PriorTerm(prior_weight, prior_confidence)
    return FreezeThawSearch("FreezeThawPrior", eta, default, step, initial_design_size, random_interleave_prob, prior)


@final
@attrs.frozen(repr=False)
class FreezeThawSearch(Sampler):
    """A search without brackets, in which each trial may be continued at any time.

    `name` is that of the constructor in `neps.samplers`; `FreezeThaw` explains the settings. With a `prior`, which says
    where new configurations are looked for rather, the initial design is smaller, and its points begin at all rungs,
    but for the highest where the default has run there; nobody is continued before the model is asked.
    """

    name: str
    eta: float = attrs.field(converter=settings.eta)
    default: DefaultFirst
    step: float | None = attrs.field(converter=settings.step)
    initial_design_size: int | None = attrs.field(converter=settings.initial_design_size)
    random_interleave_prob: float = attrs.field(converter=settings.random_interleave_prob)
    prior: PriorTerm | None = None

    def __repr__(self) -> str:
        """As its constructor is called."""
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without one fidelity, and a step that isn't whole where the fidelity is, or far too small."""
        check_fidelity(space)
        check_prior(space, self.default, needs_prior=self.prior is not None)
        if self.prior is not None:
            self.prior.check(space)
        if self.step is None:
            return
        fidelity = fidelity_of(space)
        if fidelity.whole and self.step != int(self.step):
            raise ArgumentError(
                f"step is {self.step:g}, but the fidelity {space.fidelity!r} is a whole number: give a whole step."
            )
        if (least := (fidelity.upper - fidelity.lower) / _MOST_LEVELS) > self.step:
            raise ArgumentError(
                f"step is {self.step:g}, but the fidelity {space.fidelity!r} from {fidelity.lower:g} to "
                f"{fidelity.upper:g} may have {_MOST_LEVELS} steps at most: give a step of at least {least:g}, "
                "or leave it out, for steps by factors of eta."
            )

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        prior = {} if self.prior is None else attrs.asdict(self.prior)
        own = {name: getattr(self, name) for name in ("step", "initial_design_size", "random_interleave_prob")}
        return {"eta": self.eta, **attrs.asdict(self.default), **own, **prior}

    def levels(self, space: SearchSpace) -> tuple[float, ...]:
        """The fidelities at which there is a choice, from the lowest."""
        if self.step is None:
            return self.rungs(space)
        fidelity = fidelity_of(space)
        return evenly_spaced(fidelity.lower, fidelity.upper, self.step)

    def rungs(self, space: SearchSpace) -> tuple[float, ...]:
        """The fidelities at which configurations begin, from the lowest; without steps these are the levels."""
        return rungs_of(space, self.eta)

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion | Wait | Done:
        """A point of the initial design, a trial's continuation, or a new configuration."""
        space = history.space
        if (target := self.default.at_target(space, number)) is not None:
            return target
        first = self._design.next(history, number, generator, self.levels(space), self.rungs(space))
        if first is not None:
            return self._suggestion(space, dict(first.config), first.level, first.metadata, first.previous)
        if not history.imported and not any(t.ended and t.decision is not None for t in history.trials):
            return Wait("the first result: all configurations have begun")
        return self._by_model(history, generator)

    @property
    def _design(self) -> Design:
        arguments = (self.eta, self.initial_design_size, self.default.at_lowest)
        if self.prior is None:
            return Halving(*arguments)
        return Spread(*arguments, highest=not self.default.sample_default_at_target)  # else the default has run there

    def beginning(
        self,
        history: History,
        generator: np.random.Generator,  # noqa: ARG002
    ) -> tuple[float | None, Place | None]:
        """See `Sampler.beginning`: at the lowest level, from which it may be continued."""
        return self.levels(history.space)[0], Place(0)

    def _by_model(self, history: History, generator: np.random.Generator) -> Suggestion | Wait | Done:
        from neps.samplers._model_based.fidelity_proposal import continuation

        levels, rungs = self.levels(history.space), self.rungs(history.space)
        term = None if self.prior is None else functools.partial(_term, self.prior)
        found = continuation(history, levels, rungs, generator, self.random_interleave_prob, term)
        if found is not None:
            config, previous, level, metadata = found
            return self._suggestion(history.space, config, level, metadata, previous.number if previous else None)
        if history.pending:
            return Wait(f"running trials ({len(history.pending)}), which may be continued: no configuration is new")
        return Done("every configuration has been evaluated, and the promising ones up to the highest fidelity")

    def _suggestion(
        self,
        space: SearchSpace,
        config: dict[str, Value],
        level: int,
        metadata: Mapping[str, Any],
        previous: int | None = None,
    ) -> Suggestion:
        config = space.at_fidelity(config, self.levels(space)[level])
        return Suggestion(config=config, previous=previous, place=Place(level), metadata=metadata)


def _term(prior: PriorTerm, axes: Axes, decided: Sequence[Trial], improvement: Acquisition) -> LogPrior:
    run = fidelity_run(decided) / fidelity_of(axes.space).upper
    return prior.term(axes.space, improvement, max(run, 1.0), doubt=_DOUBT)
