"""A vendor on loopback: figures by day, told as Anthropic, OpenAI and GitHub tell them, and trouble when it is asked.

Pages hold `page_size` days. Cursors are of the figures as they were: `renew` makes those that are out invalid (410).
"""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-ant-admin01-0123456789abcdef"
COSTS = "/v1/organizations/cost_report"
USAGE = "/v1/organizations/usage_report/messages"
ENTERPRISE = "/v1/organizations/analytics/cost_report"
OPENAI_COSTS = "/v1/organization/costs"
OPENAI_USAGE = "/v1/organization/usage/completions"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Trouble:
    """An answer that is given once instead of the figures."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class LoopbackVendor:
    """`rows[path][day]`: the results of a day. `trouble[path]`: what is answered first."""

    url: str = ""
    page_size: int = 3
    generation: int = 0
    renew_after_pages: int = 0
    rows: dict[str, dict[date, list[Any]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    trouble: dict[str, deque[Trouble]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def spend(
        self, day: date, cents: str, workspace: str | None = "wrkspc_ci", model: str = "claude-sonnet-4-5"
    ) -> None:
        """Have Anthropic bill output tokens of a day."""
        self.rows[COSTS][day].append(
            {"currency": "USD", "amount": cents, "workspace_id": workspace, "cost_type": "tokens", "model": model,
             "token_type": "output_tokens", "service_tier": "standard", "context_window": "0-200k"}
        )  # fmt: skip

    def answer(self, target: str, headers: Mapping[str, str]) -> Trouble:
        parts = urlsplit(target)
        question = parse_qs(parts.query)
        self.asked.append((parts.path, question))
        if self.trouble[parts.path]:
            return self.trouble[parts.path].popleft()
        if KEY not in (headers.get("x-api-key"), (headers.get("authorization") or "").removeprefix("Bearer ")):
            return Trouble(401)
        if parts.path.startswith("/organizations/"):
            day = date(*(int(question[name][0]) for name in ("year", "month", "day")))
            return Trouble(200, json.dumps({"usageItems": self.rows[parts.path][day]}).encode())
        return self._page(parts.path, question)

    def _page(self, path: str, question: dict[str, list[str]]) -> Trouble:
        generation, _, offset = question.get("page", [f"{self.generation}:0"])[0].partition(":")
        if int(generation) != self.generation:
            return Trouble(410)
        days = list(_days(question))
        start = int(offset)
        told = [_bucket(path, day, self.rows[path][day]) for day in days[start : start + self.page_size]]
        more = start + self.page_size < len(days)
        cursor = f"{self.generation}:{start + self.page_size}" if more else None
        if self.renew_after_pages:
            self.renew_after_pages -= 1
            self.generation += 1
        return Trouble(200, json.dumps({"data": told, "has_more": more, "next_page": cursor}).encode())


def _days(question: dict[str, list[str]]) -> Iterator[date]:
    if "start_time" in question:
        first, end = (datetime.fromtimestamp(int(question[each][0]), UTC).date() for each in ("start_time", "end_time"))
    else:
        first, end = (date.fromisoformat(question[each][0][:10]) for each in ("starting_at", "ending_at"))
    while first < end:
        yield first
        first += DAY


def _bucket(path: str, day: date, results: list[Any]) -> dict[str, Any]:
    if path.startswith("/v1/organization/"):
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results}
    return {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + DAY}T00:00:00Z", "results": results}


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: LoopbackVendor

    def do_GET(self) -> None:
        told = self.vendor.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
        self.send_response_only(told.status)
        for name, value in {"content-length": str(len(told.body)), **told.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def loopback_vendor() -> Iterator[LoopbackVendor]:
    vendor = LoopbackVendor()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"vendor": vendor}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
