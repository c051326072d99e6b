"""Tune a tiny language model, trained by the Trainer of Hugging Face Transformers, over epochs. Nothing is downloaded.

Start it in as many terminals as you like; kill it, and start it again:

    python examples/transformers_sentences.py

Or have two processes train each model together (see docs/distributed.md):

    torchrun --standalone --nproc-per-node=2 examples/transformers_sentences.py

It needs Transformers and Accelerate: pip install 'neps[transformers]'
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments
from transformers.utils.logging import disable_progress_bar

import neps
from neps.integrations.transformers import NepsCallback

EPOCHS = 9
WORDS = 16  # in the vocabulary
LENGTH = 12  # words in a sentence
LAWFUL = 0.9  # of the words

pipeline_space = {
    "epochs": neps.Integer(1, EPOCHS, is_fidelity=True),
    "learning_rate": neps.Float(1e-4, 1e-1, log=True),
    "weight_decay": neps.Float(1e-4, 1e-1, log=True),
    "dropout": neps.Float(0.0, 0.3),
    "heads": neps.Categorical([1, 2, 4]),
}


class Sentences(Dataset[dict[str, torch.Tensor]]):
    """Sentences of a made-up language: most words are the sum of the two before them."""

    def __init__(self, sentences: int, seed: int) -> None:
        """The same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        self._words = torch.randint(WORDS, (sentences, LENGTH), generator=generator)
        lawful = torch.rand(sentences, LENGTH, generator=generator) < LAWFUL
        for place in range(2, LENGTH):
            following = self._words[:, place - 2 : place].sum(dim=1) % WORDS
            self._words[:, place] = torch.where(lawful[:, place], following, self._words[:, place])

    def __len__(self) -> int:
        """How many there are."""
        return len(self._words)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        """What the model learns to continue is the sentence itself."""
        return {"input_ids": self._words[place], "labels": self._words[place]}


def run_pipeline(
    pipeline_directory: Path,
    previous_pipeline_directory: Path | None,
    epochs: int,
    dropout: float,
    heads: int,
    **config: Any,
) -> float:
    """Train for so many epochs in all, and return the last loss on other sentences.

    A promoted trial goes on where the previous one stopped; one whose worker was killed, after its last whole epoch.
    """
    resuming = NepsCallback(pipeline_directory, previous_pipeline_directory)
    with tempfile.TemporaryDirectory() as folder:  # neps keeps the checkpoint
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=32,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            lr_scheduler_type="constant",  # others end with the last epoch, which a promotion puts off
            seed=0,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            **config,
        )
        trainer = Trainer(
            model_init=lambda: model(dropout, heads),
            args=arguments,
            train_dataset=Sentences(256, seed=1),
            eval_dataset=Sentences(128, seed=2),
            callbacks=[resuming],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=resuming.resume_from_checkpoint(folder))
    return resuming.loss


def model(dropout: float, heads: int) -> GPT2LMHeadModel:
    """One layer of a transformer, with random weights."""
    size: dict[str, Any] = {"vocab_size": WORDS, "n_positions": LENGTH, "n_embd": 32, "n_layer": 1, "n_head": heads}
    rates: dict[str, Any] = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
    return GPT2LMHeadModel(GPT2Config(**size, **rates, bos_token_id=0, eos_token_id=0))


def main() -> None:
    """Be one worker."""
    parser = argparse.ArgumentParser(description="Tune a tiny language model that Transformers trains.")
    parser.add_argument("--root-directory", type=Path, default=Path("results/transformers"), help="what workers share")
    parser.add_argument("--epochs-total", type=int, default=10 * EPOCHS, help="for how many epochs all workers train")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    disable_progress_bar()  # type: ignore[no-untyped-call]
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
