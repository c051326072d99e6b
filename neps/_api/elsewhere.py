"""What other tools call the arguments of `neps.run`, and what to write here. Shown where such a name is passed.

The tools: Optuna (create_study, optimize), NePS 0.12 to 0.17 (run), SMAC (Scenario, facades), Ray Tune (run,
TuneConfig, schedulers), Hyperopt (fmin), Syne Tune (Tuner, StoppingCriterion, schedulers), and a few of scikit-learn,
scikit-optimize, Ax and Keras Tuner. A name that means the same in several stands once.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ELSEWHERE"]

_GROUPS: tuple[tuple[str, str], ...] = (
    (
        "Write max_evaluations_total=…, the number of trials over all workers and restarts.",
        (
            "n_trials num_samples max_evals evaluations_to_spend max_num_trials_started max_num_trials_completed "
            "max_num_trials_finished max_num_evaluations n_calls n_iter max_trials total_trials num_trials "
            "n_evaluations max_evaluations"
        ),
    ),
    (
        ("Write max_seconds_per_run=…: after so many seconds this call starts nothing new, and finishes what it runs."),
        "timeout walltime_limit cputime_limit time_budget_s max_wallclock_time time_budget max_time",
    ),
    (
        "Write max_seconds_per_trial=…: an evaluation that takes longer ends as failed.",
        "trial_walltime_limit trial_timeout max_time_per_trial max_trial_runtime time_limit_per_trial",
    ),
    (
        ('Write max_cost_total=…, and have run_pipeline return {"loss": …, "cost": …}, or write cost="duration", too.'),
        "cost_to_spend max_cost budget",
    ),
    (
        "Write max_fidelity_total=…, which counts the fidelity that is run, such as epochs.",
        "fidelities_to_spend",
    ),
    (
        (
            "Each call of neps.run is one worker. Start the same script several times, at once or later: in "
            "terminals, or as a job array."
        ),
        (
            "n_jobs n_workers num_workers max_concurrent_trials max_concurrent max_queue_len parallelism "
            "dask_client sample_batch_size executions_per_trial"
        ),
    ),
    (
        'neps.run minimises. To maximise an accuracy, return {"loss": 1 - accuracy} or {"loss": -accuracy}.',
        ("direction directions maximize maximise minimize minimise mode do_minimize do_maximize greater_is_better"),
    ),
    (
        'The loss is what run_pipeline returns: a number, or {"loss": …}. Leave this out.',
        "metric metric_name metrics objectives objective_name scoring scalarize_objective",
    ),
    (
        "Write run_pipeline=…: a function that gets a configuration by keyword, and returns its loss.",
        (
            "evaluate_pipeline objective func fn target_function trainable run_or_experiment trial_backend "
            "entry_point evaluation_function hypermodel train_fn"
        ),
    ),
    (
        'Write pipeline_space=…: a dict of parameters, such as {"x": neps.Float(0, 1)}.',
        (
            "search_space space configspace config_space param_space config dimensions param_distributions "
            "param_grid hyperparameters parameters"
        ),
    ),
    (
        "Write root_directory=…: one folder for each search, on a filesystem that all workers see.",
        (
            "storage study_name storage_path storage_filesystem local_dir name output_directory tuner_name "
            "experiment_name working_directory trials directory project_name log_dir"
        ),
    ),
    (
        "Leave it out: what is in root_directory is always resumed.",
        "load_if_exists resume restore reuse_actors",
    ),
    (
        "Write overwrite_working_directory=True.",
        "overwrite_root_directory overwrite",
    ),
    (
        "Write post_run_summary=….",
        "write_summary_to_disk",
    ),
    (
        "Write sample_default_first=True, and a default=… for each parameter that you know.",
        "sample_prior_first",
    ),
    (
        'Pass it to the space: pipeline_space=neps.SearchSpace({…}, forbid=[{"optimizer": "sgd", "batch_size": 512}]).',
        "forbid forbidden forbidden_clauses constraints parameter_constraints",
    ),
    (
        'A condition stands with its parameter: neps.Float(0, 0.99, active_if={"optimizer": "sgd"}).',
        "active_if conditions",
    ),
    (
        "Write searcher='bayesian_optimization' or another name, or searcher=… with an instance of neps.Sampler.",
        ("sampler optimizer search_alg algo algorithm method strategy base_estimator optimizer_kwargs searcher_path"),
    ),
    (
        (
            'Mark a parameter as the fidelity, as in neps.Integer(1, 81, is_fidelity=True); with searcher="asha", '
            '"hyperband" or "freeze_thaw" bad configurations then stop early.'
        ),
        (
            "pruner scheduler min_budget max_budget max_t grace_period time_attr resource_attr max_resource_attr "
            "max_resource_level min_resource max_resource min_epochs max_epochs intensifier"
        ),
    ),
    (
        "Write eta=…, with a multi-fidelity searcher.",
        "reduction_factor factor",
    ),
    (
        "Write loss_value_on_error=….",
        "objective_value_on_error crash_cost error_score",
    ),
    (
        "Write ignore_errors=True to go on after evaluations that fail.",
        "catch catch_eval_exceptions raise_on_failed_trial fail_fast",
    ),
    (
        (
            "Write ignore_errors=True to go on after evaluations that fail, and max_attempts=… for how often a "
            "trial may lose its worker."
        ),
        "max_failures max_retries",
    ),
    (
        "Write seed=….",
        "random_state rstate random_seed rng",
    ),
    (
        "Write progress=True or False.",
        "show_progress_bar show_progressbar progress_bar verbose progress_reporter print_update_interval",
    ),
    (
        (
            "Write target_loss=… to end the run at a loss, and patience=… to end it after so many results without "
            "improvement."
        ),
        (
            "loss_threshold stop stop_criterion early_stop_fn termination_cost_threshold min_metric_value "
            "max_metric_value early_stopping"
        ),
    ),
    (
        (
            "Write first_configs=[…]: these are evaluated first. If it is one, give the parameters a default=…, and "
            "write sample_default_first=True."
        ),
        ("points_to_evaluate warmstart_configs use_default_config x0 enqueue_trials evaluated_rewards default_config"),
    ),
    (
        "A prior is given with the parameters: default=… and default_confidence=….",
        "prior prior_confidences priors",
    ),
    (
        (
            "Write the arguments in Python: neps.run(**arguments) takes what yaml.safe_load returns, but for "
            "run_pipeline and pipeline_space."
        ),
        "run_args settings searcher_kwargs",
    ),
    (
        "Write initial_design_size=….",
        "n_startup_trials initial_design n_initial_points n_random_starts n_init",
    ),
    (
        "Leave it out: the acquisition function and the model are part of the searcher.",
        "acquisition acquisition_function acq_func surrogate_model acq_optimizer runhistory_encoder",
    ),
    (
        "Leave it out: each call names its worker itself.",
        "worker_id",
    ),
    (
        "Leave it out: neps limits no resources. Request them in the job that starts the worker.",
        "resources_per_trial trial_memory_limit gc_after_trial resources n_gpus n_cpus",
    ),
    (
        "Each configuration is evaluated once. Average over seeds, folds or instances in run_pipeline.",
        "deterministic instances instance_features n_seeds cv",
    ),
    (
        "Write keep_checkpoints=….",
        "checkpoint_config keep_checkpoints_num delete_checkpoints",
    ),
)


def _by_name() -> Iterator[tuple[str, str]]:
    for advice, names in _GROUPS:
        for name in names.split():
            yield name, advice


ELSEWHERE = dict(_by_name())
"""What to do instead, by the argument's name."""
