"""The tables of a statement's issue. Each adds up to its last row, and says where the rows are that did not fit."""

from collections.abc import Iterator, Sequence

from app.core.chargeback.statement import Figures, Line
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.report.escape import NOTHING, code, codes, link, prose
from app.core.report.numbers import count
from app.core.report.statement import said
from app.core.report.statement.paper import Paper
from app.core.report.statement.parts import Numbered, NumberedAdjustment, by_repository, composition, numbered
from app.core.report.statement.parts import adjustments as adjustments_of
from app.core.report.tables import folded, table
from app.core.report.words import month_text

# Characters at most, so that together with the lines they fit into an issue.
REPOSITORIES, ADJUSTMENTS, OTHERS = 9_000, 9_000, 5_000
LINES_HEAD = ["Line", "Pull", "Agent runs", "Agents", "Models", "Amount"]
PARTS_NAMED = 2


def elsewhere(paper: Paper) -> str:
    """Where all the rows are of which a table holds some."""
    return f"all of them by {code(f'{said.SHOW} {paper.statement.number} --form csv', 120)}"


def composed(paper: Paper) -> str:
    """What the total is made of; the last row is the total."""
    rows = [
        [item.label, count(item.count, item.noun) if item.count else "", said.cents_text(item.cents)]
        for item in composition(paper.statement)
    ]
    total = ["**Total**", "", f"**{said.cents_text(paper.statement.total_cents)}**"]
    return table(["Part", "", "Amount"], "lrr", [*rows, total])


def compared(paper: Paper) -> str:
    """Month by month, this one last, and how it differs from the one before."""
    head = ["Month", "Charges", "Per merged PR", "Cohort", "Direct", "Merged PRs", "Token yield", "Dead spend"]
    figures = paper.statement.figures
    rows = [_month(paper, each, before) for each, before in zip(figures, [None, *figures], strict=False)]
    return table(head, "lrrrrrrr", rows)


def _month(paper: Paper, of: Figures, before: Figures | None) -> list[str]:
    name, cells = month_text(of.month), said.compared(of, before)
    if of.month == paper.statement.month:
        return [f"**{name}**", *(f"**{cell}**" if cell != NOTHING else cell for cell in cells)]
    return [name, *cells]


def repositories(paper: Paper) -> str:
    """One row for each repository, those that do not fit in one, and the total of the lines."""
    sums = by_repository(paper.statement)
    rows = []
    for each in sums:
        loose = sum(cents for book, cents in each.cents.items() if book != Book.PULL)
        money = [said.cents_text(amount) for amount in (each.cents.get(Book.PULL, 0), loose, each.total)]
        rows.append([code(each.repository, 100), f"{each.pulls:,}", f"{each.agent_runs:,}", *money])
    kept = _fitting(rows, REPOSITORIES)
    if rest := sums[len(kept) :]:
        of_pulls = sum(each.cents.get(Book.PULL, 0) for each in rest)
        total = sum(each.total for each in rest)
        money = [said.cents_text(amount) for amount in (of_pulls, total - of_pulls, total)]
        runs = f"{sum(each.agent_runs for each in rest):,}"
        kept.append([f"… and {len(rest):,} more", f"{sum(each.pulls for each in rest):,}", runs, *money])
    whole = sum(line.cents for line in paper.statement.lines)
    kept.append(["**Total of the lines**", "", "", "", "", f"**{said.cents_text(whole)}**"])
    return table(["Repository", "Pulls", "Agent runs", "For pulls", "Without a pull", "Amount"], "lrrrrr", kept)


def lines(paper: Paper, room: int) -> Iterator[str]:
    """The lines, the dearest first, folded, in so many characters."""
    rows = numbered(paper.statement)
    if not rows:
        return
    covered = any(row.line.covered for row in rows)
    cells = [_line(paper, row, covered) for row in rows]
    kept = _fitting(cells, room - 600)
    if rest := rows[len(kept) :]:
        runs = f"{sum(row.line.agent_runs for row in rest):,}"
        kept.append(["…", f"{count(len(rest), 'more line')}: {elsewhere(paper)}", runs, "", "", *_money(rest, covered)])
    kept.append(["**Total**", "", "", "", "", *(f"**{cell}**" if cell else "" for cell in _money(rows, covered))])
    head = [*LINES_HEAD[:-1], "Covered", "Amount"] if covered else LINES_HEAD
    yield folded(count(len(rows), "line"), table(head, "llrll" + ("rr" if covered else "r"), kept))


