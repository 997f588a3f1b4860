"""What Spark Structured Streaming does to land the same topic in Delta; run by the peer's own Python.

    python spark_landing.py '{"servers": ..., "topic": ..., "folder": ..., "jars": ...}'

from_json with a schema, range checks with the refused rows in a table of their own, `dropDuplicatesWithinWatermark` on
(subject, id), partitions by day, `availableNow`, every core. Its clock starts with the query, when the session is up,
and stops when the query has ended. It imports nothing of Heed, whose environment it does not have.
"""

import json
import sys
import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everywhere in Spark
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType, StructField, StructType

TEXTS = (
    "id", "kind", "subject", "item_id", "source", "label", "text", "device", "os", "app", "locale", "country", "region",
    "page", "section", "session_id",
)  # fmt: skip
SCHEMA = StructType(
    [
        StructField("v", IntegerType()),
        StructField("occurred_at", LongType()),
        StructField("received_at", LongType()),
        *(StructField(name, DoubleType()) for name in ("value", "scale_min", "scale_max")),
        *(StructField(name, StringType()) for name in TEXTS),
    ]
)
WATERMARK = "30 days"
REQUIRED = ("v", "id", "kind", "subject", "item_id", "occurred_at", "received_at", "source", "value")


def session(jars: str, folder: str) -> SparkSession:
    """Every core; as many shuffle partitions as the topic has partitions, which suits a small machine best."""
    return (
        SparkSession.builder.master("local[*]")
        .config("spark.jars", jars)
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )


def events_of(spark: SparkSession, servers: str, topic: str) -> DataFrame:
    """The topic's lines as columns, each checked, without repeats."""
    lines = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", servers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
    )
    parsed = lines.select(
        F.from_json(F.col("value").cast("string"), SCHEMA).alias("e"),
        F.col("value").cast("string").alias("raw"),
        F.col("partition").alias("log_partition"),
        F.col("offset").alias("log_offset"),
        F.col("timestamp").alias("appended_at"),
    ).select("e.*", "raw", "log_partition", "log_offset", "appended_at")
    broken = (
        (~F.col("value").between(F.col("scale_min"), F.col("scale_max")))
        | (F.length("id") > 128)
        | (F.length("subject") != 32)
        | (F.timestamp_micros("occurred_at") > F.col("appended_at") + F.expr("INTERVAL 5 MINUTES"))
    )
    for name in REQUIRED:
        broken = broken | F.col(name).isNull()
    return (
        parsed.withColumn("broken", F.coalesce(broken, F.lit(True)))
        .withColumn("landed_on", F.to_date("appended_at"))
        .withWatermark("appended_at", WATERMARK)
        .dropDuplicatesWithinWatermark(["subject", "id"])
    )


def land(asked: dict[str, str]) -> dict[str, float]:
    """Run the query to the topic's end; what it read and how long that took."""
    spark = session(asked["jars"], asked["folder"])
    folder = asked["folder"]

    def write(batch: DataFrame, number: int) -> None:
        batch.persist()
        for name, refused in (("feedback", False), ("quarantine", True)):
            rows = batch.filter(F.col("broken") == refused).drop("broken", *(() if refused else ("raw",)))
            (
                rows.write.format("delta")
                .mode("append")
                .partitionBy("landed_on")
                .option("txnAppId", f"landing-{name}")
                .option("txnVersion", number)
                .save(f"{folder}/{name}")
            )
        batch.unpersist()

    rows = events_of(spark, asked["servers"], asked["topic"])
    began = time.perf_counter()
    query = (
        rows.writeStream.foreachBatch(write)
        .option("checkpointLocation", f"{folder}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    took = time.perf_counter() - began
    progress = [json.loads(each.json) for each in query.recentProgress]
    answer = {
        "events": sum(each["numInputRows"] for each in progress),
        "landed": spark.read.format("delta").load(f"{folder}/feedback").count(),
        "seconds": took,
        "trigger_seconds": sum(each["durationMs"]["triggerExecution"] for each in progress) / 1000,
        "batches": sum(1 for each in progress if each["numInputRows"]),
    }
    spark.stop()
    return answer


if __name__ == "__main__":
    print(json.dumps(land(json.loads(sys.argv[1]))))
