"""Searchers over fidelities: most configurations are evaluated at low ones, few go on to the highest.

Those with brackets are a `BracketSearch` each, of parts from `promotion`, and a source of new configurations from
`sources`, `ensemble` or `modelled`; where the default configuration begins is in `fidelity`:

    searcher                        in           brackets    promotion     new configurations
    successive_halving              hyperband    OneKind     Synchronous   Uniform
    successive_halving_prior        hyperband    OneKind     Synchronous   Prior
    hyperband                       hyperband    OfEachKind  Synchronous   Uniform
    hyperband_prior                 hyperband    OfEachKind  Synchronous   Prior
    asha                            asha         OneKind     Asynchronous  Uniform
    asha_prior                      asha         OneKind     Asynchronous  Prior
    async_hyperband                 asha         OfEachKind  Asynchronous  Uniform
    async_hyperband_prior           asha         OfEachKind  Asynchronous  Prior
    mobster                         mobster      OfEachKind  Asynchronous  Model(Uniform)
    priorband                       priorband    OfEachKind  Synchronous   Ensemble
    priorband_bo                    priorband    OfEachKind  Synchronous   Model(Ensemble)

With new configurations of the prior or the ensemble, the default configuration is the first. `BracketSearch.decide`
asks `promotion` which place is filled next: `Synchronous` takes promotions of the oldest bracket first, then free
places, then a new bracket; `Asynchronous` whatever may be promoted at once, then a new configuration. Who is promoted,
`neps._fidelity.promotion` says.

Without brackets there are `freeze_thaw` and `freeze_thaw_prior`, with a `design` each, before a model is asked. Rungs,
brackets and promotions as such are in `neps._fidelity`.
"""
