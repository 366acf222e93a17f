"""What a server costs that has nothing to do: web and worker in one process. Target: at most 1 % CPU and 150 MB."""

import tempfile
import time
from pathlib import Path

from bench.servers import cache, mergemeter

SETTLE_S = 5
SECONDS = 30


def measure(seconds: int = SECONDS) -> dict[str, float]:
    """CPU in percent of one core, and resident memory."""
    with tempfile.TemporaryDirectory(dir=cache()) as folder, mergemeter(Path(folder)) as server:
        time.sleep(SETTLE_S)
        before_s, began = server.cpu_s(), time.monotonic()
        time.sleep(seconds)
        cpu = (server.cpu_s() - before_s) / (time.monotonic() - began)
        return {"cpu_percent": round(100 * cpu, 2), "memory_mb": round(server.memory_mb(), 1)}
