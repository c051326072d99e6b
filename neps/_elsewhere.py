"""What other tools and other versions of NePS have in their top module, and what to write here, for `neps.NAME`."""

from __future__ import annotations

__all__ = ["NAMES"]

_SPACE = 'Write the space as a dict: pipeline_space={"x": neps.Float(0, 1)}.'
_CONFIGSPACE = "Pass a ConfigurationSpace of ConfigSpace as pipeline_space."
_FIDELITY = "Write neps.Integer(1, 81, is_fidelity=True), or neps.Float."
_LOG = "Write neps.Float(lower, upper, log=True), or neps.Integer."
_CHOICE = "Write neps.Categorical([...])."
_ORDERED = "Write neps.Categorical([...], ordered=True)."
_MULTIPLES = "Write neps.Float(lower, upper, step=…), or neps.Integer: both bounds are included."
_CONDITION = 'Write active_if={"name of another parameter": its value, or a list of values} at the parameter.'
_COMPARISON = 'Write active_if={"name of another parameter": neps.more_than(…)}, or neps.less_than, at the parameter.'
_FORBID = 'Write neps.SearchSpace({…}, forbid=[{"optimizer": "sgd", "batch_size": 512}]).'
_PRUNED = (
    "Write neps.Integer(1, 81, is_fidelity=True) for the epochs: the searcher then says how many each trial trains."
)
_SEARCHER = "Searchers are names: neps.run(..., searcher='hyperband')."
_RUN = "Call neps.run(run_pipeline, root_directory, pipeline_space, …)."

NAMES = {
    **dict.fromkeys(("PipelineSpace", "SearchSpaceDict"), _SPACE),
    **dict.fromkeys(("ConfigurationSpace", "ConfigSpace"), _CONFIGSPACE),
    **dict.fromkeys(("IntegerFidelity", "FloatFidelity", "Fidelity", "FidelityParameter"), _FIDELITY),
    **dict.fromkeys(("LogUniform", "LogFloat", "LogInteger", "loguniform", "lograndint"), _LOG),
    **dict.fromkeys(("choice",), _CHOICE),
    **dict.fromkeys(("HPOFloat", "Uniform", "uniform"), "Write neps.Float(lower, upper)."),
    **dict.fromkeys(("HPOInteger", "Int", "randint"), "Write neps.Integer(lower, upper): both bounds are included."),
    **dict.fromkeys(("HPOCategorical",), _CHOICE),
    **dict.fromkeys(("Ordinal", "OrdinalHyperparameter", "ordinal", "finrange", "logordinal"), _ORDERED),
    **dict.fromkeys(("HPOConstant",), "Write neps.Constant(value)."),
    **dict.fromkeys(("quniform", "qrandint"), _MULTIPLES),
    **dict.fromkeys(("EqualsCondition", "InCondition", "NotEqualsCondition", "AndConjunction"), _CONDITION),
    **dict.fromkeys(("GreaterThanCondition", "LessThanCondition"), _COMPARISON),
    **dict.fromkeys(("ForbiddenAndConjunction", "ForbiddenEqualsClause", "ForbiddenInClause"), _FORBID),
    **dict.fromkeys(("algorithms", "optimizers", "create_sampler"), _SEARCHER),
    **dict.fromkeys(("create_study", "optimize", "minimize", "fmin", "tune", "Tuner"), _RUN),
    **dict.fromkeys(("warmstart_neps", "add_trial"), "Write neps.import_trials(root, results)."),
    **dict.fromkeys(("enqueue_trial",), "Write neps.enqueue(root, [{…}]), or first_configs=[{…}] in neps.run."),
    **dict.fromkeys(("save_pipeline_results", "convert_operation_to_callable"), "There is nothing like it."),
    **dict.fromkeys(("Suggestion", "Wait", "Done", "Place", "Brackets", "Budget"), "It is in neps.samplers."),
    **dict.fromkeys(("trial", "history", "budget", "fidelity"), "It is private: see docs/public.md."),
    **dict.fromkeys(("get_context", "get_trial_id", "get_trial_dir"), "Write neps.current_trial()."),
    **dict.fromkeys(("Operation", "ByName"), "Write neps.Choice({…}), and build the object in run_pipeline."),
    **dict.fromkeys(("Resample", "Resampled"), "Write neps.Repeat(block, lower, upper): each time is drawn anew."),
    **dict.fromkeys(("suggest_float", "suggest_int", "suggest_categorical"), _SPACE),
    **dict.fromkeys(("TrialPruned", "should_prune"), _PRUNED),
    **dict.fromkeys(("Bool", "Boolean"), "Write neps.Categorical([False, True])."),
    "ConfidenceLevel": "Write default_confidence='low', 'medium' or 'high'.",
    "tblogger": "Pass callbacks=[neps.callbacks.TensorBoard()] to neps.run.",
}
"""What to do instead, by name."""
