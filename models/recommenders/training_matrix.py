"""Interactions and histories as the array kernels read them."""

from __future__ import annotations

import numpy as np
import polars as pl

from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import FULL_PREFERENCE, weighed
from models.recommenders.kernels.matrix import PreferenceMatrix
from models.recommenders.popularity import NEUTRAL_SHARE
from models.recommenders.training_data import MICROSECONDS


def preference_matrix(interactions: pl.DataFrame, items: ItemIndex) -> PreferenceMatrix:
    """Interactions that carry weight, subjects sorted; times are NaN where all are the same and so say nothing."""
    index = pl.DataFrame(
        {"item_id": list(items.ids), "position": np.arange(len(items), dtype=np.int32)},
        schema={"item_id": pl.String, "position": pl.Int32},
    )
    wanted_at = pl.col("wanted_at") if "wanted_at" in interactions.columns else pl.lit(None)
    moment = pl.when(pl.col("preference") < 0).then(pl.col("last_at")).otherwise(pl.coalesce(wanted_at, "last_at"))
    liked = (pl.col("preference") / FULL_PREFERENCE).clip(0.0, 1.0)
    stated = NEUTRAL_SHARE + (1.0 - NEUTRAL_SHARE) * liked
    rows = (
        interactions.filter(pl.col("weight") > 0)
        .join(index, on="item_id", how="inner")
        .select(
            user=(pl.col("subject").rank("dense") - 1).cast(pl.Int64),
            item="position",
            preference=pl.col("preference").cast(pl.Float32),
            weight=pl.col("weight").cast(pl.Float32),
            at=moment.dt.epoch("us") / MICROSECONDS,
            wanted=pl.when(pl.col("preference") < 0)
            .then(0.0)
            .when(pl.col("explicit").is_null())
            .then(1.0)
            .otherwise(stated)
            .cast(pl.Float32),
        )
    )
    at = rows["at"].to_numpy().astype(np.float64)
    if len(at) and at.min() == at.max():
        at = np.full(len(at), np.nan)
    users = rows["user"].to_numpy()
    return PreferenceMatrix.from_columns(
        users, rows["item"].to_numpy(), rows["preference"].to_numpy(), rows["weight"].to_numpy(), at,
        rows["wanted"].to_numpy(), n_users=int(users.max()) + 1 if len(users) else 0, n_items=len(items),
    )  # fmt: skip


def history_matrix(histories: InteractionMatrix, n_items: int, rows: slice | None = None) -> PreferenceMatrix:
    """Histories to fold in, which needs no times; touches without weight are kept, so that they stay unlisted."""
    chosen = rows or slice(0, len(histories))
    span = slice(int(histories.indptr[chosen.start]), int(histories.indptr[chosen.stop]))
    preference, weight = histories.preference_and_weight
    count = span.stop - span.start
    return PreferenceMatrix(
        indptr=histories.indptr[chosen.start : chosen.stop + 1] - span.start,
        items=histories.items[span],
        preference=preference[span].astype(np.float32),
        weight=weight[span].astype(np.float32),
        at=np.full(count, np.nan),
        wanted=np.ones(count, dtype=np.float32),
        n_items=n_items,
    )


def one_history(history: History, items: ItemIndex) -> PreferenceMatrix:
    """One person to fold in; empty where the items are unknown."""
    places, explicit, implicit = history.columns(items)
    preference, weight = weighed(explicit, implicit)
    count = len(places)
    return PreferenceMatrix(
        np.array([0, count], dtype=np.int64), places, preference.astype(np.float32), weight.astype(np.float32),
        np.full(count, np.nan), np.ones(count, dtype=np.float32), len(items),
    )  # fmt: skip
