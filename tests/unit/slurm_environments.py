"""What SLURM 24.11 puts into the environment of its jobs, as observed, and how squeue answers there (`%F`).

The variables that tell launches apart, or seem to; all others are equal, or differ between tasks of one array, too.
"""

from __future__ import annotations

__all__ = ["ENVIRONMENTS", "LAUNCHES", "SQUEUE"]


def _single(job: int) -> dict[str, str]:
    return {"SLURM_JOB_ID": str(job)}


def _task(job: int, array: int, task: int) -> dict[str, str]:
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_ARRAY_JOB_ID": str(array),
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_ARRAY_TASK_COUNT": "2",
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": "1",
    }


_FROM_OUTSIDE = {"SLURM_SUBMIT_HOST": "login"}
_FROM_A_NODE = {"SLURM_SUBMIT_HOST": "n1"}
_STEP = {"SLURM_STEP_ID": "0"}
_REQUEUED = {"SLURM_RESTART_COUNT": "1"}
_HETEROGENEOUS = {"SLURM_HET_SIZE": "2", "SLURM_JOB_ID_HET_GROUP_0": "42", "SLURM_JOB_ID_HET_GROUP_1": "43"}

ENVIRONMENTS: dict[str, dict[str, str]] = {
    "single": _single(1) | _FROM_OUTSIDE,
    "step of it": _single(1) | _FROM_OUTSIDE | _STEP,
    "single from a single": _single(6) | _FROM_A_NODE,
    "single from a step": _single(22) | _FROM_A_NODE | _STEP,  # of the submitter
    "task 1 of 2": _task(2, 2, 1) | _FROM_OUTSIDE,
    "step of task 1": _task(2, 2, 1) | _FROM_OUTSIDE | _STEP,
    "task 0 of 2": _task(5, 2, 0) | _FROM_OUTSIDE,
    "task 0 of 2, requeued": _task(5, 2, 0) | _FROM_OUTSIDE | _REQUEUED,
    "single from task 1": _task(8, 2, 1) | _FROM_A_NODE,  # all SLURM_ARRAY_… are inherited
    "single from task 1, --export=NONE": _task(12, 2, 1) | _FROM_A_NODE,
    "single from task 1, by Python": _task(18, 2, 1) | _FROM_A_NODE,
    "step of a single from task 1": _task(33, 2, 1) | _FROM_A_NODE | _STEP,
    "heterogeneous from task 1": _task(34, 2, 1) | _FROM_A_NODE | {"SLURM_HET_SIZE": "2"},
    "single from task 0, which was requeued": _task(58, 2, 0) | _FROM_A_NODE | _REQUEUED,
    "task 1 of an array from task 1": _task(9, 9, 1) | _FROM_A_NODE,
    "task 0 of an array from task 1": _task(37, 9, 0) | _FROM_A_NODE,
    "heterogeneous": _single(42) | _FROM_OUTSIDE | _HETEROGENEOUS,
    "step of its second component": _single(42) | _FROM_OUTSIDE | _HETEROGENEOUS | _STEP,
    "salloc": _single(45) | _FROM_OUTSIDE,
}

LAUNCHES: dict[str, str] = {
    "single": "SLURM_JOB_ID=1",
    "step of it": "SLURM_JOB_ID=1",
    "single from a single": "SLURM_JOB_ID=6",
    "single from a step": "SLURM_JOB_ID=22",
    "task 1 of 2": "SLURM_ARRAY_JOB_ID=2",
    "step of task 1": "SLURM_ARRAY_JOB_ID=2",
    "task 0 of 2": "SLURM_ARRAY_JOB_ID=2",
    "task 0 of 2, requeued": "SLURM_ARRAY_JOB_ID=2",
    "single from task 1": "SLURM_JOB_ID=8",
    "single from task 1, --export=NONE": "SLURM_JOB_ID=12",
    "single from task 1, by Python": "SLURM_JOB_ID=18",
    "step of a single from task 1": "SLURM_JOB_ID=33",
    "heterogeneous from task 1": "SLURM_JOB_ID=34",
    "single from task 0, which was requeued": "SLURM_JOB_ID=58",
    "task 1 of an array from task 1": "SLURM_ARRAY_JOB_ID=9",
    "task 0 of an array from task 1": "SLURM_ARRAY_JOB_ID=9",
    "heterogeneous": "SLURM_JOB_ID=42",
    "step of its second component": "SLURM_JOB_ID=42",
    "salloc": "SLURM_JOB_ID=45",
}

SQUEUE: dict[str, str] = {
    "5": "2",
    "37": "9",
    "8": "8",
    "12": "12",
    "18": "18",
    "33": "33",
    "34": "34\n35",  # a heterogeneous job's components
    "58": "58",
}
"""What `squeue --noheader --jobs=ID --format=%F` prints for those jobs for which it matters."""
