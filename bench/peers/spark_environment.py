"""Spark 4.0.0 with Delta 4.0.0 in an environment of its own, made on first use and kept in a cache.

Heed itself runs a newer Spark that no Delta build exists for, so the peer cannot share its environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from feedback.errors import ServiceError
from tests.support.kafka_server import find_java

SPARK_VERSION = "4.0.0"
DELTA_VERSION = "4.0.0"
CACHE = Path("~/.cache/heed-bench-spark").expanduser()
FETCH_SECONDS = 900.0
FINISHED = ".finished"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>heed</groupId><artifactId>spark-peer</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.delta</groupId><artifactId>delta-spark_2.13</artifactId><version>{DELTA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.spark</groupId><artifactId>spark-sql-kafka-0-10_2.13</artifactId>
      <version>{SPARK_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class SparkPeerMissing(ServiceError):
    """Raised when the peer's environment is neither in the cache nor to be had."""


@dataclass(frozen=True, slots=True)
class SparkEnvironment:
    """A Python with PySpark, the jars that it does not bring along, and a Java."""

    python: Path
    jars: tuple[Path, ...]
    java_home: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a child process that runs Spark."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SPARK_HOME")}
        return {**kept, "JAVA_HOME": self.java_home, "PYSPARK_PYTHON": str(self.python), "SPARK_LOCAL_IP": "127.0.0.1"}


def spark_environment() -> SparkEnvironment:
    """The peer's environment; fetched from the package index and by Maven when it is not there.

    Raises:
        JavaMissing: There is no Java of version 17 or newer.
        SparkPeerMissing: It cannot be fetched.
    """
    java = Path(find_java()).resolve()
    folder = CACHE / f"{SPARK_VERSION}-{DELTA_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    venv, jars = folder / "venv", folder / "jars"
    if not (venv / FINISHED).exists():
        _fetch_pyspark(venv)
    if not jars.exists():
        _fetch_jars(jars)
    added = [jar for jar in sorted(jars.glob("*.jar")) if _artifact(jar) not in _shipped(venv)]
    return SparkEnvironment(venv / "bin" / "python", tuple(added), str(java.parent.parent))


def _shipped(venv: Path) -> frozenset[str]:
    """Libraries that PySpark brings along; a second version of one of them would hide its own."""
    return frozenset(map(_artifact, venv.glob("lib/python*/site-packages/pyspark/jars/*.jar")))


def _artifact(jar: Path) -> str:
    return re.sub(r"-\d[\w.]*$", "", jar.stem)


def _fetch_pyspark(place: Path) -> None:
    """A virtual environment cannot be moved into place; one that was left unfinished is made anew."""
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(place)], "a virtual environment for PySpark")
    python = place / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "-q", f"pyspark=={SPARK_VERSION}"], f"PySpark {SPARK_VERSION}")
    (place / FINISHED).touch()


def _fetch_jars(place: Path) -> None:
    if shutil.which("mvn") is None:
        raise SparkPeerMissing("the jars of the Spark peer are not in the cache, and there is no Maven (mvn)")
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM, encoding="utf-8")
        fetched = Path(scratch) / "jars"
        command = ["mvn", "-q", "-B", "-f", scratch, "dependency:copy-dependencies", "-DincludeScope=runtime"]
        _run([*command, f"-DoutputDirectory={fetched}"], f"Delta {DELTA_VERSION} and Spark's Kafka source")
        fetched.rename(place)


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode != 0:
        raise SparkPeerMissing(f"{what} cannot be fetched: {(done.stdout + done.stderr)[-2000:]}")
