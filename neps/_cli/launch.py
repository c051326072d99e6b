"""`neps launch`: workers of a script, as a SLURM job array or on this machine; by `neps._launching`."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import time
from typing import Any

import click

from neps.errors import ArgumentError, NepsError, nearest

__all__ = ["launch"]

_SCRIPT, _SCRIPT_OF_EXAMPLES = re.compile(r".+\.py"), "search.py"
_INTERRUPTED = 130
_PAUSE = 0.2
_LOCAL_ONLY = {"share": "--share"}
_SLURM_ONLY = {
    "at_once": "--at-once",
    "time": "--time",
    "partition": "--slurm-partition",
    "mem": "--mem",
    "more": "--slurm",
}


class _Launch(click.Command):
    """What is meant for the script comes after `--`: else a slip of the pen would silently go there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error that shows where the script's arguments belong."""
        from neps._launching.plan import STARTERS

        own = args[: args.index("--")] if "--" in args else args
        try:
            left = super().parse_args(ctx, list(args))
        except click.NoSuchOption as error:
            script = next(filter(_SCRIPT.fullmatch, own), _SCRIPT_OF_EXAMPLES)
            hint = nearest(error.option_name, [name for each in self.params for name in each.opts])
            raise click.UsageError(
                f"neps launch has no option {error.option_name}.{hint} If it is one of the script's, write it behind "
                f"--, as in: neps launch {script} --workers 8 -- {error.option_name} …",
                ctx,
            ) from None
        given = ctx.params["arguments"]
        behind = len(args) - len(own) - 1 if "--" in args else 0
        if len(given) > behind and ctx.params["script"] not in STARTERS:
            extra, script = given[0], ctx.params["script"]
            raise click.UsageError(
                f"{extra!r} follows SCRIPT ({script}) and belongs to no option. A value with a blank needs quotes. "
                f"What is the script's comes after --, as in: neps launch {script} --workers 8 -- {extra}",
                ctx,
            )
        return left


@click.command(cls=_Launch)
@click.argument("script", metavar="SCRIPT", type=click.Path())
@click.argument("arguments", metavar="[-- ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--workers", metavar="N", type=int, default=1, show_default=True, help="How many workers to start.")
@click.option("--at-once", metavar="N", type=int, help="How many of them run at a time: the array's %N.")
@click.option("--local", is_flag=True, help="Start them on this machine, and wait for them.")
@click.option("--root", metavar="ROOT", type=click.Path(), help="The script's root_directory: logs go to ROOT/logs.")
@click.option(
    "--ranks", metavar="N", type=int, help="Processes of each worker, which train each trial together: torchrun."
)
@click.option("--gpus-per-worker", "gpus", metavar="N", type=click.IntRange(min=0), help="GPUs for each worker.")
@click.option("--cpus-per-worker", "cpus", metavar="N", type=click.IntRange(min=1), help="Cores for each worker.")
@click.option("--mem", metavar="SIZE", help="Memory for each worker, such as 32G.")
@click.option("--time", metavar="TIME", help="Time limit of each worker, such as 4:00:00.")
@click.option("--slurm-partition", "partition", metavar="NAME", help="The partition.")
@click.option("--slurm", "more", metavar="NAME=VALUE", multiple=True, help="Any other option of sbatch: qos=high.")
@click.option("--name", metavar="NAME", help="The job's name.  [default: the script's]")
@click.option("--python", metavar="PATH", help="The interpreter.  [default: the one that runs neps]")
@click.option("--share", is_flag=True, help="With --local: workers may share GPUs and cores if there are too few.")
@click.option("--follow", is_flag=True, help="Show what the workers print, until all have ended.")
@click.option("--dry-run", "dry", is_flag=True, help="Only print what would be started.")
def launch(script: str, arguments: tuple[str, ...], *, local: bool, follow: bool, dry: bool, **given: Any) -> int:
    """Start workers of a script.

    Starts N workers of SCRIPT, which calls neps.run: as a SLURM job array, or with --local on this machine. What
    follows -- goes to the script. All workers of one call are one launch (NEPS_RUN_TOKEN).
    """
    from neps._launching.plan import planned

    plan = planned(
        script,
        arguments,
        workers=given["workers"],
        root=given["root"],
        name=given["name"],
        python=given["python"],
    )
    if given["ranks"] is not None:
        plan = plan.with_ranks(given["ranks"])
    _refuse(_SLURM_ONLY if local else _LOCAL_ONLY, given, "with --local" if local else "without --local")
    if local:
        return _launch_here(plan, given, follow=follow, dry=dry)
    return _launch_on_slurm(plan, given, follow=follow, dry=dry)


