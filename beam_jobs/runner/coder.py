"""The Beam coder of batches; used for their bytes only where a runner does not fuse the chain.

Beam samples the size of elements, by default by encoding them; for a batch that costs as much as landing it. This coder
estimates the size without encoding.
"""

from __future__ import annotations

import pickle

import apache_beam as beam

from beam_jobs.batch import Batch

EVENT_BYTES = 256


class BatchCoder(beam.coders.Coder):
    """Pickles a batch; estimates its size without."""

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
    """Register it with Beam; called where a pipeline is built."""
    beam.coders.registry.register_coder(Batch, BatchCoder)
