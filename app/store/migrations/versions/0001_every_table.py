"""The first schema: every table. Columns are as `app/store/tables.py` had them then; the CHECKs are only here."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, (items, keys) in tables().items():
        checks = [
            *(
                sa.CheckConstraint(f"{item.name} >= 0", name=f"ck_{name}_{item.name}")
                for item in items
                if counts(item.name)
            ),
            *(sa.CheckConstraint(rule, name=f"ck_{name}_{column}") for column, rule in RULES.get(name, {}).items()),
        ]
        op.create_table(name, *items, sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"), *checks)
    for index, table, columns, options in INDEXES:
        op.create_index(index, table, columns, **options)


def counts(column: str) -> bool:
    return column.endswith("_tokens") or column in COUNTERS


def string(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=nullable)


def long_text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def number(name: str, nullable: bool = False) -> sa.Column[Any]:
    # Never counted up by the database: SQLite would take a lone BIGINT key for that, PostgreSQL for BIGSERIAL.
    return sa.Column(name, sa.BigInteger(), nullable=nullable, autoincrement=False)


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def blob(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


COUNTERS = frozenset(
    (
        "attempts",
        "calls_counted_elsewhere",
        "creates_in_hour",
        "creates_in_minute",
        "fence",
        "model_calls",
        "revisions",
        "run_attempt",
        "unpriced_calls",
        "web_searches",
    )
)
RULES = {
    "balance": {"month": "month BETWEEN 200001 AND 999912"},
    "inbox": {"state": "state IN ('waiting', 'done', 'dead', 'ignored')"},
    "installation": {"state": "state IN ('active', 'suspended', 'deleted')"},
    "job": {"state": "state BETWEEN 0 AND 3"},
    "ledger_entry": {"month": "month BETWEEN 200001 AND 999912"},
    "model_call": {"reasoning": "reasoning_tokens <= output_tokens"},
    "pull": {"state": "state IN ('open', 'closed', 'merged')"},
    "tie": {"weight": "weight > 0"},
    "workflow_job": {"state": "state IN ('opened', 'closed', 'missing')"},
}


def tables() -> dict[str, tuple[list[sa.Column[Any]], list[str]]]:
    return {
        "agent_run": (
            [
                string("id"),
                number("account_id"),
                number("repository_id"),
                string("workflow_job_id"),
                string("record_id"),
                string("agent"),
                string("agent_version"),
                string("session"),
                string("team"),
                string("purpose"),
                long_text("labels"),
                string("completeness"),
                string("completeness_reason"),
                number("started_at_us"),
                number("ended_at_us"),
                number("model_calls"),
                number("calls_counted_elsewhere"),
                number("unpriced_calls"),
                long_text("models"),
                number("input_tokens"),
                number("cache_read_tokens"),
                number("cache_write_5m_tokens"),
                number("cache_write_1h_tokens"),
                number("cache_write_other_tokens"),
                number("output_tokens"),
                number("reasoning_tokens"),
                number("cost_nano_usd"),
                number("reported_cost_nano_usd", nullable=True),
                string("price_list"),
                string("body_sha256"),
                number("revisions"),
                string("evidence"),
                long_text("evidence_note"),
                long_text("tied_pulls"),
            ],
            ["id"],
        ),
        "balance": (
            [
                number("account_id"),
                number("repository_id"),
                string("book"),
                number("number"),
                number("month"),
                number("amount_nano_usd"),
            ],
            ["account_id", "repository_id", "book", "number", "month"],
        ),
        "bucket": (
            [
                number("account_id"),
                number("blocked_until_us"),
                number("next_write_at_us"),
                number("next_create_at_us"),
                number("minute_us"),
                number("creates_in_minute"),
                number("hour_us"),
                number("creates_in_hour"),
                number("remaining"),
            ],
            ["account_id"],
        ),
        "commit_made": (
            [
                number("account_id"),
                number("repository_id"),
                string("sha"),
                string("workflow_job_id"),
            ],
            ["account_id", "repository_id", "sha", "workflow_job_id"],
        ),
        "config_version": (
            [
                number("account_id"),
                string("source"),
                flag("public"),
                long_text("good_text"),
                long_text("read_text"),
                long_text("problems"),
                number("read_at_us"),
            ],
            ["account_id"],
        ),
        "effect": (
            [
                number("account_id"),
                string("key"),
                number("github_id", nullable=True),
                string("location"),
                string("body_sha256"),
                string("state"),
                long_text("note"),
                number("updated_at_us"),
            ],
            ["account_id", "key"],
        ),
        "inbox": (
            [
                string("delivery_id"),
                string("event"),
                string("action"),
                number("installation_id"),
                number("account_id"),
                number("repository_id"),
                blob("payload"),
                string("state"),
                number("received_at_us"),
            ],
            ["delivery_id"],
        ),
        "installation": (
            [
                number("account_id"),
                number("installation_id"),
                string("account_login"),
                string("account_type"),
                string("state"),
                long_text("permissions"),
                number("updated_at_us"),
            ],
            ["account_id"],
        ),
        "job": (
            [
                string("id"),
                number("account_id"),
                string("lane"),
                string("kind"),
                string("dedupe"),
                long_text("args"),
                number("run_at_us"),
                number("attempts"),
                number("state"),
                long_text("error"),
                number("created_at_us"),
            ],
            ["id"],
        ),
        "lane": (
            [
                string("key"),
                number("account_id"),
                number("next_at_us", nullable=True),
                number("lease_until_us"),
                number("fence"),
            ],
            ["key"],
        ),
        "ledger_entry": (
            [
                string("id"),
                number("account_id"),
                string("transaction_id"),
                string("book"),
                number("repository_id"),
                number("number"),
                string("agent_run_id"),
                number("month"),
                number("amount_nano_usd"),
                string("reason"),
                number("posted_at_us"),
            ],
            ["id"],
        ),
        "model_call": (
            [
                string("id"),
                number("account_id"),
                string("agent_run_id"),
                string("provider"),
                string("response_id"),
                string("model"),
                number("at_us"),
                number("input_tokens"),
                number("cache_read_tokens"),
                number("cache_write_5m_tokens"),
                number("cache_write_1h_tokens"),
                number("cache_write_other_tokens"),
                number("output_tokens"),
                number("reasoning_tokens"),
                number("web_searches"),
                string("service_tier"),
                string("speed"),
                flag("subagent"),
                number("cost_nano_usd", nullable=True),
            ],
            ["id"],
        ),
        "pull": (
            [
                number("account_id"),
                number("repository_id"),
                number("number"),
                long_text("title"),
                string("state"),
                flag("draft"),
                flag("locked"),
                string("head_ref"),
                string("head_sha"),
                number("head_repository_id", nullable=True),
                string("base_ref"),
                number("author_id"),
                number("created_at_us"),
                number("closed_at_us", nullable=True),
                number("merged_at_us", nullable=True),
                string("merge_commit_sha", nullable=True),
                number("reverts_number", nullable=True),
                number("read_at_us"),
            ],
            ["account_id", "repository_id", "number"],
        ),
        "pull_commit": (
            [
                number("account_id"),
                number("repository_id"),
                number("number"),
                string("sha"),
                number("committed_at_us"),
            ],
            ["account_id", "repository_id", "number", "sha"],
        ),
        "pull_head": (
            [
                number("account_id"),
                number("repository_id"),
                number("number"),
                string("sha"),
            ],
            ["account_id", "repository_id", "number", "sha"],
        ),
        "record": (
            [
                string("id"),
                number("account_id"),
                string("workflow_job_id"),
                string("phase"),
                string("state"),
                long_text("claims"),
                blob("body"),
                string("body_sha256"),
                number("received_at_us"),
            ],
            ["id"],
        ),
        "repository": (
            [
                number("account_id"),
                number("repository_id"),
                string("owner"),
                string("name"),
                string("default_branch"),
                string("visibility"),
                flag("archived"),
                flag("has_issues"),
                string("state"),
                number("updated_at_us"),
            ],
            ["account_id", "repository_id"],
        ),
        "schedule": (
            [
                string("name"),
                number("next_at_us"),
            ],
            ["name"],
        ),
        "tie": (
            [
                number("account_id"),
                string("agent_run_id"),
                number("repository_id"),
                number("number"),
                string("evidence"),
                long_text("note"),
                number("weight"),
            ],
            ["account_id", "agent_run_id", "repository_id", "number"],
        ),
        "used_token": (
            [
                string("issuer"),
                string("jti"),
                number("account_id"),
                string("body_sha256"),
                number("expires_at_us"),
            ],
            ["issuer", "jti"],
        ),
        "workflow_job": (
            [
                string("id"),
                number("account_id"),
                string("issuer"),
                number("repository_id"),
                number("run_id"),
                number("run_attempt"),
                string("job_key"),
                number("check_run_id", nullable=True),
                string("event_name"),
                string("ref"),
                string("head_ref"),
                string("base_ref"),
                number("actor_id"),
                string("workflow"),
                string("workflow_ref"),
                string("job_workflow_ref"),
                long_text("repository_properties"),
                string("job_name"),
                string("matrix"),
                number("pull_number", nullable=True),
                long_text("commits_made"),
                number("started_at_us"),
                string("run_head_sha", nullable=True),
                string("run_head_branch", nullable=True),
                string("run_event", nullable=True),
                number("run_actor_id", nullable=True),
                string("run_path", nullable=True),
                number("run_created_at_us", nullable=True),
                number("run_started_at_us", nullable=True),
                string("run_state"),
                string("state"),
                number("opened_at_us"),
                number("closed_at_us", nullable=True),
            ],
            ["id"],
        ),
    }


INDEXES: list[tuple[str, str, list[str], dict[str, Any]]] = [
    ("ix_agent_run_repository", "agent_run", ["account_id", "repository_id", "started_at_us"], {}),
    ("uq_agent_run_identity", "agent_run", ["account_id", "workflow_job_id", "agent", "session"], {"unique": True}),
    ("ix_balance_month", "balance", ["account_id", "month"], {}),
    ("ix_inbox_received_at_us", "inbox", ["received_at_us"], {}),
    ("ix_installation_installation_id", "installation", ["installation_id"], {}),
    (
        "ix_job_lane",
        "job",
        ["lane", "run_at_us", "id"],
        {"sqlite_where": sa.text("state = 0"), "postgresql_where": sa.text("state = 0")},
    ),
    ("ix_job_state", "job", ["state", "created_at_us"], {}),
    (
        "uq_job_waiting",
        "job",
        ["dedupe"],
        {"unique": True, "sqlite_where": sa.text("state = 0"), "postgresql_where": sa.text("state = 0")},
    ),
    (
        "ix_lane_next",
        "lane",
        ["next_at_us"],
        {"sqlite_where": sa.text("next_at_us IS NOT NULL"), "postgresql_where": sa.text("next_at_us IS NOT NULL")},
    ),
    ("ix_ledger_entry_agent_run", "ledger_entry", ["account_id", "agent_run_id"], {}),
    ("ix_ledger_entry_book", "ledger_entry", ["account_id", "repository_id", "month", "book"], {}),
    ("ix_model_call_agent_run", "model_call", ["agent_run_id"], {}),
    ("uq_model_call_identity", "model_call", ["account_id", "provider", "response_id"], {"unique": True}),
    ("ix_pull_branch", "pull", ["account_id", "repository_id", "head_ref"], {}),
    ("ix_pull_commit_sha", "pull_commit", ["account_id", "repository_id", "sha"], {}),
    ("ix_pull_head_sha", "pull_head", ["account_id", "repository_id", "sha"], {}),
    ("ix_record_account_id", "record", ["account_id"], {}),
    ("ix_record_workflow_job_id", "record", ["workflow_job_id"], {}),
    ("ix_tie_pull", "tie", ["account_id", "repository_id", "number"], {}),
    ("ix_used_token_expires_at_us", "used_token", ["expires_at_us"], {}),
    ("ix_workflow_job_pull", "workflow_job", ["account_id", "repository_id", "pull_number"], {}),
    ("ix_workflow_job_ref", "workflow_job", ["account_id", "repository_id", "ref"], {}),
    ("ix_workflow_job_sha", "workflow_job", ["account_id", "repository_id", "run_head_sha"], {}),
    (
        "uq_workflow_job_identity",
        "workflow_job",
        ["account_id", "issuer", "repository_id", "run_id", "run_attempt", "job_key"],
        {"unique": True},
    ),
]
