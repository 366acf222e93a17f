"""Repositories, commits and files as JSON."""

import base64
import hashlib
from typing import Any
from urllib.parse import quote

from app.sandbox.clock import iso
from app.sandbox.commits import Change
from app.sandbox.shapes.accounts import node_id, simple_user
from app.sandbox.state import Commit, Hub, Repository

LINKS = (
    "forks",
    "keys{/key_id}",
    "collaborators{/collaborator}",
    "teams",
    "hooks",
    "events",
    "assignees{/user}",
    "branches{/branch}",
    "tags",
    "languages",
    "stargazers",
    "contributors",
    "subscribers",
    "subscription",
    "commits{/sha}",
    "comments{/number}",
    "contents/{+path}",
    "compare/{base}...{head}",
    "merges",
    "downloads",
    "issues{/number}",
    "pulls{/number}",
    "milestones{/number}",
    "notifications{?since,all,participating}",
    "labels{/name}",
    "releases{/id}",
    "deployments",
    "statuses/{sha}",
)
OTHER_LINKS = {
    "issue_events": "issues/events{/number}",
    "blobs": "git/blobs{/sha}",
    "git_tags": "git/tags{/sha}",
    "git_refs": "git/refs{/sha}",
    "git_commits": "git/commits{/sha}",
    "trees": "git/trees{/sha}",
    "issue_comment": "issues/comments{/number}",
    "archive": "{archive_format}{/ref}",
}


def api_url(hub: Hub, repository: Repository) -> str:
    return f"{hub.url}/repos/{repository.full_name}"


def minimal_repository(hub: Hub, repository: Repository) -> dict[str, Any]:
    """What run records, webhooks' short lists and search give."""
    api = api_url(hub, repository)
    links = {f"{link.partition('{')[0].rstrip('/')}_url": f"{api}/{link}" for link in LINKS}
    return {
        "id": repository.repository_id,
        "node_id": node_id("R", repository.repository_id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": simple_user(hub, repository.owner),
        "html_url": f"{hub.url}/{repository.full_name}",
        "description": None,
        "fork": repository.fork_of is not None,
        "url": api,
        **links,
        **{f"{name}_url": f"{api}/{link}" for name, link in OTHER_LINKS.items()},
    }


def full_repository(hub: Hub, repository: Repository) -> dict[str, Any]:
    """What GET of a repository, pulls' head and base and webhooks give."""
    place = f"{hub.url}/{repository.full_name}"
    opened = sum(issue.state == "open" for issue in repository.issues.values())
    return {
        **minimal_repository(hub, repository),
        "created_at": iso(repository.created_at),
        "updated_at": iso(repository.created_at),
        "pushed_at": iso(repository.created_at),
        "git_url": f"git://{place.partition('://')[2]}.git",
        "ssh_url": f"git@localhost:{repository.full_name}.git",
        "clone_url": f"{place}.git",
        "svn_url": place,
        "homepage": None,
        "size": 108,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": repository.has_issues,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": 0,
        "mirror_url": None,
        "archived": repository.archived,
        "disabled": False,
        "open_issues_count": opened,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": repository.visibility,
        "forks": 0,
        "open_issues": opened,
        "watchers": 0,
        "default_branch": repository.default_branch,
    }


def own_page(hub: Hub, repository: Repository) -> dict[str, Any]:
    """GET of one repository: some counts more, and its custom properties."""
    more = {
        "network_count": 0,
        "subscribers_count": 0,
        "temp_clone_token": "",
        "custom_properties": dict(repository.properties),
    }
    if repository.fork_of is not None and repository.fork_of in hub.repositories:
        more["parent"] = more["source"] = full_repository(hub, hub.repositories[repository.fork_of])
    return full_repository(hub, repository) | more


def commit(hub: Hub, repository: Repository, record: Commit) -> dict[str, Any]:
    api = api_url(hub, repository)
    signature = {
        "name": record.author.login,
        "email": f"{record.author.account_id}+{record.author.login}@users.noreply.example",
        "date": iso(record.committed_at),
    }
    return {
        "sha": record.sha,
        "node_id": f"C_{record.sha}",
        "commit": {
            "author": signature,
            "committer": signature,
            "message": record.message,
            "tree": {"sha": tree_sha(record), "url": f"{api}/git/trees/{tree_sha(record)}"},
            "url": f"{api}/git/commits/{record.sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "url": f"{api}/commits/{record.sha}",
        "html_url": f"{hub.url}/{repository.full_name}/commit/{record.sha}",
        "comments_url": f"{api}/commits/{record.sha}/comments",
        "author": simple_user(hub, record.author),
        "committer": simple_user(hub, record.author),
        "parents": [
            {
                "sha": sha,
                "url": f"{api}/commits/{sha}",
                "html_url": f"{hub.url}/{repository.full_name}/commit/{sha}",
            }
            for sha in record.parents
        ],
    }


def tree_sha(record: Commit) -> str:
    return hashlib.sha1(f"tree {record.sha}".encode(), usedforsecurity=False).hexdigest()


def blob_sha(text: str) -> str:
    """Git's own blob name."""
    raw = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()


def diff_entry(hub: Hub, repository: Repository, change: Change, head_sha: str, text: str) -> dict[str, Any]:
    place, path = f"{hub.url}/{repository.full_name}", quote(change.path)
    return {
        "sha": blob_sha(text),
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{place}/blob/{head_sha}/{path}",
        "raw_url": f"{place}/raw/{head_sha}/{path}",
        "contents_url": f"{api_url(hub, repository)}/contents/{path}?ref={head_sha}",
        "patch": change.patch,
    }


def content_entry(hub: Hub, repository: Repository, path: str, ref: str, text: str | None) -> dict[str, Any]:
    """One entry of a listing; a directory when `text` is None."""
    kind = "dir" if text is None else "file"
    sha = blob_sha(text if text is not None else path)
    quoted = quote(path)
    api = f"{api_url(hub, repository)}/contents/{quoted}?ref={ref}"
    git = f"{api_url(hub, repository)}/git/{'trees' if text is None else 'blobs'}/{sha}"
    html = f"{hub.url}/{repository.full_name}/{'tree' if text is None else 'blob'}/{ref}/{quoted}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": 0 if text is None else len(text.encode()),
        "url": api,
        "html_url": html,
        "git_url": git,
        "download_url": None if text is None else f"{hub.url}/{repository.full_name}/raw/{ref}/{quoted}",
        "type": kind,
        "_links": {"self": api, "git": git, "html": html},
    }


def content_file(hub: Hub, repository: Repository, path: str, ref: str, text: str) -> dict[str, Any]:
    encoded = base64.encodebytes(text.encode()).decode()
    return content_entry(hub, repository, path, ref, text) | {"content": encoded, "encoding": "base64"}
