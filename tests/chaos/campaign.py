"""One campaign: start the App, let things happen on GitHub, kill and freeze its processes, and look what is left."""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from app.sandbox import Sandbox
from app.store.database import Database
from tests.chaos.load import Load
from tests.chaos.processes import Fleet, Replica
from tests.chaos.senders import Senders, redeliver_some, sweep
from tests.chaos.verdict import Verdict, rows, wait_until_idle

SERVE = ("serve",)
SPLIT = ("serve --web-only", "work", "work")
TWO = ("serve", "serve")


@dataclass(frozen=True)
class Plan:
    """`roles`: the command line of each process. `lease_s` None: as it ships. `frozen_s`: how long a freeze lasts."""

    roles: Sequence[str]
    deliveries: int
    agent_runs: int
    kills: int
    freezes: int = 0
    deaths: int = 0  # processes that are killed and never come back
    seed: int = 1
    organisations: int = 2
    pace_s: float = 0.03
    lease_s: float | None = None
    frozen_s: float = 0.0
    calm_s: tuple[float, float] = (0.5, 4.0)  # between two blows
    patience_s: float = 120.0


@dataclass
class Outcome:
    """What happened, and everything that is wrong now."""

    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    logs: str = ""


def campaign(database_url: str, plan: Plan) -> Outcome:
    """Play the plan on a migrated, empty database."""
    began, chance = time.monotonic(), Random(plan.seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="mm-chaos-") as name, Sandbox(hook_timeout_s=3) as gh:
        app = gh.register_app()
        database = Database(database_url)
        senders = Senders(gh, plan.seed)
        load = Load(
            gh, app, Random(f"load {plan.seed}"), plan.deliveries, plan.agent_runs, plan.pace_s, plan.organisations,
            senders.send,
        )  # fmt: skip
        with Fleet(gh, app, database_url, plan.roles, Path(name), plan.lease_s) as fleet:
            load.addresses = senders.addresses = fleet.addresses
            load.hook()
            load.prepare()
            assert gh.drain(30)
            wait_until_idle(database, 30)
            blows = _play(gh, load, senders, fleet, plan, chance)
            played_s = time.monotonic() - began
            outcome.figures["redelivered"] = sweep(gh, load)
            redeliver_some(gh, load, chance, 0.03)
            wait_until_idle(database, plan.patience_s)
            quiet_s = time.monotonic() - began
            outcome.findings += [f"a process ended by itself: {log}" for log in fleet.died_by_themselves()]
            outcome.logs = "".join(path.read_text()[-20_000:] for path in sorted(Path(name).glob("*.log")))
        verdict = Verdict(gh, database, load, app["bot_id"])
        outcome.findings += senders.refused + verdict.findings
        outcome.figures |= verdict.figures | blows | dict(senders.answers)
        outcome.figures |= {"played s": round(played_s, 1), "quiet after s": round(quiet_s, 1)}
        outcome.figures["failed tries"] = rows(database, "SELECT count(*) FROM job WHERE error <> ''")[0][0]
        database.close()
    return outcome


def _play(gh: Sandbox, load: Load, senders: Senders, fleet: Fleet, plan: Plan, chance: Random) -> dict[str, int]:
    """Let things happen and strike until the plan is through."""
    senders.start()
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(load.play)
        try:
            blows = _strike(fleet, plan, chance, playing)
            playing.result()
        finally:
            load.stopped.set()
            senders.finish()
    return blows


def _strike(fleet: Fleet, plan: Plan, chance: Random, playing: Future[None]) -> dict[str, int]:
    blows = ["kill"] * plan.kills + ["freeze"] * plan.freezes
    chance.shuffle(blows)
    blows += ["die"] * plan.deaths
    done: dict[str, int] = {"kills": 0, "freezes": 0, "deaths": 0, "blows after the load": 0}
    for blow in blows:
        time.sleep(chance.uniform(*plan.calm_s))
        done["blows after the load"] += playing.done()
        standing = [replica for replica in fleet.replicas if replica.process is not None]
        target = chance.choice(standing)
        if blow == "freeze":
            done["freezes"] += 1
            target.freeze()
            time.sleep(plan.frozen_s)
            target.thaw()
        elif blow == "die":
            done["deaths"] += 1
            target.kill()
        else:
            struck = standing if chance.random() < 0.5 else [target]
            done["kills"] += len(struck)
            _kill_and_restart(struck, chance)
    return done


def _kill_and_restart(struck: Sequence[Replica], chance: Random) -> None:
    for replica in struck:
        replica.kill()
    time.sleep(chance.random() * 0.5)
    for replica in struck:
        replica.start()
