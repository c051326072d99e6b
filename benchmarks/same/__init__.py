"""Whether a later version of ours decides as the one whose runs are recorded: `scripts/bench same`."""
