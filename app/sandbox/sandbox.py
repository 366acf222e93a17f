"""The sandbox as one thing: state, courier, issuer and an HTTP server on loopback, started and stopped together."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

from app.sandbox import actions, server
from app.sandbox.clock import Clock, real_now
from app.sandbox.deliveries import Courier
from app.sandbox.faults import Faults
from app.sandbox.limits import Limits
from app.sandbox.observer import Observer
from app.sandbox.oidc import Issuer
from app.sandbox.rest.door import Door
from app.sandbox.serving import Serving
from app.sandbox.state import App, Hub
from app.sandbox.steer.accounts import Accounts
from app.sandbox.steer.agents import Agents
from app.sandbox.steer.pulls import Pulls
from app.sandbox.steer.repositories import Repositories
from app.sandbox.steer.runs import Runs
from app.sandbox.steer.trouble import Trouble


class Sandbox(Accounts, Agents, Repositories, Pulls, Runs, Trouble):
    """A GitHub on loopback: `with Sandbox() as gh: gh.url`. Its methods may be called from any thread.

    `clock` tells the time that GitHub writes on things (tokens and limits follow the real one). Equal `seed`s give
    equal shas and ids. `observer` sees every REST exchange.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = real_now,
        seed: int = 1,
        observer: Observer | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        hook_timeout_s: float = 10.0,
    ) -> None:
        hub = Hub(Clock(clock), seed)
        super().__init__(hub, Courier(hub, hook_timeout_s), Issuer(hub), Faults(), Limits())
        hub.deliver = self.courier.post
        _register_actions(hub)
        self.requests: list[tuple[str, str, int]] = []  # method, path, status (0: no answer), in order
        self._host, self._port = host, port
        door = Door(hub, self.limits, self.faults, self.courier.redeliver, lambda: list(self.courier.log))
        self._application = server.application(self, door, observer, self._log)
        self._serving: Serving | None = None

    def _log(self, method: str, path: str, status: int) -> None:
        self.requests.append((method, path, status))

    @property
    def url(self) -> str:
        return self.hub.url

    @property
    def oidc_issuer(self) -> str:
        return self.issuer.url

    def start(self) -> Self:
        """Listen and begin to serve; the address is in `url`."""
        self._serving = Serving(self._application, self._host, self._port)
        self.hub.url = self._serving.url
        self.courier.start()
        self._serving.start()
        return self

    def stop(self) -> None:
        self.courier.stop()
        if self._serving is not None:
            self._serving.stop()

    def wait(self) -> None:
        """Serve until the process is told to stop."""
        if self._serving is not None:
            self._serving.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def writes(self) -> list[tuple[str, str, int]]:
        """The requests that were no GET, without those for tokens."""
        return [one for one in self.requests if one[0] != "GET" and not one[1].endswith("/access_tokens")]


def _register_actions(hub: Hub) -> None:
    """The App that owns the check runs of workflow jobs, and whose bot their GITHUB_TOKEN acts as."""
    bot = hub.account("github-actions[bot]")
    bot.account_id = actions.ACTIONS_BOT_ID
    number = actions.ACTIONS_APP_ID
    hub.apps[number] = App(
        number, "github-actions", "GitHub Actions", hub.account("github"), bot, "", "", None, 0,
        {"checks": "write"}, [], hub.now(),
    )  # fmt: skip


def run(host: str = "127.0.0.1", port: int = 0, told: Callable[[str], None] = lambda _url: None) -> None:
    """Serve in the foreground until interrupted; `told` gets the address once it listens."""
    sandbox = Sandbox(host=host, port=port)
    with sandbox:
        told(sandbox.url)
        try:
            sandbox.wait()
        except KeyboardInterrupt:
            return
