"""The first schema: every table. Columns are as `app/store/tables.py` had them then; the CHECKs are only here.

A table is written as `key columns | other columns`, a column as `name kind`, with `?` where NULL has a meaning.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, line in TABLES.items():
        keys, _, others = line.partition("|")
        op.create_table(
            name,
            *(column(part) for part in f"{keys}, {others}".split(",") if part.strip()),
            sa.PrimaryKeyConstraint(*(part.split()[0] for part in keys.split(",")), name=f"pk_{name}"),
            *(sa.CheckConstraint(rule, name=f"ck_{name}_{part}") for part, rule in rules(name, line)),
        )
    for index, table, columns, options in INDEXES:
        op.create_index(index, table, columns.split(), **options)


def column(text: str) -> sa.Column[Any]:
    name, kind = text.split()
    if kind == "sequence":
        return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True)
    # Never counted up by the database: SQLite would take a lone integer key for that, PostgreSQL for BIGSERIAL.
    return sa.Column(name, KINDS[kind.rstrip("?")](), nullable=kind.endswith("?"), autoincrement=False)


def rules(table: str, line: str) -> list[tuple[str, str]]:
    names = [part.split()[0] for part in line.replace("|", ",").split(",") if part.strip()]
    counts = [(name, f"{name} >= 0") for name in names if name.endswith("_tokens") or name in COUNTERS]
    return [*counts, *RULES.get(table, {}).items()]


def waiting(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


# By bytes, as SQLite compares and sorts text: PostgreSQL would ask the system's language for each step of an index.
KINDS: dict[str, Any] = {
    "string": lambda: sa.String().with_variant(sa.String(collation="C"), "postgresql"),
    "text": lambda: sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "number": sa.BigInteger,
    "flag": sa.Boolean,
    "blob": sa.LargeBinary,
}

COUNTERS = frozenset(
    (
        "attempts",
        "calls_counted_elsewhere",
        "creates_in_hour",
        "creates_in_minute",
        "fence",
        "model_calls",
        "recorded_jobs",
        "revisions",
        "run_attempt",
        "runs",
        "unlisted_calls",
        "unpriced_calls",
        "web_searches",
    )
)
RULES = {
    "access_token": {"scope": "scope IN ('ingest', 'read', 'metrics')"},
    "adjustment": {"month": "month BETWEEN 200001 AND 999912"},
    "agent_run": {"provenance": "provenance IN ('job', 'relayed', 'token', 'vendor')"},
    "balance": {"month": "month BETWEEN 200001 AND 999912"},
    "inbox": {"state": "state IN ('waiting', 'done', 'dead', 'ignored')"},
    "installation": {"state": "state IN ('active', 'suspended', 'deleted')"},
    "job": {"state": "state BETWEEN 0 AND 3"},
    "ledger_entry": {"month": "month BETWEEN 200001 AND 999912"},
    "model_call": {"reasoning": "reasoning_tokens <= output_tokens"},
    "period": {"state": "state IN ('closing', 'closed')", "month": "month BETWEEN 200001 AND 999912"},
    "pull": {"state": "state IN ('open', 'closed', 'merged')"},
    "pull_reading": {"part": "part IN ('', 'open', 'closed')"},
    "statement": {
        "state": "state IN ('issued', 'accepted', 'disputed', 'replaced', 'posted')",
        "month": "month BETWEEN 200001 AND 999912",
    },
    "surveyed_workflow": {"month": "month BETWEEN 200001 AND 999912"},
    "telemetry_total": {"value": "value >= 0"},
    "tie": {"weight": "weight >= 0"},
    "vendor_cost": {"day": "day BETWEEN 0 AND 31"},
    "vendor_invoice_line": {
        "day": "day BETWEEN 0 AND 31",
        "kind": "kind IN ('usage', 'credit', 'fee', 'tax')",
    },
    "undelivered": {"state": "state IN ('lost', 'arrived', 'gone')"},
    "workflow_job": {"state": "state IN ('opened', 'closed', 'missing')"},
}
TABLES = {
    "access_token": """
        id string | account_id number, scope string, name string, sha256 string, created_at_us number,
        revoked_at_us number?, used_at_us number?
    """,
    "adjustment": """
        id string | account_id number, month number, original_month number, cost_center string, amount_nano_usd number,
        kind string, reason text, evidence text, transfer string, once string, actor string, created_at_us number
    """,
    "agent_task_reading": """
        account_id number, repository_id number | read_until_us number
    """,
    "agent_run": """
        id string | account_id number, repository_id number, workflow_job_id string, record_id string,
        agent string, agent_version string, provenance string, session string, team string, purpose string, labels text,
        completeness string, completeness_reason string, started_at_us number, ended_at_us number,
        model_calls number, calls_counted_elsewhere number, unpriced_calls number, models text,
        input_tokens number, cache_read_tokens number, cache_write_5m_tokens number,
        cache_write_1h_tokens number, cache_write_other_tokens number, output_tokens number,
        reasoning_tokens number, cost_nano_usd number, list_cost_nano_usd number, unlisted_calls number,
        reported_cost_nano_usd number?, price_list string,
        body_sha256 string, shape text?, revisions number, pulls_named text, evidence string, evidence_note text,
        tied_pulls text
    """,
    "balance": """
        account_id number, repository_id number, book string, number number, month number |
        amount_nano_usd number
    """,
    "bucket": """
        account_id number | blocked_until_us number, next_write_at_us number, next_create_at_us number,
        offered_until_us number, minute_us number, creates_in_minute number, hour_us number,
        creates_in_hour number, remaining number, rests_until_us number
    """,
    "commit_made": """
        account_id number, repository_id number, sha string, workflow_job_id string |
    """,
    "config_version": """
        account_id number | source string, public flag, good_text text, read_text text, problems text,
        read_at_us number
    """,
    "correction": """
        id string | account_id number, agent_run_id string, before_cost_nano_usd number,
        after_cost_nano_usd number, before_list_cost_nano_usd number, after_list_cost_nano_usd number,
        before_price_list string, after_price_list string, before_calls blob, reason string,
        corrected_at_us number
    """,
    "delivery_sweep": """
        app_id number | swept_until_us number, newest_us number, cursor string, arriving flag, read_at_us number
    """,
    "effect": """
        account_id number, key string | github_id number?, repository_id number, location string, body_sha256 string,
        state string, note text, updated_at_us number
    """,
    "inbox": """
        delivery_id string | event string, action string, installation_id number, account_id number,
        repository_id number, payload blob, state string, received_at_us number
    """,
    "installation": """
        account_id number | installation_id number, account_login string, account_type string, state string,
        permissions text, updated_at_us number
    """,
    "job": """
        id string | account_id number, lane string, kind string, dedupe string, args text, run_at_us number,
        attempts number, state number, error text, created_at_us number
    """,
    "journal": """
        account_id number, number string | month number, kind string, reverses string, currency string,
        total_cents number, lines blob, sha256 string, kept_sha256 string, actor string, created_at_us number
    """,
    "lane": """
        key string | account_id number, next_at_us number?, lease_until_us number, fence number
    """,
    "ledger_entry": """
        id sequence | account_id number, transaction_id string, book string, repository_id number,
        number number, agent_run_id string, month number, amount_nano_usd number, reason string,
        posted_at_us number
    """,
    "manual_link": """
        id string | account_id number, agent_run_id string, repository_id number, number number?, reason text,
        user_id number, login string, source string, at_us number
    """,
    "model_call": """
        agent_run_id string, position number | account_id number, identity blob, provider string,
        response_id string, model string, at_us number, input_tokens number, cache_read_tokens number,
        cache_write_5m_tokens number,
        cache_write_1h_tokens number, cache_write_other_tokens number, output_tokens number,
        reasoning_tokens number, web_searches number, service_tier string, speed string, subagent flag,
        cost_nano_usd number?, list_cost_nano_usd number?, price_list string
    """,
    "period": """
        account_id number, month number | state string, ledger_until number, config_text text, config_public flag,
        findings text, early flag, actor string, closing_at_us number, closed_at_us number?
    """,
    "property_reading": """
        account_id number | name string, state string, editors string, read_at_us number
    """,
    "property_value": """
        account_id number, repository_id number, name string, since_us number | value string,
        read_at_us number
    """,
    "pull": """
        account_id number, repository_id number, number number | title text, state string, draft flag,
        locked flag, head_ref string, head_sha string, head_repository_id number?, base_ref string,
        author_id number, created_at_us number, closed_at_us number?, merged_at_us number?,
        merge_commit_sha string?, reverts_number number?, reverts_shas text,
        reverts_only flag, lines_changed number?, github_id number?, read_at_us number
    """,
    "pull_commit": """
        account_id number, repository_id number, number number, sha string | committed_at_us number
    """,
    "pull_head": """
        account_id number, repository_id number, number number, sha string |
    """,
    "pull_issue": """
        account_id number, repository_id number, number number, issue number |
    """,
    "pull_named": """
        account_id number, repository_id number, number number, workflow_job_id string |
    """,
    "pull_told": """
        account_id number, repository_id number, github_id number, workflow_job_id string |
    """,
    "pull_reading": """
        account_id number, repository_id number | read_until_us number?, part string, page number, since_us number,
        started_at_us number, back_to_us number?, listed number, added number, read_again number, updated_at_us number
    """,
    "record": """
        id string | account_id number, workflow_job_id string, phase string, state string, claims text,
        body blob, body_sha256 string, received_at_us number
    """,
    "repository": """
        account_id number, repository_id number | owner string, name string, default_branch string,
        visibility string, archived flag, has_issues flag, state string, updated_at_us number
    """,
    "rollup": """
        account_id number, month number, dimension string, repository_id number | sums text
    """,
    "rollup_mark": """
        id string | account_id number, repository_id number
    """,
    "rollup_state": """
        account_id number, repository_id number | stamp string, computed_by string, first_month number,
        last_month number, has_pulls flag, linked text, holds_until_us number?, computed_at_us number, took_us number
    """,
    "schedule": """
        name string | next_at_us number
    """,
    "statement": """
        account_id number, month number, cost_center string, version number | number string, link number, state string,
        chargeback flag, total_nano_usd number, total_cents number, document blob, sha256 string,
        kept_sha256 string, previous_sha256 string, journal string, issued_at_us number, state_at_us number
    """,
    "statement_event": """
        id string | account_id number, month number, cost_center string, version number, event string, user_id number,
        login string, reason text, source string, at_us number
    """,
    "surveyed_workflow": """
        account_id number, repository_id number, month number, path string | agents text, own_step flag,
        runs number?, recorded_jobs number, surveyed_at_us number
    """,
    "telemetry_total": """
        account_id number, agent string, session string, series string, start_us number | kind string, value number
    """,
    "tie": """
        account_id number, agent_run_id string, repository_id number, number number | evidence string,
        note text, weight number
    """,
    "undelivered": """
        guid string | delivery_id number, event string, delivered_at_us number, state string, asked number,
        asked_at_us number, due_at_us number
    """,
    "used_token": """
        issuer string, jti string | account_id number, body_sha256 string, expires_at_us number
    """,
    "vendor_cost": """
        account_id number, vendor string, vendor_account string, model string, month number, day number |
        version number, billed_nano_usd number, list_nano_usd number?, input_tokens number, cache_read_tokens number,
        cache_write_5m_tokens number, cache_write_1h_tokens number, cache_write_other_tokens number,
        output_tokens number, changed_at_us number, read_at_us number
    """,
    "vendor_cost_past": """
        account_id number, vendor string, vendor_account string, model string, month number, day number,
        version number | billed_nano_usd number, list_nano_usd number?, changed_at_us number, replaced_at_us number
    """,
    "vendor_day": """
        account_id number, vendor string, vendor_account string, month number, day number | read_at_us number
    """,
    "vendor_invoice": """
        account_id number, vendor string, invoice_id string, version number | current flag, file_sha256 string,
        lines number, left_out number, billed_nano_usd number, imported_at_us number
    """,
    "vendor_invoice_line": """
        account_id number, vendor string, invoice_id string, version number, line_id string | vendor_account string,
        model string, month number, day number, kind string, description text, quantity string, unit string,
        billed_nano_usd number, list_nano_usd number?
    """,
    "vendor_reading": """
        account_id number, vendor string | selection text, since_day number, began_at_us number?, ended_at_us number?,
        problem text, left_out number
    """,
    "workflow_job": """
        id string | account_id number, issuer string, repository_id number, run_id number, run_attempt number,
        job_key string, check_run_id number?, event_name string, ref string, head_ref string, base_ref string,
        actor_id number, workflow string, workflow_ref string, job_workflow_ref string,
        repository_properties text, job_name string, matrix string, pull_number number?, issue_number number?,
        named_read number?, commits_made text, started_at_us number, run_head_sha string?, run_head_branch string?,
        run_event string?, run_actor_id number?, run_path string?, run_created_at_us number?, run_started_at_us number?,
        run_state string, run_conclusion string?, run_ended_at_us number?, state string, opened_at_us number,
        closed_at_us number?
    """,
}
INDEXES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("ix_adjustment_month", "adjustment", "account_id month", {}),
    ("uq_adjustment_once", "adjustment", "account_id once", {"unique": True}),
    ("uq_access_token_sha256", "access_token", "sha256", {"unique": True}),
    ("ix_agent_run_ended", "agent_run", "account_id agent ended_at_us", {}),
    ("ix_agent_run_repository", "agent_run", "account_id repository_id started_at_us", {}),
    ("ix_agent_run_tied", "agent_run", "account_id repository_id", {**waiting("tied_pulls <> '[]'")}),
    ("uq_agent_run_identity", "agent_run", "account_id workflow_job_id agent session", {"unique": True}),
    ("ix_balance_month", "balance", "account_id month", {}),
    ("ix_correction_agent_run", "correction", "account_id agent_run_id", {}),
    ("ix_effect_place", "effect", "account_id repository_id github_id", {**waiting("repository_id <> 0")}),
    ("ix_inbox_received_at_us", "inbox", "received_at_us", {}),
    ("ix_installation_installation_id", "installation", "installation_id", {}),
    ("ix_job_lane", "job", "lane run_at_us id", {**waiting("state < 2")}),
    ("ix_job_state", "job", "state created_at_us", {}),
    ("uq_job_waiting", "job", "dedupe", {"unique": True, **waiting("state = 0")}),
    ("ix_lane_next", "lane", "next_at_us", {**waiting("next_at_us IS NOT NULL")}),
    ("ix_ledger_entry_agent_run", "ledger_entry", "account_id agent_run_id", {}),
    ("ix_ledger_entry_book", "ledger_entry", "account_id repository_id month book", {}),
    ("ix_manual_link_agent_run", "manual_link", "account_id agent_run_id", {}),
    ("uq_model_call_identity", "model_call", "identity", {"unique": True}),
    ("ix_pull_branch", "pull", "account_id repository_id head_ref", {}),
    ("ix_pull_github_id", "pull", "account_id repository_id github_id", {}),
    ("ix_pull_merge_commit", "pull", "account_id repository_id merge_commit_sha", {}),
    (
        "ix_pull_reverting",
        "pull",
        "account_id repository_id",
        {**waiting("(reverts_number IS NOT NULL OR reverts_shas <> '[]')")},
    ),
    ("ix_pull_commit_sha", "pull_commit", "account_id repository_id sha number", {}),
    ("ix_pull_issue_issue", "pull_issue", "account_id repository_id issue number", {}),
    ("ix_pull_head_sha", "pull_head", "account_id repository_id sha number", {}),
    ("ix_pull_told_job", "pull_told", "workflow_job_id", {}),
    ("ix_record_account_id", "record", "account_id", {}),
    ("ix_record_workflow_job_id", "record", "workflow_job_id", {}),
    ("ix_rollup_mark_account_id", "rollup_mark", "account_id", {}),
    ("ix_rollup_repository", "rollup", "account_id repository_id", {}),
    ("ix_statement_event_statement", "statement_event", "account_id month cost_center", {}),
    ("uq_statement_link", "statement", "account_id link", {"unique": True}),
    ("ix_tie_pull", "tie", "account_id repository_id number", {}),
    ("ix_vendor_invoice_line_month", "vendor_invoice_line", "account_id month", {}),
    ("ix_undelivered_due", "undelivered", "state due_at_us", {}),
    ("ix_used_token_expires_at_us", "used_token", "expires_at_us", {}),
    (
        "ix_workflow_job_issue",
        "workflow_job",
        "account_id repository_id issue_number",
        {**waiting("issue_number IS NOT NULL")},
    ),
    ("ix_workflow_job_pull", "workflow_job", "account_id repository_id pull_number", {}),
    ("ix_workflow_job_ref", "workflow_job", "account_id repository_id ref", {}),
    ("ix_workflow_job_sha", "workflow_job", "account_id repository_id run_head_sha", {}),
    (
        "uq_workflow_job_identity",
        "workflow_job",
        "account_id issuer repository_id run_id run_attempt job_key",
        {"unique": True},
    ),
]
