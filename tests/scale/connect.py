"""A Spark Connect server on loopback, in local mode with two threads, started when it is needed and stopped at the end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
START_SECONDS = 180


@contextlib.contextmanager
def connect_server(folder: Path, memory: str = "2g") -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a server and yield its address and its process; the log is in `folder`.

    Raises:
        RuntimeError: It did not come up.
    """
    import pyspark

    home = Path(pyspark.__file__).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.master": "local[2]", "spark.driver.memory": memory, "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "8",
        "spark.connect.grpc.binding.port": str(port), "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.local.dir": str(folder),
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    call = [str(home / "bin" / "spark-submit"), *options, "--class", SERVER, "spark-internal"]
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    with (folder / "spark.log").open("wb") as log:
        server = subprocess.Popen(call, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True)
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                yield f"sc://127.0.0.1:{port}", server
                return
            time.sleep(0.5)
        message = (folder / "spark.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(message)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(20)
