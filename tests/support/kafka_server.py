"""A real Kafka for tests and benches: one KRaft node on loopback, made from Maven's jars.

The jars are fetched once into a cache and kept; a broker's data lie in the folder that it is given, so that it finds
them again after a restart. It needs Java 17 or newer and, for the first time, Maven.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from feedback.errors import JavaMissing, ServiceError

KAFKA_VERSION = "4.1.2"
CACHE = Path("~/.cache/heed-kafka").expanduser()
START_SECONDS = 90.0
STOP_SECONDS = 30.0
FETCH_SECONDS = 300.0
HEAP = ("-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A broker of one machine's tests: quick to start, and small beside what is measured."""

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
"""Of every broker here, so that data which one left behind can be served by another."""

USER, PASSWORD = "heed", "not-a-secret"
"""What its second listener lets in."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>heed</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}";
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
{more}
"""


class KafkaMissing(ServiceError):
    """Raised when the broker's jars are neither in the cache nor to be had."""


class Broker:
    """One Kafka node; its address and its data outlive a restart."""

    def __init__(self, folder: Path, *, properties: str = "") -> None:
        self._folder = folder
        self._java = find_java()
        self._jars = fetch_jars()
        self._port, self._sasl_port, controller = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "server.properties"
        self._configuration.write_text(
            _PROPERTIES.format(
                port=self._port,
                sasl=self._sasl_port,
                controller=controller,
                user=USER,
                password=PASSWORD,
                data=folder / "data",
                more=properties,
            ),
            encoding="utf-8",
        )
        self._run("kafka.tools.StorageTool", "format", "-g", "-t", CLUSTER_ID, "-c", str(self._configuration))

    @property
    def address(self) -> str:
        """Its host and port, on loopback."""
        return f"127.0.0.1:{self._port}"

    @property
    def sasl_address(self) -> str:
        """Where it wants `USER` and `PASSWORD` by SASL PLAIN."""
        return f"127.0.0.1:{self._sasl_port}"

    @property
    def data(self) -> Path:
        """Where its segments lie."""
        return self._folder / "data"

    @property
    def pid(self) -> int:
        """The process id of the running node."""
        if self._process is None:
            raise ServiceError("the Kafka broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the node and wait until it answers.

        Raises:
            ServiceError: It ended or did not answer in time; the message carries the end of its output.
        """
        if self._process is not None:
            raise ServiceError(f"the Kafka broker at {self.address} is already running")
        output = self._folder / "broker.out"
        with output.open("ab") as file:
            command = self._command("kafka.Kafka", str(self._configuration))
            self._process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = output.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServiceError(f"the Kafka broker at {self.address} did not come up; its last words: {tail!r}")

    def stop(self) -> None:
        """End the node in order; killed where it does not end in time."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> None:
        """End the node and start it again on the same port and data."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _command(self, main: str, *arguments: str) -> list[str]:
        return [self._java, *HEAP, "-cp", f"{self._jars}/*", main, *arguments]

    def _run(self, main: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(main, *arguments), capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ServiceError(f"{main} failed: {(done.stdout + done.stderr)[-2000:]}")


@contextmanager
def broker(folder: Path, *, properties: str = "") -> Iterator[Broker]:
    """A running broker whose data lie in `folder`; stopped at the end.

    Raises:
        JavaMissing: There is no Java of version 17 or newer.
        KafkaMissing: Its jars cannot be fetched.
        ServiceError: It does not come up.
    """
    node = Broker(folder, properties=properties)
    try:
        node.start()
        yield node
    finally:
        node.stop()


def find_java() -> str:
    """The `java` of `JAVA_HOME` or of the path.

    Raises:
        JavaMissing: There is none of version 17 or newer.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is not None and Path(java).exists():
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', said)
        if version is not None and int(version[1]) >= 17:
            return java
    raise JavaMissing("a Kafka broker needs Java 17 or newer, in JAVA_HOME or on the path")


def fetch_jars() -> Path:
    """The folder with the broker's jars; fetched by Maven when it is not there.

    Raises:
        KafkaMissing: There is no Maven, or it failed.
    """
    jars = CACHE / KAFKA_VERSION
    if any(jars.glob("kafka_*.jar")):
        return jars
    if shutil.which("mvn") is None:
        raise ServiceError(
            "the jars of the Kafka broker are not in the cache, and there is no Maven (mvn) to fetch them"
        )
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM, encoding="utf-8")
        fetched = Path(scratch) / "jars"
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={fetched}"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise KafkaMissing(f"Maven could not fetch Kafka {KAFKA_VERSION}: {(done.stdout + done.stderr)[-2000:]}")
        try:
            fetched.rename(jars)
        except OSError:  # another process was quicker
            if not any(jars.glob("kafka_*.jar")):
                raise
    return jars


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answers(address: str) -> bool:
    """Whether a client gets an answer; a node that only listens is not up yet."""
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        time.sleep(0.1)
        return False
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False
