"""`save` and `load`: what users call. Arguments are checked here, and errors put into words."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from neps._children import check_time
from neps._evaluation import check
from neps._ledger.layout import is_ledger_name
from neps._ledger.outage import Outage
from neps._ledger.storage import advice, behind, shown_size
from neps.checkpoint import _files as files
from neps.checkpoint._attempts import Evaluation, attempt_in, check_open
from neps.checkpoint._files import RANK, of_rank
from neps.errors import ArgumentError, CheckpointError, StorageError, TakenOverError

__all__ = ["load", "save"]

_logger = logging.getLogger("neps.checkpoint")

_REFUSED = re.compile(r"Weights only load failed.*(?:Unsupported global: GLOBAL |Unsupported class )(\S+)", re.DOTALL)

_ZIP = b"PK\x03\x04"

Directory = str | os.PathLike[str]


def save(
    pipeline_directory: Directory,
    state: Any,
    name: str = "checkpoint.pt",
    *,
    write: Callable[[Any, IO[bytes]], object] | None = None,
) -> Path:
    """Save a checkpoint in a trial's folder, in place of the last one.

    Atomic: a worker that is killed meanwhile, even by a power loss, leaves the last checkpoint whole. Inside
    run_pipeline it first looks whether the trial was taken over by another worker; then nothing is replaced, and
    run_pipeline is interrupted (in other threads and child processes an error is raised). Where the storage fails there
    (a full disk, a quota, an outage) it tries again for ten leases, and says so; then it raises, and the trial is left
    rather than failed. Anywhere else it just saves.

    Where torchrun has started several ranks that all call `neps.run`, rank 0 saves for all: on the others, `save` looks
    whether the trial is still held, and writes nothing. A name with `{rank}` in it is each rank's own file.

    Args:
        pipeline_directory: as run_pipeline gets it, or any folder that exists.
        state: what to save. By default `torch.save` takes it: a dictionary of `state_dict()`s, random states
            (`torch.get_rng_state()`; of NumPy `generator.bit_generator.state`) and plain values, say. What `load` would
            refuse is saved, with a warning.
        name: the file's name; `{rank}` becomes the number of this process among those of torchrun, 0 without it.
        write: called with `state` and a file that is open for writing bytes, instead of `torch.save`; for example
            `pickle.dump`, `lambda array, file: np.save(file, array)`, or, where a path is needed,
            `lambda model, file: model.save(file.name)`.

    Returns:
        The checkpoint's path.

    Raises:
        neps.errors.StorageError: a CheckpointError: if the storage fails, for longer than is waited. Don't catch it.
        neps.errors.CheckpointError: if it can't be written, or, in a child process, another worker has taken the trial
            over. The last one stays.
        neps.errors.TakenOverError: in other threads than run_pipeline's, if another worker has taken the trial over.
        neps.errors.TimeLimitError: there and in child processes, if max_seconds_per_trial is over.
        neps.errors.ArgumentError: if `pipeline_directory` isn't a path, `name` isn't a plain file name, or it is one
            that neps itself uses.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> save(folder, {"epoch": 3}).name
        'checkpoint.pt'
        >>> load(folder)
        {'epoch': 3}
        >>> _ = save(folder, b"notes", "notes.txt", write=lambda text, file: file.write(text))
        >>> load(folder, name="notes.txt", read=lambda file: file.read())
        b'notes'
    """
    path = Path(_folder(pipeline_directory), _checked(of_rank(name)))
    _go_on()
    if RANK not in name and (attempt := attempt_in(str(path.parent))) is not None and not attempt.is_rank_zero:
        _leave_to_rank_zero(path, attempt)
        return path
    with _said_why_not_saved(path):
        _replace(path, lambda file: (write or _torch_save)(state, file))
    if write is None:
        _warn_of(name, _refused(path))
    return path


def load(
    pipeline_directory: Directory,
    previous_pipeline_directory: Directory | None = None,
    name: str = "checkpoint.pt",
    *,
    default: Any = None,
    read: Callable[[IO[bytes]], Any] | None = None,
    weights_only: bool = True,
) -> Any:
    """Load the checkpoint that a trial goes on from: its own, or else that of the trial which it continues.

    Its own is there if an earlier attempt at it died or was interrupted; that one had gone on from the other.

    Args:
        pipeline_directory: as run_pipeline gets it, or any folder.
        previous_pipeline_directory: the same; None, if the trial continues no other.
        name: the file's name, as `save` got it.
        default: what to return where there is no checkpoint. None, if you don't say.
        read: called with a file that is open for reading bytes, instead of `torch.load`; for example `pickle.load`, or,
            where a path is needed, `lambda file: Model.load(file.name)`.
        weights_only: whether `torch.load` refuses all but tensors, containers and plain values, so that no code in the
            file can run. Pass False to load any object, if you trust everybody who can write there. Tensors come to
            the CPU, from whichever device they were saved; `load_state_dict` moves them.

    Returns:
        What was saved, or `default`.

    Raises:
        neps.errors.CheckpointError: if a checkpoint is there and can't be read.
        neps.errors.ArgumentError, neps.errors.TakenOverError, neps.errors.TimeLimitError: as `save`.

    Example:
        >>> import tempfile
        >>> own, previous = tempfile.mkdtemp(), tempfile.mkdtemp()
        >>> load(own, default={"epoch": 0})
        {'epoch': 0}
        >>> _ = save(previous, {"epoch": 3})
        >>> load(own, previous)
        {'epoch': 3}
        >>> _ = save(own, {"epoch": 7})
        >>> load(own, previous)
        {'epoch': 7}
    """
    name = _checked(of_rank(name))
    folders = [_folder(pipeline_directory)]
    if previous_pipeline_directory is not None:
        folders.append(_folder(previous_pipeline_directory))
    _go_on(loads=True)
    for folder in folders:
        with _said_why_not_read(Path(folder, name)):
            found = _read(folder, name, read or functools.partial(_torch_load, weights_only=weights_only))
        if found is not None:
            return found[0]
    if previous_pipeline_directory is not None:
        message = (
            "There is no %s in %s, the trial that this one continues, nor in its own folder: it starts from scratch."
        )
        _logger.warning(message, name, previous_pipeline_directory)
    return default


def _go_on(*, loads: bool = False) -> None:
    """Go on only where the evaluation does, here or in the process that has started this one."""
    check(loads=loads)
    check_time(loads=loads)


def _read(folder: str, name: str, read: Callable[[IO[bytes]], Any]) -> tuple[Any] | None:
    """The checkpoint in one folder, which may be any object; None if there is none."""
    file = files.open_to_read(folder, name)
    if file is None:
        return None
    with file:
        state = read(file)
    if (attempt := attempt_in(folder)) is not None:
        attempt.loaded = True
    return (state,)


def _leave_to_rank_zero(path: Path, attempt: Evaluation) -> None:
    """On another rank of the same training: rank 0 saves this, at about the same time."""
    check_open(str(path.parent))
    if path in attempt.skipped and not path.exists():
        _logger.warning(
            "%s is saved by no rank: neps.checkpoint.save writes it on rank 0 alone, and is called on this one again. "
            "Call it on rank 0, too; or put {rank} into the name, for a file of each rank.",
            path,
        )
    attempt.skipped.add(path)


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a checkpoint, and leave a sign of progress where an attempt does so."""
    attempt = attempt_in(str(path.parent))
    begins = not os.path.lexists(path)
    compare = attempt is not None and not attempt.advanced and not begins
    differs = _try_to_replace(path, write, attempt, compare=compare)
    if attempt is not None:
        attempt.recover()
        if not attempt.advanced and (begins or (attempt.loaded and differs)):
            attempt.advance()


