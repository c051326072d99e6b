"""`neps.to_optuna`: a run as an Optuna study. Imports optuna only when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neps._calling import public
from neps._ledger.reading import root_of
from neps.errors import NepsError

if TYPE_CHECKING:
    import optuna

    from neps._views.optuna_storage import RunStorage

__all__ = ["run_storage", "to_optuna"]


@public("neps.to_optuna")
def to_optuna(root_directory: str | Path) -> optuna.Study:
    """The run in `root_directory` as an Optuna study, live and read-only. Needs optuna.

    For `optuna.visualization`, `optuna.importance`, and whatever else reads a study. Whenever trials are asked for,
    they are as they stand then; whatever would change the study is refused. Needs no write permission. `neps dashboard`
    shows runs in optuna-dashboard.

    Trial 0 is config_1, since Optuna counts from 0; the user attribute `config` says so. COMPLETE are the trials that
    `History.best` is the best of, PRUNED those that stopped at a lower fidelity; FAIL is what failed, and what has a
    loss that is not finite. Fidelities, constants, cost, duration, error and info_dict are user attributes.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).

    Returns:
        A study that has the folder's name, and minimises.

    Raises:
        neps.errors.DirectoryError: if there is no run.
        neps.errors.NepsError: if optuna is not installed: pip install 'neps[optuna]'.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> history = neps.run(lambda x: (x - 0.3) ** 2, root, space, searcher="sobol", max_evaluations_total=8, seed=1)
        >>> study = neps.to_optuna(root)
        >>> study.best_params == history.best.config, study.best_trial.user_attrs["config"]
        (True, 'config_6')
    """
    storage = run_storage([root_directory])
    import optuna

    (study,) = storage.get_all_studies()
    return optuna.load_study(study_name=study.study_name, storage=storage)


def run_storage(root_directories: Sequence[str | Path]) -> RunStorage:
    """Runs as the studies of one Optuna storage.

    Raises:
        neps.errors.DirectoryError: if one of them is no run.
        neps.errors.NepsError: if optuna is not installed.
    """
    try:
        from neps._views.optuna_storage import RunStorage
    except ImportError as error:
        message = "A run as an Optuna study needs optuna, which is not installed: pip install 'neps[optuna]'"
        raise NepsError(message) from error
    return RunStorage([root_of(root) for root in root_directories])