def _refuse(options: dict[str, str], given: dict[str, Any], where: str) -> None:
    for name, option in options.items():
        if given[name]:
            raise ArgumentError(f"{option} has no meaning {where}. Leave it out.")


def _launch_on_slurm(plan: Any, given: dict[str, Any], *, follow: bool, dry: bool) -> int:
    on_slurm = _imported()
    options = on_slurm.Options(**{name: given[name] for name in (*_SLURM_ONLY, "gpus", "cpus")})
    if dry:
        print(on_slurm.batch_file(plan, options))
        return 0
    array = on_slurm.submit(plan, options)
    print(f"Submitted job array {array.job}: {plan.what}")
    print(f"  logs    {plan.logs}/{array.job}_TASK.log")
    print(f"  status  {plan.status}")
    print(f"  stop    scancel {array.job}, or {plan.stop} for all workers of the run, wherever they were started")
    _say_root(plan)
    if not follow:
        return 0
    sys.stdout.flush()
    return _follow_array(array)


def _follow_array(array: Any) -> int:
    from neps._launching.following import follow

    try:
        states = follow(array.logs, array.states, array.are_over, _say)
    except KeyboardInterrupt:
        print(f"\nFollows no longer; the workers go on. To stop them: scancel {array.job}, or {array.plan.stop}")
        return _INTERRUPTED
    return _concluded(array.failed(states), array.logs)


def _launch_here(plan: Any, given: dict[str, Any], *, follow: bool, dry: bool) -> int:
    from neps._launching import following, local
    from neps._launching.shares import shares

    mine = shares(plan.workers, gpus_each=given["gpus"], cores_each=given["cpus"], share=given["share"])
    if dry:
        for index, share in enumerate(mine):
            print(local.described(plan, share, index))
        return 0
    workers = local.Workers(plan, mine)
    with workers.started():
        print(f"Started {plan.what} on this machine. Ctrl-C stops all.")
        print(f"  logs    {workers.logs['0'].with_name(workers.logs['0'].name.replace('_0.log', '_WORKER.log'))}")
        print(f"  status  {plan.status}")
        _say_root(plan)
        sys.stdout.flush()
        shown = workers.logs if follow else {}
        following.follow(shown, workers.states, workers.are_over, _say, pause=lambda: time.sleep(_PAUSE))
    if workers.received.first is not None:
        return 128 + workers.received.first
    return _concluded(workers.failed, workers.logs)


def _say_root(plan: Any) -> None:
    if plan.root is None:
        print("  ROOT is the script's root_directory. Pass it as --root to see it here and have the logs in ROOT/logs.")


def _concluded(failed: dict[str, str], logs: Any) -> int:
    for name, state in failed.items():
        print(f"worker {name}: {state}. See {logs[name]}", file=sys.stderr)
    return 1 if failed else 0


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed, `| head`: the workers go on
        print(line, flush=True)


def _imported() -> Any:
    try:
        return importlib.import_module("neps._launching.on_slurm")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("neps"):
            raise
        raise NepsError(
            f"neps launch needs the package {error.name!r}, which isn't installed. Install it: "
            "pip install 'neps[launch]'. Or start the workers on this machine, by --local."
        ) from error
