"""Put on a pull what it cost: one check run on its head and one comment, written only when they say something new.

The check appears once an agent run is tied to the pull and follows its head. The comment is posted once, at the
merge unless the configuration says otherwise, and edited in place from then on.
"""

import json
import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.config import Config
from app.core.events import RerequestEvent
from app.core.facts import PullState
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.outcomes import Refused
from app.core.report.annotations import annotations, workflow_paths
from app.core.report.check import check
from app.core.report.comment import comment, wanted
from app.core.report.marker import Kind, marker
from app.core.report.values import AgentRunLine, Annotation, PullCost
from app.core.usage import Completeness, Provenance, Purpose, Tokens
from app.core.workflow_lines import own_workflow
from app.store.accounts import repository_of
from app.store.configs import config_in_force
from app.store.costs import TiedRun, open_jobs_on_pull, tied_runs, ties_naming, unattributed_of
from app.store.effect_tables import Effect
from app.store.effects import effect_of, fingerprint, overtaken, write_effect
from app.store.jobs import pull_job
from app.store.keys import instant
from app.store.pulls import PullKey, pull_of
from app.store.queue import Job, enqueue
from app.store.tables import Pull, Repository
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is said on one pull, and where it goes."""

    key: PullKey
    repository: Repository
    pull: Pull
    cost: PullCost
    config: Config


def on_rerequest(event: RerequestEvent, world: World) -> None:
    """`check_run` rerequested: GitHub waits for an answer even when nothing differs."""
    parts = event.external_id.split(":")
    if parts[:1] != ["mergemeter"] or len(parts) != 3 or not all(part.isdecimal() for part in parts[1:]):
        return
    key = PullKey(event.account_id, event.repository.repository_id, int(parts[2]))
    with world.db.transaction() as session:
        enqueue(session, pull_job(key, "publish", world.now(), dedupe="force", force=True), world.now())


def publish(job: Job, world: World) -> None:
    """Bring a pull's check and comment up to date. Repeating it changes nothing.

    `anew` in the arguments: what stands on GitHub may not be what we wrote last, so it is compared.
    """
    anew = bool(job.args.get("anew"))
    key = PullKey(job.account_id, int(job.args["repository_id"]), int(job.args["number"]))
    with world.db.reading() as session:
        page = _page(session, world, key)
        check_effect = effect_of(session, key.account_id, _check_key(page)) if page else None
        comment_effect = effect_of(session, key.account_id, f"comment:{key.repository_id}:{key.number}")
        left = overtaken(session, key.account_id, _checks_of(key), _check_key(page)) if page else []
    github = world.client(key.account_id)
    if page is None or github is None:
        return
    for effect in left:
        effect.state, effect.note = "overtaken", "the head moved on before it was known whether this was written"
        _keep(world, effect)
    if page.cost.lines or check_effect is not None:
        _put_check(world, github, page, check_effect, force=bool(job.args.get("force")), anew=anew)
    _put_comment(world, github, page, comment_effect, anew=anew)


def _check_key(page: Page) -> str:
    return f"{_checks_of(page.key)}{page.pull.head_sha}"


def _checks_of(key: PullKey) -> str:
    return f"check:{key.repository_id}:{key.number}:"


def _put_check(
    world: World, github: "GitHubClient", page: Page, effect: Effect | None, *, force: bool, anew: bool
) -> None:
    said = fingerprint(repr(check(_own(page.cost))))
    effect = effect or Effect(account_id=page.key.account_id, key=_check_key(page), state="intent", updated_at_us=0)
    if effect.state == "written" and effect.body_sha256 == said and not (force or anew):
        return
    _intend(world, effect, page)
    output = check(page.cost, _annotations(world, github, page))
    external_id = f"mergemeter:{page.key.repository_id}:{page.key.number}"
    where = page.repository.owner, page.repository.name, page.pull.head_sha
    try:
        effect.github_id = github.put_check(*where, output, external_id, effect.github_id, force=force)
    except Refused as no:
        _refused(world, effect, no)
    else:
        _written(world, effect, said)


def _put_comment(world: World, github: "GitHubClient", page: Page, effect: Effect | None, *, anew: bool) -> None:
    stands = effect is not None and effect.github_id is not None
    config = page.config
    if not wanted(page.cost, config.comment, config.comment_threshold, stands):
        return
    mark = marker(Kind.COMMENT, page.key.repository_id, page.key.number)
    body = comment(page.cost, mark)
    said = fingerprint(comment(_own(page.cost), mark))
    key = f"comment:{page.key.repository_id}:{page.key.number}"
    effect = effect or Effect(account_id=page.key.account_id, key=key, state="intent", updated_at_us=0)
    if effect.state == "removed" or (effect.state == "written" and effect.body_sha256 == said and not anew):
        return
    _intend(world, effect, page)
    where = page.repository.owner, page.repository.name, page.key.number
    try:
        put = github.put_comment(*where, body, mark, effect.github_id, anew=anew)
        if put.state == "adopted":  # the lane is ours, so our words are newer than those of whoever wrote it
            put = github.put_comment(*where, body, mark, put.id)
    except Refused as no:
        _refused(world, effect, no)
        return
    effect.github_id = put.id
    _written(world, effect, said)
    if put.state == "deleted_by_hand":
        effect.state, effect.note = "removed", "a person deleted the comment; it is not posted again"
        _keep(world, effect)


def _intend(world: World, effect: Effect, page: Page) -> None:
    """Write down what is about to be put, so that a crash in between is seen."""
    effect.location = f"{page.repository.owner}/{page.repository.name}#{page.key.number}"
    effect.state = "intent"
    _keep(world, effect)


def _written(world: World, effect: Effect, said: str) -> None:
    effect.state, effect.body_sha256, effect.note = "written", said, ""
    _keep(world, effect)


def _refused(world: World, effect: Effect, no: Refused) -> None:
    """A permanent no (locked, archived, not permitted) is kept for people to see; the next change tries again."""
    effect.state, effect.note = "refused", str(no)
    log.warning("account %s: %s at %s: %s", effect.account_id, effect.key, effect.location, no)
    _keep(world, effect)


def _keep(world: World, effect: Effect) -> None:
    with world.db.transaction() as session:
        write_effect(session, effect, world.now())


def _own(cost: PullCost) -> PullCost:
    """What is said of the pull itself. The rest of its repository alone is no reason to write again."""
    return replace(cost, unattributed_month=None)


def _annotations(world: World, github: "GitHubClient", page: Page) -> tuple[Annotation, ...]:
    """The notices on the workflow lines: made once, at the merge, because GitHub lets nobody change them."""
    if not page.config.annotations or not page.cost.lines or page.cost.state is not PullState.MERGED:
        return ()
    key = f"annotations:{page.key.repository_id}:{page.key.number}:{page.pull.head_sha}"
    with world.db.reading() as session:
        made = effect_of(session, page.key.account_id, key)
    if made is not None:
        return tuple(Annotation(**each) for each in json.loads(made.note))
    where = page.repository.owner, page.repository.name
    texts = {path: github.read_file(*where, path, page.pull.head_sha) for path in workflow_paths(page.cost)[:3]}
    files = {path: text for path, text in texts.items() if text is not None}
    found = annotations(page.cost, files, page.config.annotations, world.now())
    if found:
        note = json.dumps([asdict(each) for each in found])
        _keep(world, Effect(account_id=page.key.account_id, key=key, state="written", note=note, updated_at_us=0))
    return found


def _page(session: Session, world: World, key: PullKey) -> Page | None:
    repository = repository_of(session, key.account_id, key.repository_id)
    pull = pull_of(session, key)
    if repository is None or pull is None or repository.state != "installed":
        return None
    config = config_in_force(session, key.account_id)
    money = config.shows_money(repository.visibility == "public")
    tied = tied_runs(session, key)
    merged_at = instant(pull.merged_at_us) if pull.merged_at_us is not None else None
    month = Month.of(merged_at or world.now())
    loose = unattributed_of(session, key.account_id, key.repository_id, month)
    cost = PullCost(
        repository=f"{repository.owner}/{repository.name}",
        number=key.number,
        state=PullState(pull.state),
        head_sha=pull.head_sha,
        lines=tuple(_line(world, config, _home(session, repository, each), each) for each in tied),
        price_lists=tuple(sorted({each.agent_run.price_list for each in tied})),
        money=money,
        title=pull.title,
        merged_at=merged_at,
        discounted=bool(config.discounts),
        own_prices=bool(config.prices),
        tied_candidates=ties_naming(session, key),
        open_jobs=open_jobs_on_pull(session, key),
        unattributed_month=month,
        unattributed_agent_runs=loose.agent_runs,
        unattributed_in_repository=loose.cost,
    )
    return Page(key, repository, pull, cost, config)


def _home(session: Session, here: Repository, tied: TiedRun) -> Repository | None:
    """The repository in which the agent ran, seldom another one; None where it may not be named on this pull."""
    if tied.job.repository_id == here.repository_id:
        return here
    home = repository_of(session, here.account_id, tied.job.repository_id)
    return None if home is None or (here.visibility == "public" != home.visibility) else home


def _line(world: World, config: Config, home: Repository | None, tied: TiedRun) -> AgentRunLine:
    run, job = tied.agent_run, tied.job
    full_name = f"{home.owner}/{home.name}" if home else ""
    url = f"{world.settings.github_web_url}/{full_name}/actions/runs/{job.run_id}/attempts/{job.run_attempt}"
    at_home = home is not None and tied.tie.repository_id == job.repository_id
    reported = run.reported_cost_nano_usd
    return AgentRunLine(
        agent=run.agent,
        purpose=Purpose(run.purpose),
        run_id=job.run_id,
        run_attempt=job.run_attempt,
        started_at=instant(run.started_at_us),
        model_calls=run.model_calls,
        tokens=_tokens(tied),
        cost=tied.cost,
        evidence=tied.tie.evidence,
        completeness=Completeness(run.completeness),
        completeness_reason=run.completeness_reason,
        agent_version=run.agent_version,
        models=tuple(json.loads(run.models)),
        team=config.team_text(run.team, home.name) if home else "",
        workflow=job.workflow if home else "",
        job_name=job.job_name if home else "",
        workflow_path=own_workflow(job.job_workflow_ref or job.workflow_ref, full_name) if at_home else "",
        run_url=url if home and job.run_id else "",
        relayed=run.provenance == Provenance.RELAYED,
        told=run.provenance == Provenance.TOKEN,
        by_vendor=run.provenance == Provenance.VENDOR,
        unpriced_calls=run.unpriced_calls,
        unpriced_models=tied.unpriced_models,
        calls_counted_elsewhere=run.calls_counted_elsewhere,
        evidence_note=tied.tie.note,
        revisions=run.revisions,
        pulls_served=tied.pulls_served,
        reported_cost=None if reported is None else NanoUsd(reported),
        list_cost=None if run.unlisted_calls else NanoUsd(run.list_cost_nano_usd),
    )


def _tokens(tied: TiedRun) -> Tokens:
    run = tied.agent_run
    return Tokens(
        run.input_tokens,
        run.cache_read_tokens,
        run.cache_write_5m_tokens,
        run.cache_write_1h_tokens,
        run.cache_write_other_tokens,
        run.output_tokens,
        run.reasoning_tokens,
    )
