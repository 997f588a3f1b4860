"""A process that runs the stages of jobs, as a cluster's workers do; writes its address and runs until it is killed."""

from __future__ import annotations

import sys

from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

import beam_jobs.pipeline  # noqa: F401 - so that the first job does not wait for it

address, server = BeamFnExternalWorkerPoolServicer.start(use_process=False)
sys.stdout.write(f"{address}\n")
sys.stdout.flush()
server.wait_for_termination()