def _line(paper: Paper, row: Numbered, covered: bool) -> list[str]:
    line = row.line
    agents, models = (tuple(dict.fromkeys(each)) for each in _agents_and_models(line))
    named = [codes(agents, PARTS_NAMED), codes(models, PARTS_NAMED)]
    return [f"{row.number}", place(paper, line), f"{line.agent_runs:,}", *named, *_money([row], covered)]


def _agents_and_models(line: Line) -> tuple[list[str], list[str]]:
    dearest = sorted(line.parts, key=lambda part: (-part.amount, -part.covered, part.agent, part.model))
    return [part.agent for part in dearest if part.agent], [part.model for part in dearest if part.model]


def place(paper: Paper, line: Line) -> str:
    """The pull with its link, or the repository and why there is no pull."""
    if line.book == Book.PULL:
        name = code(f"{line.repository}#{line.number}", 110)
        return link(name, paper.pull_url(line.repository, line.number, quiet=True))
    return f"{code(line.repository, 100)}, {said.BOOK_TEXT.get(Book(line.book), 'other')}"


def _money(rows: Sequence[Numbered], covered: bool) -> list[str]:
    amount = said.cents_text(sum(row.line.cents for row in rows))
    if not covered:
        return [amount]
    worth = sum(row.line.covered for row in rows)
    return [said.nano_text(NanoUsd(worth)) if worth else "", amount]


def fees(paper: Paper) -> str:
    """The fees that this cost center pays alone."""
    own = paper.statement.fees
    rows = [[code(each.subscription), code(each.vendor), f"{each.seats:,}" if each.seats else ""] for each in own]
    kept = _summed(rows, [each.cents for each in own])
    return table(["Subscription", "Vendor", "Seats", "Amount"], "llrr", kept)


def shared(paper: Paper) -> str:
    """Its part of each shared cost, and by what rule."""
    own = paper.statement.shared
    rows = [[code(each.label or each.pool), said.nano_text(each.pool_total), said.method_text(each)] for each in own]
    kept = _summed(rows, [each.cents for each in own])
    return table(["What is shared", "Its whole cost", "How", "This part"], "lrlr", kept)


def _summed(rows: list[list[str]], cents: Sequence[int]) -> list[list[str]]:
    """Rows of three cells with their amounts, those that do not fit in one, and the total."""
    kept = _fitting([[*row, said.cents_text(amount)] for row, amount in zip(rows, cents, strict=True)], OTHERS)
    if rest := cents[len(kept) :]:
        kept.append([f"… and {len(rest):,} more", "", "", said.cents_text(sum(rest))])
    return [*kept, ["**Total**", "", "", f"**{said.cents_text(sum(cents))}**"]]


def adjustments(paper: Paper) -> str:
    """Each with the month that it is of, why, and what it rests on."""
    all_of_them = adjustments_of(paper.statement)
    rows = [_adjustment(paper, row) for row in all_of_them]
    kept = _fitting(rows, ADJUSTMENTS)
    if rest := all_of_them[len(kept) :]:
        cents = said.cents_text(sum(row.adjustment.cents for row in rest))
        kept.append(["…", "", "", f"{count(len(rest), 'more adjustment')}: {elsewhere(paper)}", "", "", cents])
    cents = said.cents_text(sum(each.cents for each in paper.statement.adjustments))
    kept.append(["**Total**", "", "", "", "", "", f"**{cents}**"])
    return table(["Line", "Of", "Kind", "What", "Reason", "Evidence", "Amount"], "llllllr", kept)


def _adjustment(paper: Paper, row: NumberedAdjustment) -> list[str]:
    each = row.adjustment
    what = NOTHING
    if each.book == Book.PULL:
        name = code(f"{each.repository}#{each.number}", 110)
        what = link(name, paper.pull_url(each.repository, each.number, quiet=True))
    elif each.repository:
        book = f", {said.BOOK_TEXT[Book(each.book)]}" if each.book else ""
        what = f"{code(each.repository, 100)}{book}"
    return [
        row.number, month_text(each.original), said.KIND_TEXT[each.kind], what, prose(each.reason) or NOTHING,
        prose(each.evidence) or NOTHING, said.cents_text(each.cents),
    ]  # fmt: skip


def _fitting(rows: list[list[str]], room: int) -> list[list[str]]:
    """The first rows that fit into so many characters; a single row more than fits is kept rather than summed."""
    kept, size = [], 0
    for row in rows:
        size += sum(map(len, row)) + 3 * len(row) + 2
        if size > room:
            break
        kept.append(row)
    return kept
