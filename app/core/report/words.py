"""The sentences about a pull's cost that the comment and the check share. Wording only: nothing is decided here.

Said in plain words every time: what is missing from the figure, what is tied to no pull, and which figure it is.
Never said: an amount where amounts may not appear, and "$0.00" for what nobody knows.
"""

from collections import Counter
from collections.abc import Sequence

from app.core.facts import PullState
from app.core.money import NanoUsd, dollars_text
from app.core.month import Month
from app.core.report.escape import codes, prose
from app.core.report.numbers import Amounts, count, from_cache, tokens_text
from app.core.report.values import AgentRunLine, PullCost
from app.core.usage import Completeness, Purpose

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

LEVELS = {
    "E1": ("direct", "the signed token of the workflow run names this pull"),
    "E2": ("manual", "a person set it, with a reason"),
    "E3": ("direct", "GitHub's record ties it to this pull: by a commit, as opened by its actor then, or by its task"),
    "E4": ("derived", "the workflow run was on this pull's branch during this pull's life"),
    "E5": ("derived", "the event that started the workflow names this pull, and GitHub's record agrees"),
    "E6": ("derived", "it was started on an issue that this pull closes"),
    "E7": ("claimed", "a link that the agent or a person wrote"),
    "E8": ("allocated", "shared out by a rule"),
}
SHORT = {
    "E1": "by signed evidence",
    "E2": "by hand",
    "E3": "by GitHub's record",
    "E4": "by the branch",
    "E5": "by the event that started it",
}


def month_text(month: Month) -> str:
    """ "October 2026"."""
    return f"{MONTHS[month.number - 1]} {month.year}"


def ordered(lines: Sequence[AgentRunLine]) -> list[AgentRunLine]:
    """The dearest first, in an order that does not depend on how they arrived."""
    return sorted(
        lines,
        key=lambda x: (-x.cost, -x.tokens.total, x.started_at, x.run_id, x.run_attempt, x.agent, x.job_name, repr(x)),
    )


def figure(pull: PullCost, amounts: Amounts) -> str:
    """The one thing: "$4.31", "at least $4.31 so far", "cost unknown"; in tokens where amounts may not appear."""
    so_far = " so far" if pull.state is PullState.OPEN else ""
    if not pull.lines:
        return "No agent run"
    if not pull.money:
        used = pull.tokens.total
        return f"{_bound(pull)}{tokens_text(used)} tokens{so_far}" if used else "usage unknown"
    return f"{_bound(pull)}{amounts.total}{so_far}" if pull.cost_known else "cost unknown"


def headline(pull: PullCost, amounts: Amounts) -> str:
    """ "**$4.31** · 6 agent runs · 5 by signed evidence"."""
    if not pull.lines:
        return "**No agent run** is tied to this pull any more."
    parts = [f"**{figure(pull, amounts)}**", count(len(pull.lines), "agent run"), _tied_by(pull)]
    return " · ".join([*parts, "closed without a merge"] if pull.state is PullState.CLOSED else parts)


def second_line(pull: PullCost, lines: Sequence[AgentRunLine], amounts: Amounts) -> str:
    """What it was for, how many tokens, how much of the input came from the cache. Empty when nothing is known."""
    parts = []
    if pull.money and pull.cost_known:
        parts += [f"{cost} {purpose}" for purpose, cost in _purposes(lines, amounts)]
    tokens = pull.tokens
    if pull.money and tokens.total:
        parts.append(f"{tokens_text(tokens.total)} tokens")
    if tokens.prompt:
        parts.append(f"{from_cache(tokens)} of input from cache")
    return " · ".join(parts)


def gaps(pull: PullCost) -> list[str]:
    """What the figure lacks, one sentence each."""
    out = "not in this figure"
    said = [*_unpriced(pull, out), *_incomplete(pull.lines, out)]
    if pull.open_jobs:
        said.append(
            f"{count(pull.open_jobs, 'job')} started for this pull and {_has(pull.open_jobs)} not reported yet: {out}."
        )
    if pull.tied_candidates:
        fits = "fits" if pull.tied_candidates == 1 else "fit"
        runs = count(pull.tied_candidates, "agent run")
        said.append(f"{runs} {fits} this pull and another one equally well: left unattributed, {out}.")
    return said


def remarks(pull: PullCost) -> list[str]:
    """What explains single agent runs, for the folded part."""
    shared = sum(line.pulls_served > 1 for line in pull.lines)
    again = sum(line.revisions > 0 for line in pull.lines)
    relayed = sum(line.relayed for line in pull.lines)
    elsewhere = sum(line.calls_counted_elsewhere for line in pull.lines)
    said = []
    if shared:
        whose = "the whole agent run's" if shared == 1 else "the whole agent runs'"
        share = "cost is this pull's share, " if pull.money else ""
        said.append(f"{count(shared, 'agent run')} also served other pulls: {share}calls and tokens are {whose}.")
    if again:
        said.append(
            f"{count(again, 'agent run')} {_was(again)} reported again with other numbers: the first report counts."
        )
    if relayed:
        said.append(
            f"Relayed: another job of the workflow run sent the record of {count(relayed, 'agent run')}; "
            "which job it was is claimed, not signed."
        )
    if told := sum(line.told for line in pull.lines):
        said.append(
            f"By token: telemetry with an access token told of {count(told, 'agent run')}; "
            "who ran it, where and for which pull is claimed, not signed."
        )
    if charged := sum(line.by_vendor for line in pull.lines):
        price = " at $0.01 each" if pull.money else ""
        said.append(
            f"By GitHub: its record of the cloud agent tells of {count(charged, 'agent run')}, "
            f"in AI credits{price}; it tells no tokens and no single model calls."
        )
    if elsewhere:
        calls = f"{count(elsewhere, 'model call')} {_was(elsewhere)}"
        said.append(f"{calls} reported by another agent run too and {_counts(elsewhere)} there, once.")
    return [*said, *_own_figures(pull)]