def _try_to_replace(
    path: Path, write: Callable[[IO[bytes]], object], attempt: Evaluation | None, *, compare: bool
) -> bool:
    """In an evaluation, for long where the storage fails; not on the way out, and not when that was in vain before."""
    folder, interrupted = str(path.parent), _interruption(sys.exception())
    outage = Outage(_logger, 0.0 if attempt is None or interrupted is not None else attempt.patience_left)
    while True:
        try:
            return files.replace_checkpoint(folder, path.name, write, lambda: check_open(folder), compare=compare)
        except files.WriteError as error:
            _let_out(error, interrupted)
            pause = outage.failed(f"{path} can't be saved", error.failure)
            if pause is None:
                raise _stalled(path, error, attempt, outage.seconds) from error.failure
        except files.EmptyError as error:
            raise CheckpointError(
                f"{path} can't be saved: write has written nothing into the file that it was given.{_rest(path)} Have "
                "it write there, or by its name, file.name, as it is."
            ) from error
        except Exception as error:
            _let_out(error, interrupted)
            raise
        _sleep(pause)
        check_open(folder)


def _let_out(error: Exception, interrupted: BaseException | None) -> None:
    """Raise what struck while a library wrote, which hides it behind its own error, unless that was there before."""
    struck = _interruption(error)
    if struck is not None and interrupted is None:
        raise struck from error


