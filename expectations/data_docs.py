"""Data Docs: Great Expectations' own pages of the suites and what the last validation found."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from expectations.suite import Suite
from expectations.validation import EXAMPLES, gx_expectation, open_context, pandas_frame, quiet_library
from feedback.errors import HomeError

SITE = "heed"


@dataclass(frozen=True, slots=True)
class DocumentedSuite:
    """One suite in the docs: how many of its expectations were met."""

    suite: str
    expectations: int
    met: int
    rows: int


def write_data_docs(
    folder: Path, frames: Mapping[Suite, pl.DataFrame], *, catalogue: pl.Series | None = None
) -> list[DocumentedSuite]:
    """Validate each frame and write the site afresh; its front page is `<folder>/index.html`.

    Raises:
        HomeError: The folder cannot be written.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"data docs folder {folder} cannot be written: {error.strerror or error}") from error
    with quiet_library(), contextlib.redirect_stdout(io.StringIO()):
        context = open_context()
        context.add_data_docs_site(SITE, _site(folder))
        documented = [_document(context, suite, rows, catalogue) for suite, rows in frames.items()]
        context.build_data_docs(site_names=[SITE])
    return documented


def _document(
    context: Any,  # noqa: ANN401 - a GX data context
    suite: Suite,
    rows: pl.DataFrame,
    catalogue: pl.Series | None,
) -> DocumentedSuite:
    import great_expectations as gx

    frame = suite.derive(rows.select(suite.columns), catalogue)
    expected = context.suites.add(
        gx.ExpectationSuite(suite.name, expectations=[gx_expectation(r) for r in suite.rules])
    )
    asset = context.data_sources.add_pandas(suite.name).add_dataframe_asset(suite.name)
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name, data=asset.add_batch_definition_whole_dataframe("rows"), suite=expected
        )
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=suite.name,
            validation_definitions=[definition],
            actions=[gx.checkpoint.UpdateDataDocsAction(name="data docs", site_names=[SITE])],
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pandas_frame(frame)})
    results = [result for run in outcome.run_results.values() for result in run.results]
    return DocumentedSuite(suite.name, len(results), sum(bool(result.success) for result in results), frame.height)


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
