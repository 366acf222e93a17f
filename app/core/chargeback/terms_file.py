"""The settings about paying in `mergemeter.yml`, read once the schema found them valid.

What no schema can say is found here: a cost center that is nowhere named, percentages that do not total 100, two cost
centers for one value, a day that does not exist.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from app.core.chargeback.terms import (
    Chargeback,
    CloseTerms,
    CostCenter,
    JournalTerms,
    Method,
    Pattern,
    Pool,
    Sharing,
    Subscription,
    is_nobodys,
)
from app.core.config_file import Problem, Where, named
from app.core.money import nano_usd
from app.core.month import Month

KEYS = ("cost_centers", "shared_costs", "subscriptions", "journal", "close")
MILLION = 1_000_000


def chargeback_in(tree: Mapping[str, Any], lines: dict[Where, int]) -> tuple[Chargeback, list[Problem]]:
    """What a valid tree says about paying, and what is wrong with it all the same."""
    reading = _Reading(lines)
    return reading.chargeback(tree), reading.problems


class _Reading:
    """One reading; problems gather as it goes."""

    def __init__(self, lines: dict[Where, int]) -> None:
        self.lines = lines
        self.problems: list[Problem] = []

    def chargeback(self, tree: Mapping[str, Any]) -> Chargeback:
        told = tree.get("cost_centers", {})
        centers = told.get("centers", {})
        self._check_values(centers)
        teams = tree.get("teams", {})
        shared = tree.get("shared_costs", {})
        at: Where = ("cost_centers", "centers")
        return Chargeback(
            property_name=told.get("property", ""),
            centers={
                name: self._center(name, each, (*at, name), frozenset(teams)) for name, each in sorted(centers.items())
            },
            unassigned=self._sharing(shared.get("unassigned", {}), ("shared_costs", "unassigned"), centers),
            pools=tuple(
                self._pool(name, each, ("shared_costs", "pools", name), centers)
                for name, each in sorted(shared.get("pools", {}).items())
            ),
            subscriptions=self._subscriptions(tree.get("subscriptions", ()), centers),
            journal=_journal(tree.get("journal", {})),
            close=self._close(tree.get("close", {})),
        )

    def _say(self, where: Where, sentence: str) -> None:
        line = next(self.lines[where[:size]] for size in range(len(where), -1, -1) if where[:size] in self.lines)
        self.problems.append(Problem(line, named(where), sentence))

    def _check_values(self, centers: Mapping[str, Any]) -> None:
        where: Where = ("cost_centers", "centers")
        all_names = (map(str, {name, *each.get("values", ())}) for name, each in centers.items())
        names = Counter(value.lower() for values in all_names for value in values)
        for value in sorted(value for value, times in names.items() if times > 1):
            self._say(where, f'has two cost centers for "{value}"; names and values are the same in any case')
        for value in sorted(value for value in names if is_nobodys(value)):
            self._say(where, f'cannot use "{value}": that is what nobody owns, or what is shared')

    def _center(self, name: str, each: Mapping[str, Any], where: Where, teams: frozenset[str]) -> CostCenter:
        for unknown in sorted(set(each.get("teams", ())) - teams):
            self._say((*where, "teams"), f'names the team "{unknown}", which is not under teams')
        since = each.get("chargeback_from")
        return CostCenter(
            name=name,
            label=each.get("label", name),
            values=tuple(map(str, each.get("values", ()))),
            owners=tuple(owner.lstrip("@").lower() for owner in each.get("owners", ())),
            repositories=self._patterns(each, "repositories", where),
            workflows=self._patterns(each, "workflows", where),
            teams=tuple(each.get("teams", ())),
            chargeback_from=Month.parse(since) if since else None,
            account=str(each.get("account", "")),
            project=str(each.get("project", "")),
        )

    def _patterns(self, each: Mapping[str, Any], key: str, where: Where) -> tuple[Pattern, ...]:
        return tuple(
            Pattern(told.lower()) if isinstance(told, str) else self._dated(told, (*where, key, number))
            for number, told in enumerate(each.get(key, ()))
        )

    def _dated(self, told: Mapping[str, Any], where: Where) -> Pattern:
        start, end = self._days(told, where)
        return Pattern(told["match"].lower(), start, end)

    def _days(self, told: Mapping[str, Any], where: Where) -> tuple[date | None, date | None]:
        start, end = (self._day(told.get(key), (*where, key)) for key in ("from", "until"))
        if start is not None and end is not None and end <= start:
            self._say(where, "ends before it begins")
        return start, end

    def _day(self, told: str | None, where: Where) -> date | None:
        if told is None:
            return None
        try:
            return date.fromisoformat(told)
        except ValueError:
            self._say(where, f"is no day that exists: {told}")
            return None

    def _pool(self, name: str, each: Mapping[str, Any], where: Where, centers: Iterable[str]) -> Pool:
        pool = Pool(
            name,
            self._sharing(each, where, centers),
            self._patterns(each, "repositories", where),
            self._patterns(each, "workflows", where),
            self._patterns(each, "agents", where),
        )
        if not (pool.repositories or pool.workflows or pool.agents):
            self._say(where, "can match nothing: give workflows, repositories or agents")
        return pool

    def _sharing(self, told: Mapping[str, Any], where: Where, centers: Iterable[str]) -> Sharing:
        method, percents = Method(told.get("method", Method.NONE)), told.get("percent", {})
        if (method is Method.FIXED) != bool(percents):
            self._say(where, "needs percent with method fixed, and with no other")
        for unknown in sorted(percents.keys() - set(centers)):
            self._say((*where, "percent"), f'names "{unknown}", which is not under cost_centers')
        weights = {name: int(Decimal(percent) * MILLION) for name, percent in sorted(percents.items())}
        if percents and sum(weights.values()) != 100 * MILLION:
            total = Decimal(sum(weights.values())) / MILLION
            self._say((*where, "percent"), f"totals {total.normalize():f}, not 100")
        return Sharing(method, weights)

    def _subscriptions(self, told: Sequence[Mapping[str, Any]], centers: Iterable[str]) -> tuple[Subscription, ...]:
        found = [self._subscription(each, ("subscriptions", number), centers) for number, each in enumerate(told)]
        for number, each in enumerate(found):
            if each.name in {other.name for other in found[:number]}:
                self._say(("subscriptions", number), f'is the second one named "{each.name}"')
        return tuple(found)

    def _subscription(self, each: Mapping[str, Any], where: Where, centers: Iterable[str]) -> Subscription:
        by_seat = "seats" in each and "seat_fee_usd" in each
        if by_seat == ("monthly_usd" in each):
            self._say(where, "needs seats with seat_fee_usd, or monthly_usd, and not both")
        monthly = each.get("seats", 0) * Decimal(each.get("seat_fee_usd", 0)) if by_seat else each.get("monthly_usd", 0)
        center = each.get("cost_center", "")
        if center and center not in centers:
            self._say((*where, "cost_center"), f'is "{center}", which is not under cost_centers')
        if center and "method" in each:
            self._say(where, "has a cost_center, so that nothing is shared: leave method out")
        start, end = self._days(each, where)
        sold = Subscription(
            name=each["name"],
            vendor=each["vendor"],
            kind=each.get("kind", "seats"),
            monthly=nano_usd(Decimal(monthly)),
            seats=each.get("seats", 0),
            start=start or date.min,
            end=end,
            cost_center=center,
            sharing=self._sharing(each, where, centers) if not center else Sharing(),
            agents=self._patterns(each, "agents", where),
            repositories=self._patterns(each, "repositories", where),
        )
        if sold.sharing.method is Method.USE and not sold.covers_runs:
            self._say(where, "has method use, but covers no agent run: give agents or repositories")
        return sold

    def _close(self, told: Mapping[str, Any]) -> CloseTerms:
        zone = told.get("time_zone", "UTC")
        if zone != "UTC" and zone not in available_timezones():
            self._say(("close", "time_zone"), f"is no time zone that is known: {zone}")
        return CloseTerms(
            day=told.get("day", 0),
            time_zone=zone,
            repository=told.get("repository", ""),
            remind_after_days=tuple(sorted(set(told.get("remind_after_days", (3, 7))))),
            accept_after_days=told.get("accept_after_days", 0),
        )


def _journal(told: Mapping[str, Any]) -> JournalTerms:
    known = JournalTerms()
    columns = tuple(pair for each in told.get("columns", ()) for pair in each.items())
    delimiter = told.get("delimiter", known.delimiter)
    return JournalTerms(
        columns=columns or known.columns,
        expense_account=str(told.get("expense_account", known.expense_account)),
        clearing_account=str(told.get("clearing_account", known.clearing_account)),
        delimiter="\t" if delimiter == "tab" else delimiter,
        decimal=told.get("decimal", known.decimal),
    )