def _interruption(error: BaseException | None) -> BaseException | None:
    return next((seen for seen in behind(error) if not isinstance(seen, Exception)), None)


def _sleep(seconds: float) -> None:
    """In pieces: an exception that another thread raises here strikes between them."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))


def _stalled(path: Path, error: files.WriteError, attempt: Evaluation | None, seconds: float) -> StorageError:
    what = f"{path} can't be saved: {_gist(error.failure)}."
    if attempt is None:
        return StorageError(f"{what}{_rest(path)} {advice(error.failure)}")
    attempt.stall(error.size)
    return StorageError(
        f"{what}{_rest(path)} Tried for {seconds:.0f} s. The trial is handed back once run_pipeline ends, and resumed "
        f"when about {shown_size(error.size)} can be written again. {advice(error.failure)}"
    )


def _rest(path: Path) -> str:
    return " The last checkpoint is still there." if os.path.exists(path) else ""  # noqa: PTH110 - never raises


def _folder(directory: Directory) -> str:
    if not isinstance(directory, str | os.PathLike):
        raise ArgumentError(
            f"the folder of a checkpoint is {directory!r}; it must be a path, such as pipeline_directory, which "
            "run_pipeline gets if its signature names it. Only the second folder of load may be None: "
            "load(pipeline_directory, previous_pipeline_directory)."
        )
    return os.path.abspath(directory)  # noqa: PTH100 - not resolved: messages name what the user knows


def _checked(name: str) -> str:
    if isinstance(name, str) and is_ledger_name(name):
        raise ArgumentError(f"a checkpoint can't be called {name!r}, a name that neps itself uses. Choose another.")
    if not isinstance(name, str) or not files.is_checkpoint_name(name):
        raise ArgumentError(
            f"a checkpoint's name is {name!r}; it must be a plain file name that doesn't begin with a dot, such as "
            "'checkpoint.pt'. Folders go into the first argument: pipeline_directory / 'folder'."
        )
    return name


@contextlib.contextmanager
def _said_why_not_saved(path: Path) -> Iterator[None]:
    try:
        yield
    except (CheckpointError, TakenOverError):
        raise
    except Exception as error:
        if not path.parent.is_dir():
            raise CheckpointError(
                f"there is no folder {path.parent} to save {path.name} in. neps doesn't make it: pass "
                "pipeline_directory, or make the folder first."
            ) from error
        raise CheckpointError(f"{path} can't be saved: {_gist(error)}.{_rest(path)}") from error


@contextlib.contextmanager
def _said_why_not_read(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if refused := _REFUSED.search(str(error)):
            raise CheckpointError(
                f"{path} holds {refused[1]}, which is not loaded by default, since code in it could run. If you trust "
                "everybody who can write there, pass weights_only=False; or save only state_dict()s and plain values."
            ) from error
        raise CheckpointError(
            f"{path} can't be read: {_gist(error)}. It is damaged, or it was saved in another way than it is now read. "
            "To go on without it, move it away."
        ) from error


def _gist(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _torch_save(state: Any, file: IO[bytes]) -> None:
    import torch

    torch.save(state, file)


def _refused(path: Path) -> tuple[str, ...]:
    """What in a file of torch.save `load` refuses by default. Nothing is loaded for that."""
    from torch import serialization

    with contextlib.suppress(Exception):  # it may be gone again, and is no reason to fail: it has been saved
        return tuple(sorted(serialization.get_unsafe_globals_in_checkpoint(path)))
    return ()


@functools.cache
def _warn_of(name: str, refused: tuple[str, ...]) -> None:
    """Once in a process: the next checkpoint will hold the same."""
    if refused:
        _logger.warning(
            "%s holds %s, which neps.checkpoint.load refuses without weights_only=False. Pass that, or save tensors "
            "and plain values: float(number), torch.from_numpy(array), str(path).",
            name,
            ", ".join(refused),
        )


def _torch_load(file: IO[bytes], *, weights_only: bool) -> Any:
    import zipfile

    import torch

    # torch goes by the first bytes, and hands all but a zip to loaders for old formats: a bare pickle, or a tar.
    if file.read(len(_ZIP)) != _ZIP or not zipfile.is_zipfile(file):
        raise ValueError("it is not a file of torch.save, or its end is missing")
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=weights_only)
