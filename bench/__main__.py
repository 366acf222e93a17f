"""Run every measurement, or those named, one after the other: `python -m bench [name …]`. Prints JSON."""

import importlib
import json
import pkgutil
import sys
from pathlib import Path

NAMES = [
    module.name
    for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    if module.name not in ("__main__", "peer_programs", "processes", "servers", "transcripts")
]


def main(wanted: list[str]) -> int:
    """Each module has `measure()` without required arguments and with figures as its result."""
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        print(f"There is no measurement {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    for name in wanted or NAMES:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        figures = importlib.import_module(f"bench.{name}").measure()
        print(json.dumps({name: figures}, indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
