"""Whether the books agree with themselves: transactions that sum to zero, balances, and charges of model calls."""

from sqlalchemy import text
from sqlmodel import Session

MOST = 20


def unbalanced_transactions(session: Session, account_id: int) -> list[str]:
    """A sentence for each transaction of the ledger that does not sum to zero."""
    rows = session.connection().execute(UNBALANCED, {"account_id": account_id, "most": MOST})
    return [f"ledger transaction {each} is off by {off} nano-USD" for each, off in rows]


def wrong_balances(session: Session, account_id: int) -> list[str]:
    """A sentence for each balance that is not what its entries sum to."""
    rows = session.connection().execute(BALANCES, {"account_id": account_id, "most": MOST})
    return [
        f"the balance of {book} {repository_id}{f'#{number}' if number else ''} in {month} is {off} nano-USD off its"
        " ledger entries"
        for repository_id, book, number, month, off in rows
    ]


def wrong_runs(session: Session, account_id: int) -> list[str]:
    """A sentence for each agent run whose ledger entries, own figure and priced model calls are not the same amount."""
    rows = session.connection().execute(RUNS, {"account_id": account_id, "most": MOST})
    return [
        f"agent run {each}: the ledger has {booked} nano-USD, the agent run {told}, its model calls {called}"
        for each, booked, told, called in rows
    ]


def wrong_models(session: Session, account_id: int) -> list[str]:
    """A sentence for each model of an agent run that is not said to cost what its priced model calls do."""
    connection = session.connection()
    statement = text(MODELS.format(models=EACH_MODEL[connection.dialect.name]))
    rows = connection.execute(statement, {"account_id": account_id, "most": MOST})
    return [
        f"agent run {each}: it has {told} nano-USD of {model}, its model calls {called}"
        for each, model, told, called in rows
    ]


UNBALANCED = text("""
    SELECT transaction_id, SUM(amount_nano_usd) FROM ledger_entry WHERE account_id = :account_id
    GROUP BY transaction_id HAVING SUM(amount_nano_usd) <> 0 ORDER BY transaction_id LIMIT :most
""")
BALANCES = text("""
    SELECT repository_id, book, number, month, SUM(amount) FROM (
        SELECT repository_id, book, number, month, amount_nano_usd AS amount FROM balance WHERE account_id = :account_id
        UNION ALL
        SELECT repository_id, book, number, month, -amount_nano_usd FROM ledger_entry WHERE account_id = :account_id
    ) AS held
    GROUP BY repository_id, book, number, month HAVING SUM(amount) <> 0
    ORDER BY repository_id, book, number, month LIMIT :most
""")
RUNS = text("""
    SELECT id, SUM(booked), SUM(told), SUM(called) FROM (
        SELECT agent_run_id AS id, -amount_nano_usd AS booked, 0 AS told, 0 AS called FROM ledger_entry
        WHERE account_id = :account_id AND book = 'usage'
        UNION ALL
        SELECT id, 0, cost_nano_usd, 0 FROM agent_run WHERE account_id = :account_id
        UNION ALL
        SELECT agent_run_id, 0, 0, cost_nano_usd FROM model_call
        WHERE account_id = :account_id AND cost_nano_usd IS NOT NULL
    ) AS held
    GROUP BY id HAVING SUM(booked) <> SUM(told) OR SUM(told) <> SUM(called) ORDER BY id LIMIT :most
""")
EACH_MODEL = {
    "sqlite": "json_each(agent_run.models) AS each",
    "postgresql": "jsonb_each_text(CAST(agent_run.models AS jsonb)) AS each",
}
# Of models that the agent run names: it names the most used ones alone.
MODELS = """
    SELECT id, model, SUM(told), SUM(called) FROM (
        SELECT agent_run.id, each.key AS model, CAST(each.value AS bigint) AS told, 0 AS called, 1 AS named
        FROM agent_run, {models} WHERE agent_run.account_id = :account_id
        UNION ALL
        SELECT agent_run_id, model, 0, cost_nano_usd, 0 FROM model_call
        WHERE account_id = :account_id AND cost_nano_usd IS NOT NULL
    ) AS held
    GROUP BY id, model HAVING SUM(named) > 0 AND SUM(told) <> SUM(called) ORDER BY id, model LIMIT :most
"""
