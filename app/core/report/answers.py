"""What the App answers to a command in a pull's conversation: short, and nothing from outside but as code."""

from dataclasses import dataclass

from app.core.commands import NAME
from app.core.report.escape import code, link, prose
from app.core.report.words import evidence_text

MOST_TIED = 20


@dataclass(frozen=True, slots=True)
class ExplainedRun:
    """An agent run with what ties it, or why nothing does. `run_url` is "" where there is no page to name."""

    agent_run_id: str
    agent: str
    evidence: str  # "E1" …, "" without a pull
    note: str
    run_url: str = ""


def refusal(login: str, sentence: str) -> str:
    """Why a command was not followed. `sentence` is ours."""
    return f"{code('@' + login)}: {sentence}"


def explanation(login: str, tied: tuple[ExplainedRun, ...], loose: tuple[ExplainedRun, ...]) -> str:
    """What ties each agent run to the pull, and the newest ones that could still be attributed."""
    said = [f"{code('@' + login)}: " + ("what ties each agent run to this pull." if tied else "no agent run is tied.")]
    said += ["\n".join(_line(run) for run in tied[:MOST_TIED])] if tied else []
    said += [f"… and {len(tied) - MOST_TIED} more"] if len(tied) > MOST_TIED else []
    if loose:
        said += ["**Tied to no pull**, the newest of this repository:", "\n".join(_line(run) for run in loose)]
    said.append(
        f"<sub>`{NAME} attribute <id> because …` ties an agent run to this pull, "
        f"`{NAME} detach <id> because …` unties one.</sub>"
    )
    return "\n\n".join(said)


def _line(run: ExplainedRun) -> str:
    agent = link(code(run.agent or "unknown agent", 40), run.run_url)
    how = f"**{evidence_text(run.evidence)[0]}** ({code(run.evidence, 4)}): " if run.evidence else ""
    return f"- {code(run.agent_run_id)} {agent}, {how}{prose(run.note)}"
