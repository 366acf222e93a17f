"""Each vendor's reports of some days, as its documentation has them, and what of them is agent spend.

A question is for days in a row; the answer is all of them or an exception, never a part.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import quote

from app.core.vendors import anthropic, claude_enterprise, github, openai
from app.core.vendors.accounts import ANTHROPIC, CLAUDE_ENTERPRISE, GITHUB, OPENAI, AgentSpend
from app.core.vendors.values import Told
from app.vendors.connection import Connection, Question, VendorFailed

ANTHROPIC_VERSION = "2023-06-01"
GITHUB_VERSION = "2026-03-10"
USER_AGENT = "mergemeter"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Access:
    """A vendor's address and the operator's key for one account."""

    vendor: str
    url: str
    key: str = field(repr=False)
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Asked:
    """Days in a row, the last one included, and what of them counts."""

    spend: AgentSpend
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def instants(self) -> list[tuple[str, str]]:
        """Their span in Anthropic's words."""
        return [("starting_at", f"{self.first}T00:00:00Z"), ("ending_at", f"{self.last + DAY}T00:00:00Z")]

    def seconds(self) -> list[tuple[str, str]]:
        """Their span in OpenAI's words."""
        return [("start_time", _epoch(self.first)), ("end_time", _epoch(self.last + DAY))]


Report = Callable[[Connection, Asked], Told]


def read_report(access: Access, asked: Asked) -> Told:
    """What of a vendor's days is agent spend. Raises Later, Refused and VendorFailed."""
    with closing(Connection(access.vendor, access.url, _headers(access), access.now)) as connection:
        told = REPORTS[access.vendor](connection, asked)
    if told.mistakes:
        raise VendorFailed(f"{access.vendor}: {told.mistakes[0]}, and {len(told.mistakes) - 1} more mistakes")
    return told


def _anthropic(connection: Connection, asked: Asked) -> Told:
    span = [*asked.instants(), ("bucket_width", "1d"), ("limit", str(asked.days))]
    costs = connection.pages("/v1/organizations/cost_report", [*span, *_groups("workspace_id", "description")])
    by = _groups("workspace_id", "api_key_id", "model", "service_tier", "context_window")
    # The default workspace has no id to ask for, and keys may be in any.
    all_have_ids = not asked.spend.api_keys and anthropic.DEFAULT_WORKSPACE not in asked.spend.accounts
    only = [("workspace_ids[]", each) for each in sorted(asked.spend.accounts)] if all_have_ids else []
    usage = connection.pages("/v1/organizations/usage_report/messages", [*span, *by, *only])
    return anthropic.vendor_costs(costs, usage, asked.spend)


def _claude_enterprise(connection: Connection, asked: Asked) -> Told:
    span = [*asked.instants(), ("bucket_width", "1d"), ("limit", str(asked.days))]
    pages = connection.pages("/v1/organizations/analytics/cost_report", [*span, *_groups("product", "model")])
    return claude_enterprise.vendor_costs(pages, asked.spend)


def _openai(connection: Connection, asked: Asked) -> Told:
    span = [*asked.seconds(), ("bucket_width", "1d"), ("limit", str(asked.days))]
    by = _groups("project_id", "api_key_id")
    # Where only projects are named, no other project's figures leave OpenAI.
    only = [] if asked.spend.api_keys else [("project_ids[]", each) for each in sorted(asked.spend.accounts)]
    costs = connection.pages("/v1/organization/costs", [*span, *by, *_groups("line_item"), *only])
    usage = connection.pages("/v1/organization/usage/completions", [*span, *by, *_groups("model"), *only])
    return openai.vendor_costs(costs, usage, asked.spend)


def _github(connection: Connection, asked: Asked) -> Told:
    """One question for each organisation and day: an answer for a month does not tell its days."""
    whole = Told()
    for organization in sorted(asked.spend.accounts):
        path = f"/organizations/{quote(organization, safe='')}/settings/billing/ai_credit/usage"
        for number in range(asked.days):
            day = asked.first + number * DAY
            body = connection.get(path, [("year", str(day.year)), ("month", str(day.month)), ("day", str(day.day))])
            if not isinstance(body, dict):
                raise VendorFailed(f"{GITHUB} {path}: the answer is not a report")
            told = github.vendor_costs(body, organization, day, asked.spend)
            whole = Told((*whole.costs, *told.costs), whole.left_out + told.left_out, (*whole.mistakes, *told.mistakes))
    return whole


REPORTS: Mapping[str, Report] = {
    ANTHROPIC: _anthropic,
    CLAUDE_ENTERPRISE: _claude_enterprise,
    OPENAI: _openai,
    GITHUB: _github,
}
# Days in one question: as many as a page of Anthropic's has without asking for more, and few where each is a request.
AT_ONCE = {GITHUB: 1}
MOST_AT_ONCE = 7


def _headers(access: Access) -> dict[str, str]:
    named = {"user-agent": USER_AGENT, "accept": "application/json"}
    if access.vendor in (ANTHROPIC, CLAUDE_ENTERPRISE):
        return {**named, "x-api-key": access.key, "anthropic-version": ANTHROPIC_VERSION}
    if access.vendor == GITHUB:
        named |= {"accept": "application/vnd.github+json", "x-github-api-version": GITHUB_VERSION}
    return {**named, "authorization": f"Bearer {access.key}"}


def _groups(*names: str) -> Question:
    return [("group_by[]", name) for name in names]


def _epoch(day: date) -> str:
    return str(int(datetime.combine(day, time.min, UTC).timestamp()))
