"""Tune a small network, trained by PyTorch Lightning, over epochs. Nothing is downloaded.

Start it in as many terminals as you like; kill it, and start it again:

    python examples/lightning_spirals.py

Or have two processes train each network together (see docs/distributed.md):

    torchrun --standalone --nproc-per-node=2 examples/lightning_spirals.py

It needs Lightning: pip install 'neps[lightning]'
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import neps
from neps.integrations.lightning import NepsCallback

EPOCHS = 9

pipeline_space = {
    "epochs": neps.Integer(1, EPOCHS, is_fidelity=True),
    "learning_rate": neps.Float(1e-4, 1e-1, log=True),
    "width": neps.Integer(8, 64, log=True),
    "dropout": neps.Float(0.0, 0.5),
}


class Network(pl.LightningModule):
    """Tells two spirals apart."""

    def __init__(self, learning_rate: float, width: int, dropout: float) -> None:
        """Of so many hidden units in each of two layers."""
        super().__init__()
        self.save_hyperparameters()
        self.learning_rate = learning_rate
        self.layers = nn.Sequential(
            *(nn.Linear(2, width), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)),
        )

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch."""
        points, labels = batch
        return nn.functional.cross_entropy(self.layers(points), labels)

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        """Log what neps minimises."""
        points, labels = batch
        self.log("val_loss", nn.functional.cross_entropy(self.layers(points), labels), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Adam, whose learning rate falls from epoch to epoch."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)]


def run_pipeline(
    pipeline_directory: Path, previous_pipeline_directory: Path | None, epochs: int, **config: Any
) -> float:
    """Train for so many epochs in all, and return the last validation loss.

    A promoted trial goes on where the previous one stopped; one whose worker was killed, after its last whole epoch.
    """
    pl.seed_everything(0, verbose=False)  # the first weights, the order of the points, dropout
    resuming = NepsCallback(pipeline_directory, previous_pipeline_directory, monitor="val_loss")
    ranks, nodes = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=ranks,
        num_nodes=nodes,
        strategy="ddp" if ranks * nodes > 1 else "auto",
        max_epochs=epochs,
        callbacks=[resuming],
        logger=False,
        enable_checkpointing=False,  # neps keeps the checkpoint
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    training, validation = spirals(512, seed=1), spirals(256, seed=2)
    trainer.fit(
        Network(**config),
        DataLoader(training, batch_size=64, shuffle=True),
        DataLoader(validation, batch_size=256),
        ckpt_path=resuming.ckpt_path,
    )
    return resuming.loss


def spirals(points: int, seed: int) -> TensorDataset:
    """Points of two noisy spirals, one inside the other, and to which they belong."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (points,), generator=generator)
    radius = torch.rand(points, generator=generator).sqrt()
    angle = 3 * math.pi * radius + math.pi * labels
    noise = 0.05 * torch.randn(points, 2, generator=generator)
    return TensorDataset(torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1) + noise, labels)


def main() -> None:
    """Be one worker."""
    parser = argparse.ArgumentParser(description="Tune a network that PyTorch Lightning trains.")
    parser.add_argument("--root-directory", type=Path, default=Path("results/lightning"), help="what workers share")
    parser.add_argument("--epochs-total", type=int, default=10 * EPOCHS, help="for how many epochs all workers train")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # else it says much at each trial
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # the data are in memory
    torch.set_num_threads(1)
    neps.run(
        run_pipeline=run_pipeline,
        pipeline_space=pipeline_space,
        root_directory=options.root_directory,
        max_fidelity_total=options.epochs_total,
    )
    neps.status(options.root_directory)


if __name__ == "__main__":
    main()