def unattributed(pull: PullCost) -> str:
    """What of the repository's month is tied to no pull; always told, also when it is nothing."""
    if pull.unattributed_month is None:
        return ""
    when = month_text(pull.unattributed_month)
    runs = pull.unattributed_agent_runs
    if not runs:
        return f"Unattributed in this repository in {when}, when this was written: nothing."
    amount = f" ({Amounts.of([pull.unattributed_in_repository]).total})" if pull.money else ""
    return f"Unattributed in this repository in {when}, when this was written: {count(runs, 'agent run')}{amount}."


def basis(money: bool, discounted: bool, own_prices: bool, price_lists: Sequence[str]) -> str:
    """Which number this is, and where its prices come from; or why there is none."""
    if not money:
        return (
            "No amounts: this repository is public. `public_repositories: show_money` in `mergemeter.yml` allows them."
        )
    which = "list prices less your discounts" if discounted else "list prices, no discount configured"
    if own_prices:
        which = f"your own prices, else list prices{' less your discounts' if discounted else ''}"
    return f"Estimate, not an invoice · contracted cost ({which}) · prices: {codes(tuple(price_lists), most=3)}"


def evidence_text(level: str) -> tuple[str, str]:
    """The label and the meaning of an evidence level."""
    return LEVELS.get(level, ("unknown", "evidence of a kind that this version does not know"))


def purpose_text(purpose: Purpose) -> str:
    return "CI fix" if purpose is Purpose.CI_FIX else str(purpose)


def _bound(pull: PullCost) -> str:
    """ "at least " where something is left out, "about " where something is estimated."""
    lines = pull.lines
    short = pull.open_jobs or any(
        line.completeness in {Completeness.LOWER_BOUND, Completeness.MISSING} or (pull.money and line.unpriced_calls)
        for line in lines
    )
    estimated = any(line.completeness is Completeness.ESTIMATED for line in lines)
    return ("at least " if short else "") + ("about " if estimated else "")


def _tied_by(pull: PullCost) -> str:
    counted = Counter(line.evidence for line in pull.lines)
    level = "E1" if counted["E1"] else max(sorted(counted), key=lambda each: counted[each])
    how = SHORT.get(level, evidence_text(level)[0])
    if counted[level] < len(pull.lines):
        return f"{counted[level]} {how}"
    return how if len(pull.lines) == 1 else f"all {how}"


def _purposes(lines: Sequence[AgentRunLine], amounts: Amounts) -> list[tuple[str, str]]:
    """Amount by purpose, where there is more than one."""
    known = [purpose for purpose in Purpose if any(line.purpose is purpose and line.cost_known for line in lines)]
    if len(known) < 2:
        return []
    return [
        (purpose_text(purpose), amounts.text(row for row, line in enumerate(lines) if line.purpose is purpose))
        for purpose in known
    ]


def _unpriced(pull: PullCost, out: str) -> list[str]:
    calls = sum(line.unpriced_calls for line in pull.lines)
    if not calls or not pull.money:
        return []
    models = tuple(dict.fromkeys(model for line in ordered(pull.lines) for model in line.unpriced_models))
    of = f" of model {codes(models)}" if len(models) == 1 else f" of models {codes(models, most=3)}" if models else ""
    verb = "has no price and is" if calls == 1 else "have no price and are"
    return [f"{count(calls, 'model call')}{of} {verb} {out}."]


def _incomplete(lines: Sequence[AgentRunLine], out: str) -> list[str]:
    said = []
    for kind in (Completeness.MISSING, Completeness.LOWER_BOUND, Completeness.ESTIMATED):
        of_kind = [line for line in ordered(lines) if line.completeness is kind]
        if not of_kind:
            continue
        runs = count(len(of_kind), "agent run")
        its = "its" if len(of_kind) == 1 else "their"
        sentence = {
            Completeness.MISSING: f"{runs} left no record: {its} usage is unknown and {out}",
            Completeness.LOWER_BOUND: f"{runs} left an incomplete record: {its} usage is at least what is shown",
            Completeness.ESTIMATED: f"{runs} left only an estimate of {its} usage",
        }[kind]
        reasons = list(
            dict.fromkeys(prose(line.completeness_reason, 120) for line in of_kind if line.completeness_reason)
        )
        because = f" ({'; '.join(reasons[:2])})" if reasons else ""
        said.append(f"{sentence}{because}.")
    return said


def _own_figures(pull: PullCost) -> list[str]:
    """Where the agents' own figures, which are at list prices, differ from ours by more than one percent.

    Only of agent runs of which both figures are whole: every call is here, whole and listed.
    """
    if not pull.money:
        return []
    whole = [line for line in pull.lines if line.cost_complete and not line.calls_counted_elsewhere]
    pairs = [
        (line.list_cost, line.reported_cost)
        for line in whole
        if line.list_cost is not None and line.reported_cost is not None
    ]
    ours, theirs = NanoUsd(sum(pair[0] for pair in pairs)), NanoUsd(sum(pair[1] for pair in pairs))
    if abs(ours - theirs) * 100 <= ours:
        return []
    runs = count(len(pairs), "agent run")
    return [f"For {runs} the agent itself says {dollars_text(theirs)}; at list prices it is {dollars_text(ours)}."]


def _counts(number: int) -> str:
    return "counts" if number == 1 else "count"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
