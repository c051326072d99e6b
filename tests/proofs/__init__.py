"""The proofs that `scripts/stress` runs, and the tables of docs/reliability.md that it makes of what they found."""
