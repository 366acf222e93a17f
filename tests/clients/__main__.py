"""Play the campaign, or the cases whose titles hold one of the given words: `python -m tests.clients [word …]`."""

import argparse
import sys
from pathlib import Path

from tests.clients.campaign import Row, cases, run
from tests.clients.installed import installed


def show(row: Row, outputs: Path | None) -> None:
    """One line of the table, as it comes."""
    errors = f" +{len(row.errors)} errors" if row.errors else ""
    marks = ",".join(row.verdict.marks) or "no agent run"
    print(  # noqa: T201
        f"| {row.title} | {row.responses}{errors} | {row.verdict.outcome} | {marks} | {row.verdict.note} |"
        f" {row.seconds:.0f} s |",
        flush=True,
    )
    if outputs:
        outputs.mkdir(parents=True, exist_ok=True)
        (outputs / (row.title.replace("/", " ") + ".txt")).write_text(row.output, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="play the cases whose titles hold one of these")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--programs", type=Path, help="a folder with the clients' programs, instead of installing them")
    parser.add_argument("--outputs", type=Path, help="keep what the jobs printed in this folder")
    given = parser.parse_args()
    chosen = [case for case in cases() if not given.words or any(word in case.title for word in given.words)]
    if given.list:
        print("\n".join(case.title for case in chosen))  # noqa: T201
        return 0
    programs = given.programs.resolve() if given.programs else installed()
    print("| case | responses | outcome | marked as | what differs | took |\n|---|---|---|---|---|---|")  # noqa: T201
    wrong = run(chosen, programs, lambda row: show(row, given.outputs))
    for finding in wrong:
        print(f"WRONG: {finding}")  # noqa: T201
    print(f"{len(wrong)} wrong")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
