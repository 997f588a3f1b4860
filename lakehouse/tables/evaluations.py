"""The table `evaluations`: how well each recommender did, by split and metric."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.spec import TIME, TableSpec, required

EVALUATIONS = TableSpec(
    name="evaluations",
    grain="one row per evaluation, recommender, split and metric",
    key=("evaluation_id", "recommender", "split", "metric"),
    built_from=("interactions", "items"),
    columns=(
        required("evaluation_id", pa.string(), "the run that measured it", personal=False),
        required("evaluated_at", TIME, "when", personal=False),
        required("recommender", pa.string(), "which recommender", personal=False),
        required("split", pa.string(), "how train and test were split", personal=False),
        required("metric", pa.string(), "which figure", personal=False),
        required("k", pa.int32(), "length of the list", personal=False),
        required("value", pa.float64(), "the figure", personal=False),
        required("users", pa.int32(), "how many people it is over", personal=False),
        required("parameters", pa.string(), "JSON: the recommender's parameters", personal=False),
    ),
)
