"""The Action's program: `main` opens, `post` records, `collect` looks only. Python's standard library, 3.9 or newer.

Refuses to fail or slow a job: whatever goes wrong is one notice and exit code 0, unless fail-on-error is set.
"""

import gc
import io
import os
import sys

if sys.version_info < (3, 9):
    sys.exit(79)  # python.js then tries the next Python
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -I leaves the script's folder out


def main() -> int:
    """Run the phase that the first argument names."""
    gc.set_threshold(100_000)  # decoded lines hold no cycles to look for
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # whatever the machine's own encoding is
    phase = sys.argv[1] if len(sys.argv) > 1 else ""
    if phase not in ("main", "post"):
        import look  # noqa: PLC0415 - neither loads what only the other needs

        return look.look(sys.argv[1:])
    import phases  # noqa: PLC0415

    return phases.begin(os.environ) if phase == "main" else phases.finish(os.environ)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a connection that still hangs must not hold the job
