"""acme/shop on the sandbox: a repository with one open pull, and the App's client on it."""

from dataclasses import dataclass, field

from app.github.app import GitHubApp
from app.github.client import GitHubClient
from app.sandbox import Sandbox
from tests.github.noted import Noted

NAME = "acme/shop"
MARK = "<!-- mergemeter:v1:comment:5:1 -->"


@dataclass(frozen=True)
class Shop:
    gh: Sandbox
    app: GitHubApp
    client: GitHubClient
    limits: Noted
    installation_id: int
    number: int  # the open pull
    key: str = field(repr=False)
    others: list[GitHubApp] = field(default_factory=list)

    @property
    def head(self) -> str:
        return str(self.gh.pull(NAME, self.number)["head"]["sha"])

    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.gh.comments(NAME, self.number)]

    def another_process(self) -> GitHubClient:
        """A client that has learned nothing yet."""
        self.others.append(GitHubApp(self.app.app_id, self.key, self.gh.url))
        return self.others[-1].on(self.installation_id, Noted())

    def close(self) -> None:
        for app in (self.app, *self.others):
            app.close()


def open_shop(gh: Sandbox) -> Shop:
    gh.create_account("acme")
    made = gh.register_app()
    gh.create_repository(NAME, files={"README.md": "# Shop\n", ".github/workflows/agent.yml": "on: push\n"})
    installation_id = gh.install("acme")
    number = gh.open_pull(NAME, "feature", files={"src/till.py": "print(1)\n"})
    limits = Noted()
    app = GitHubApp(made["app_id"], made["private_key"], gh.url, timeout_s=5)
    return Shop(gh, app, app.on(installation_id, limits), limits, installation_id, number, made["private_key"])
