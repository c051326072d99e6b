"""Tune a small convolutional network, in PyTorch, on scikit-learn's handwritten digits, over epochs.

Most configurations show after an epoch or two that they are no good. So epochs are a fidelity: neps trains many
configurations for a few epochs, and continues the best of them, from their checkpoints, for more.

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
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

import neps

EPOCHS = 27
TRAINING_IMAGES = 1200  # the other 597 are for validation

pipeline_space = {
    "epochs": neps.Integer(1, EPOCHS, is_fidelity=True),
    "learning_rate": neps.Float(1e-4, 1.0, log=True),
    "momentum": neps.Float(0.0, 0.99),
    "weight_decay": neps.Float(1e-6, 1e-1, log=True),
    "batch_size": neps.Integer(16, 256, log=True),
    "channels": neps.Integer(2, 16, log=True),
    "dropout": neps.Float(0.0, 0.6),
    "activation": neps.Categorical(["relu", "tanh", "gelu"]),
}


def run_pipeline(
    pipeline_directory: Path, previous_pipeline_directory: Path | None, epochs: int, **config: Any
) -> dict[str, Any]:
    """Train one network for so many epochs in all, and return its validation error: this is what neps minimizes.

    A promoted trial goes on where the previous one stopped; one whose worker was killed goes on from its own last
    checkpoint. Both come to exactly the weights of a training that nothing interrupts.
    """
    torch.manual_seed(0)  # the first weights, the order of the images, dropout
    training, validation = load_images()
    model, optimizer = build(**config)

    first_epoch = 0
    if state := neps.checkpoint.load(pipeline_directory, previous_pipeline_directory):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        first_epoch = state["epoch"]

    for epoch in range(first_epoch + 1, epochs + 1):
        train_one_epoch(model, optimizer, config["batch_size"], *training)
        neps.report(epoch, error_rate(model, *validation))
        state = {
            "epoch": epoch,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        neps.checkpoint.save(pipeline_directory, state)

    return {
        "loss": error_rate(model, *validation),
        "info_dict": {"training_error": error_rate(model, *training), "first_epoch": first_epoch},
    }


def load_images() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """The images (8 × 8 pixels in 0 … 1) and labels for training, and those for validation: always the same."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    training, validation = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return (images[training], labels[training]), (images[validation], labels[validation])


def build(**config: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network with two convolutional layers, and what trains it."""
    activate = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[config["activation"]]
    channels = config["channels"]
    model = nn.Sequential(
        *(nn.Conv2d(1, channels, 3, padding=1), activate(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3, padding=1), activate(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(config["dropout"]), nn.Linear(8 * channels, 10)),
    )
    optimizer = torch.optim.SGD(
        model.parameters(), config["learning_rate"], config["momentum"], weight_decay=config["weight_decay"]
    )
    return model, optimizer


def train_one_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch_size: int, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """Show each image once, in a new order."""
    model.train()
    for batch in torch.randperm(len(images)).split(batch_size):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()


def error_rate(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images that the network takes for another digit."""
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(dim=1) != labels).double().mean())


def work(root_directory: Path, trainings: float) -> None:
    """Be one worker, until all workers together have trained as many epochs as so many full trainings have."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)  # one core for each worker: more workers, not more threads
    neps.run(
        run_pipeline=run_pipeline,
        pipeline_space=pipeline_space,
        root_directory=root_directory,
        max_fidelity_total=trainings * EPOCHS,
    )


def launch(workers: int, root_directory: Path, trainings: float) -> None:
    """Start this script `workers` times, wait, and report. Ctrl-C ends all of them."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # like Ctrl-C
    command = [sys.executable, __file__, f"--root-directory={root_directory}", f"--trainings={trainings}"]
    # In process groups of their own they don't see Ctrl-C themselves, but the polite SIGTERM below.
    processes = [subprocess.Popen(command, process_group=0) for _ in range(workers)]
    try:
        failed = [process.returncode for process in processes if process.wait() != 0]
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        sys.exit(f"\nStopped. The same command goes on where it stopped, in {root_directory}")
    if failed:
        print(
            f"\n{len(failed)} of {workers} workers failed (exit status {', '.join(map(str, failed))}).", file=sys.stderr
        )
    if len(failed) == workers:
        sys.exit(f"See above. What is done is kept in {root_directory}")
    report(neps.load(root_directory), root_directory)


def report(history: neps.History, root_directory: Path) -> None:
    """Print how the best network came about, what continuing has saved, and where everything lies."""
    best, spent = history.best, history.fidelity_spent
    if best is None or spent is None:
        sys.exit(f"\nNothing was trained: see the errors in {root_directory}")
    print("\nThe best network so far (of those trained for the most epochs), after so many full trainings:\n")
    print("  full trainings   its epochs   its validation error (bars: logarithmic)")
    for trainings, incumbent in anytime_curve(history):
        error = incumbent.loss or 0.0
        print(f"  {trainings:14.1f}{incumbent.fidelity:13g}{error:10.2%}  {bar(error)}")
    begun = sum(trial.previous is None for trial in history.trials)
    saved = 1 - spent.continued / spent.from_scratch
    print(f"\n{begun} configurations were tried, for the price of {spent.continued / EPOCHS:.1f} full trainings.")
    print(f"The {spent.trials} trials took {spent.continued:g} epochs. From scratch they would have taken")
    print(f"{spent.from_scratch:g}: continuing from checkpoints saved {saved:.0%}.")
    print(f"\nThe best configuration is number {best.number}:\n")
    for name, value in best.config.items():
        print(f"  {name:18}{f'{value:.3g}' if isinstance(value, float) else value:>10}")
    print(f"\nAll files are in {root_directory}")
    print(f"The best network:  {root_directory / f'config_{best.number}' / 'checkpoint.pt'}")
    print(f"All trials:        {root_directory / 'summary' / 'trials.csv'}")
    print(f"Status:            {sys.executable} -m neps status {root_directory}")


def anytime_curve(history: neps.History) -> list[tuple[float, neps.Trial]]:
    """The incumbent each time that another full training's epochs were spent, and at the end."""
    curve: list[tuple[float, neps.Trial]] = []
    spent, incumbent = 0.0, None
    for trial in sorted(history.succeeded, key=lambda trial: str(trial.finished)):
        previous = history.by_number.get(trial.previous or 0)
        spent += ((trial.fidelity or 0) - (previous.fidelity or 0 if previous else 0)) / EPOCHS
        incumbent = trial if incumbent is None else min(trial, incumbent, key=lambda trial: trial.incumbent_key)
        if not curve or spent >= curve[-1][0] + 1:
            curve.append((spent, incumbent))
    return curve if incumbent is None or curve[-1] == (spent, incumbent) else [*curve, (spent, incumbent)]


def bar(error: float) -> str:
    """Longer by the same for each factor of the error, from 0.1 % on."""
    return "█" * round(15 * (3 + math.log10(max(error, 0.001))))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tune a small convolutional network on handwritten digits.")
    parser.add_argument("--root-directory", type=Path, default=Path("results/digits"), help="what the workers share")
    parser.add_argument("--trainings", type=float, default=14, help="for how many, in epochs, all workers together")
    parser.add_argument("--workers", type=int, default=None, help="start so many workers, and report at the end")
    options = parser.parse_args()
    if options.workers is None:
        work(options.root_directory, options.trainings)
    else:
        launch(options.workers, options.root_directory.absolute(), options.trainings)


if __name__ == "__main__":
    main()
