"""The job's one comment on its pull, by PyGithub: found by marker and author, edited in place, never read as data."""

from collections.abc import Mapping
from typing import Any

import github
import requests
from github.Issue import Issue
from github.IssueComment import IssueComment
from urllib3.util import Retry

# Who a job's GITHUB_TOKEN is. The id is github.com's; other hosts have their own, where the login must do: nobody can
# register one with brackets.
BOT, BOT_ID, GITHUB_COM = "github-actions[bot]", 41_898_282, "https://api.github.com"
TRY_S = 8
PAGE = 100


class ForeignError(Exception):
    """The token is not the job's own, so that what it writes could not be found again."""


def put(request: Mapping[str, Any], body: str, marker: str) -> str:
    """Make the pull's comment that bears `marker` say `body`. Gives the word for what went wrong, or nothing."""
    try:
        with _client(request) as client:
            repository = client.get_repo(request["repository"], lazy=True)
            issue = repository.get_issue(request["job"]["pull_number"])
            _put(issue, body, marker, request["api_url"])
    except github.RateLimitExceededException:
        return "limited"
    except github.GithubException as problem:
        return _word(problem)
    except ForeignError:
        return "foreign"
    except (requests.RequestException, OSError, AssertionError):
        return "unreachable"
    return ""


def _client(request: Mapping[str, Any]) -> github.Github:
    """Tries what only reads again, within the time that a job may be held up. A comment is never made twice."""
    again = Retry(total=2, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
    token = github.Auth.Token(request["token"])
    return github.Github(
        auth=token, base_url=request["api_url"], timeout=TRY_S, retry=again, per_page=PAGE,
        user_agent="mergemeter-action", seconds_between_writes=0, seconds_between_requests=0,
    )  # fmt: skip


def _put(issue: Issue, body: str, marker: str, api_url: str) -> None:
    standing = _oldest(issue, marker, api_url)
    if standing is not None:
        if _plain(standing.body) != _plain(body):
            standing.edit(body)
        return
    created = issue.create_comment(body)
    if not _ours(created, api_url):
        created.delete()
        raise ForeignError
    # Two runs can both have seen nothing. Whoever looks last leaves only the oldest.
    first = _oldest(issue, marker, api_url)
    if first is not None and first.id != created.id:
        created.delete()


def _oldest(issue: Issue, marker: str, api_url: str) -> IssueComment | None:
    found = (one for one in issue.get_comments() if marker in (one.body or "") and _ours(one, api_url))
    return min(found, key=lambda one: one.id, default=None)


def _ours(comment: IssueComment, api_url: str) -> bool:
    user = comment.user
    if user is None or (user.login, user.type) != (BOT, "Bot"):
        return False
    return api_url != GITHUB_COM or user.id == BOT_ID


def _plain(text: str) -> str:
    """GitHub changes line ends and outer white space."""
    return text.replace("\r\n", "\n").strip()


def _word(problem: github.GithubException) -> str:
    if problem.status == 401:
        return "refused"
    if problem.status == 403 and "locked" in str(problem.data):
        return "locked"
    return "forbidden" if problem.status in {403, 404} else "unreachable"
