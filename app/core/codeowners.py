"""Whom a repository's CODEOWNERS file names for all of it. Only ever a hint for people: it assigns nothing.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

import re
from collections import Counter

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")  # where GitHub looks, in its order
WHOLE = frozenset({"*", "**", "/**", "/*", "/"})
NAME = re.compile(r"@[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9_.-]{0,99})?")
MOST = 3


def code_owners(text: str) -> tuple[str, ...]:
    """People and teams ("@acme/payments") of the last rule for everything, else those that most rules name.

    At most three; addresses of people are left out.
    """
    whole: tuple[str, ...] = ()
    named: Counter[str] = Counter()
    for line in text.splitlines():
        pattern, *owners = re.split(r"\s#", line.strip(), maxsplit=1)[0].split() or [""]
        if not pattern or pattern.startswith(("#", "[", "^[")):
            continue
        found = tuple(dict.fromkeys(owner for owner in owners if NAME.fullmatch(owner)))
        named.update(found)
        if pattern in WHOLE:
            whole = found  # without owners it takes back what stood before
    return whole[:MOST] or tuple(owner for owner, _ in named.most_common(MOST))
