"""How a batch travels where a runner splits the chain; in a fused chain it never does.

Beam asks every element for its size now and then, and by default finds it by encoding the whole element: for a batch
that costs as much as landing it. This coder tells the size without encoding.
"""

from __future__ import annotations

import pickle

import apache_beam as beam

from beam_jobs.batch import Batch

EVENT_BYTES = 256


class BatchCoder(beam.coders.Coder):
    """Pickles a batch; knows its size without."""

    def encode(self, value: Batch) -> bytes:
        """The batch as bytes."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> Batch:
        """The batch again."""
        batch: Batch = pickle.loads(encoded)
        return batch

    def estimate_size(self, value: Batch) -> int:
        """About how many bytes its columns take, at the size of a usual event; Beam only weighs elements by it."""
        return EVENT_BYTES * value.events.height

    def is_deterministic(self) -> bool:
        """Batches are never keys."""
        return False


def register_batch_coder() -> None:
    """Make Beam use it for every batch; called where a pipeline is built."""
    beam.coders.registry.register_coder(Batch, BatchCoder)
