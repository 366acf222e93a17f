"""Play the campaign, or the cases whose titles hold one of the given words: `python -m tests.clients [word …]`."""

import argparse
import sys
from pathlib import Path

from tests.clients.campaign import Row, cases, run
from tests.clients.installed import installed

HEADINGS = ("case", "responses", "errors", "outcome", "what differs", "marked as", "s")


def line(row: Row) -> str:
    """A line of the table."""
    children, side = (sum(one.kind == kind for one in row.served) for kind in ("child", "side"))
    parts = [f"{number} {of}" for number, of in ((children, "of a sub-agent"), (side, "aside")) if number]
    responses = f"{len(row.served)}" + (f" ({', '.join(parts)})" if parts else "")
    marks = ", ".join(row.verdict.marks) or "nothing"
    reasons = "".join(f"; {reason}" for reason in row.verdict.reasons)
    cells = (row.title, responses, ", ".join(map(str, row.errors)), row.verdict.outcome, row.verdict.lacks)
    return f"| {' | '.join((*cells, marks + reasons, f'{row.seconds:.0f}'))} |"


def keep(row: Row, outputs: Path) -> None:
    """What the job printed, as a file."""
    outputs.mkdir(parents=True, exist_ok=True)
    (outputs / f"{row.title.replace(': ', '-').replace(' ', '-')}.txt").write_text(row.output, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="play the cases whose titles hold one of these")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--outputs", type=Path, help="keep what the jobs printed in this folder")
    given = parser.parse_args()
    chosen = [case for case in cases() if not given.words or any(word in case.title for word in given.words)]
    if given.list:
        print("\n".join(case.title for case in chosen))  # noqa: T201
        return 0
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)  # noqa: T201

    def say(row: Row) -> None:
        print(line(row), flush=True)  # noqa: T201
        if given.outputs:
            keep(row, given.outputs)

    wrong = run(chosen, installed(), say)
    for finding in wrong:
        print(f"WRONG: {finding}")  # noqa: T201
    print(f"{len(wrong)} wrong")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
