"""What looking at a repository's workflow files told of one month. Values only; unknown is not zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SurveyedWorkflow:
    """One workflow file of a repository in one month.

    `agents`: ids of the agents that its steps run, None where the file could not be read. `own_step`: each job that
    runs one has our step. `runs`: how many GitHub counts that were not skipped as a whole, None where nobody asked
    (no agents) or GitHub did not tell. `recorded_jobs`: jobs of these runs that reported to us.
    """

    path: str
    agents: tuple[str, ...] | None
    own_step: bool
    runs: int | None
    recorded_jobs: int

    @property
    def leaves_no_record(self) -> bool:
        """Agents ran, as far as the file tells, and nothing came of it."""
        return bool(self.agents) and bool(self.runs) and not self.recorded_jobs

    @property
    def is_recorded(self) -> bool:
        """At least one of its jobs reported."""
        return self.agents != () and self.recorded_jobs > 0

    @property
    def is_unknown(self) -> bool:
        """Nothing came, and nobody can say whether something should have."""
        return not self.recorded_jobs and (self.agents is None or (bool(self.agents) and self.runs is None))
