"""What runs in the environment with packages: a request on standard input, prices and a comment, an answer on output.

    python -I program.py < request.json > answer.json

Refuses to print anything but its answer. Prices and words are the App's own code, from app/core of the same commit.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (os.path.dirname(os.path.dirname(HERE)), os.path.dirname(HERE)):
    sys.path.append(folder)  # after Python's own and the locked packages: nothing here can stand in for those

from app.core.reported_calls import ReportRefusedError  # noqa: E402 - found through the path above
from standalone import comment, price  # noqa: E402


def answered(request: dict[str, object]) -> dict[str, object]:
    """Prices and, where the comment does not stand, the problem."""
    try:
        job = price.priced(request)
    except ReportRefusedError:
        return {"problem": "impossible"}
    problem = comment.put(request, price.text(request, job), price.mark(request))
    return {"problem": problem, "prices": price.answer(request, job, "not-sent" if problem else "commented")}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answered(json.load(sys.stdin))))
