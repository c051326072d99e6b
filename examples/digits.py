"""Tune a small PyTorch network on scikit-learn's handwritten digits.

Start it in as many terminals as you like, whenever you like; all of them work on the same search:

    python examples/digits.py

or on a cluster (`exec` lets SLURM's signals reach Python, so that a job that is stopped leaves politely):

    sbatch --array=0-7 --cpus-per-task=1 --wrap "exec python examples/digits.py"

Here, two worker processes at once, with a report when they are done:

    python examples/digits.py --workers 2
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

import neps

EPOCHS = 120
BATCH_SIZE = 32
TRAINING_IMAGES = 1200  # the other 597 are for validation

pipeline_space = {
    "learning_rate": neps.Float(1e-4, 1.0, log=True, default=1e-3),
    "weight_decay": neps.Float(1e-6, 1e-1, log=True, default=1e-4),
    "width_1": neps.Integer(8, 256, log=True, default=32),
    "width_2": neps.Integer(8, 256, log=True, default=32),
    "dropout": neps.Float(0.0, 0.6, default=0.2),
    "activation": neps.Categorical(["relu", "tanh", "gelu"], default="tanh"),
    "optimizer": neps.Categorical(["sgd", "adamw", "rmsprop"], default="sgd"),
}


def run_pipeline(pipeline_directory: Path, optimizer: str, learning_rate: float, **config: Any) -> dict[str, Any]:
    """Train one network and return its validation error: this is what neps minimizes.

    A worker that is killed leaves its checkpoint in `pipeline_directory`; whoever takes the trial over goes on
    from there, and comes to the same error.
    """
    torch.manual_seed(0)  # the first weights, the order of the images, dropout
    training, validation = load_images()
    model = build_model(config["width_1"], config["width_2"], config["activation"], config["dropout"])
    steps = build_optimizer(optimizer, model, learning_rate, config["weight_decay"])

    checkpoint = pipeline_directory / "checkpoint.pt"
    first_epoch = load_checkpoint(checkpoint, model, steps)
    for epoch in range(first_epoch, EPOCHS):
        train_one_epoch(model, steps, *training)
        if (epoch + 1) % 10 == 0:
            save_checkpoint(checkpoint, epoch + 1, model, steps)

    return {
        "loss": error_rate(model, *validation),
        "info_dict": {"training_error": error_rate(model, *training), "first_epoch": first_epoch},
    }


def load_images() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """The images (rows of 64 pixels in 0 … 1) and labels for training, and those for validation: always the same."""
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    training, validation = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return (images[training], labels[training]), (images[validation], labels[validation])


def build_model(width_1: int, width_2: int, activation: str, dropout: float) -> nn.Sequential:
    """A network with two hidden layers."""
    activate = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[activation]
    return nn.Sequential(
        *(nn.Linear(64, width_1), activate(), nn.Dropout(dropout)),
        *(nn.Linear(width_1, width_2), activate(), nn.Dropout(dropout)),
        nn.Linear(width_2, 10),
    )


def build_optimizer(name: str, model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimizer of that name, with what it has to be told."""
    if name == "sgd":
        return torch.optim.SGD(model.parameters(), learning_rate, momentum=0.9, weight_decay=weight_decay)
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    return torch.optim.RMSprop(model.parameters(), learning_rate, weight_decay=weight_decay)


def train_one_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """Show each image once, in a new order."""
    model.train()
    for batch in torch.randperm(len(images)).split(BATCH_SIZE):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()


def error_rate(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images that the network takes for another digit."""
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(dim=1) != labels).double().mean())


def save_checkpoint(path: Path, epoch: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write beside, then replace: a worker that is killed in the middle leaves the old checkpoint whole."""
    state = {
        "epoch": epoch,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restore everything from the checkpoint, if there is one, and return the epoch to go on with."""
    if not path.exists():
        return 0
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    return int(state["epoch"])


def work(root_directory: Path, evaluations: int) -> None:
    """Be one worker: evaluate configurations until all workers together have done `evaluations`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)  # one core for each worker: more workers, not more threads
    neps.run(
        run_pipeline=run_pipeline,
        pipeline_space=pipeline_space,
        root_directory=root_directory,
        max_evaluations_total=evaluations,
        searcher="bayesian_optimization",
        sample_default_first=True,
    )


def launch(workers: int, root_directory: Path, evaluations: int) -> None:
    """Start this script `workers` times, wait, and report. Ctrl-C ends all of them."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # like Ctrl-C
    command = [sys.executable, __file__, f"--root-directory={root_directory}", f"--evaluations={evaluations}"]
    # In process groups of their own they don't see Ctrl-C themselves, but the polite SIGTERM below.
    processes = [subprocess.Popen(command, process_group=0) for _ in range(workers)]
    try:
        failed = [process.pid for process in processes if process.wait() != 0]
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        sys.exit(f"\nStopped. The same command goes on where it stopped, in {root_directory}")
    if failed:
        sys.exit(f"\n{len(failed)} of {workers} workers failed: see above. What is done is kept in {root_directory}")
    report(neps.load(root_directory), root_directory)


def report(history: neps.History, root_directory: Path) -> None:
    """Print the best configuration beside the default one, which was the first trial, and where everything lies."""
    best, default = history.best, history.trials[0]
    if best is None or best.loss is None or default.loss is None:
        sys.exit(f"\nThere is nothing to compare: see the errors in {root_directory}")
    print(f"\nAll {len(history.succeeded)} evaluations are done. The best configuration is number {best.number}:\n")
    print(f"  {'':18}{'best':>10}{'default':>12}")
    for name, value in best.config.items():
        print(f"  {name:18}{shown(value):>10}{shown(default.config[name]):>12}")
    print(f"  {'validation error':18}{best.loss:>10.2%}{default.loss:>12.2%}")
    print(f"\nEverything lies in {root_directory}")
    print(f"The best network:  {root_directory / f'config_{best.number}' / 'checkpoint.pt'}")
    print(f"All trials:        {root_directory / 'summary' / 'trials.csv'}")
    print(f"How it stands:     {sys.executable} -m neps status {root_directory}")


def shown(value: object) -> str:
    """A parameter's value, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune a small network on handwritten digits.")
    parser.add_argument("--root-directory", type=Path, default=Path("results/digits"), help="what the workers share")
    parser.add_argument("--evaluations", type=int, default=28, help="of all workers together")
    parser.add_argument("--workers", type=int, default=None, help="start so many workers, and report at the end")
    options = parser.parse_args()
    if options.workers is None:
        work(options.root_directory, options.evaluations)
    else:
        launch(options.workers, options.root_directory.absolute(), options.evaluations)


if __name__ == "__main__":
    main()
