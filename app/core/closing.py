"""Which issues a pull's description closes, by GitHub's keywords.

https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
"""

import re

MOST = 20
_KEYWORD = r"\b(?:close|closes|closed|fix|fixes|fixed|resolve|resolves|resolved):?\s+"
_ISSUE = (
    r"(?:(?P<owner>[\w.-]+/[\w.-]+)?#|https?://[^/\s]+/(?P<url>[\w.-]+/[\w.-]+)/issues/)(?P<number>[1-9][0-9]{0,9})\b"
)
_CLOSES = re.compile(_KEYWORD + _ISSUE, re.IGNORECASE)
# What is quoted as code or hidden in a comment closes nothing.
_NOT_TEXT = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|<!--.*?(?:-->|\Z)", re.DOTALL)


def closes(body: str, full_name: str) -> frozenset[int]:
    """The issues of the pull's own repository (`full_name`: "owner/name") that a description says it closes."""
    found = set()
    for match in _CLOSES.finditer(_NOT_TEXT.sub(" ", body)):
        repository = match["owner"] or match["url"] or full_name
        if repository.lower() == full_name.lower():
            found.add(int(match["number"]))
    return frozenset(sorted(found)[:MOST])
