"""Workflow runs, and the identity tokens of their jobs: true ones and forged ones."""

from collections.abc import Mapping
from typing import Any

from app.sandbox import actions
from app.sandbox.state import Repository, WorkflowRun
from app.sandbox.steer.desk import Desk


class Runs(Desk):
    """Workflow runs as events start them."""

    def start_workflow_run(
        self,
        repository: str,
        event: str = "pull_request",
        pull: int | None = None,
        path: str = ".github/workflows/agent.yml",
        branch: str | None = None,
        actor: str = "ada",
        name: str | None = None,
        job: str = "agent",
        environment: str | None = None,
    ) -> dict[str, Any]:
        """Start a run with one job. Gives run_id, run_attempt, job_id (its check run's id too), head_sha, `env` (what
        a step finds in its environment) and `event` (what stands in the event file)."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            about = None if pull is None else place.pulls.get(pull)
            if pull is not None and about is None and pull not in place.issues:
                raise LookupError(f"no pull {repository}#{pull}")
            run = actions.start_run(self.hub, place, event, path, self.hub.account(actor), about, branch, name)
            return self._add_job(place, run, job, environment)

    def job_token(self, repository: str, permissions: Mapping[str, str]) -> str:
        """The GITHUB_TOKEN of a job with these `permissions`, e.g. {"pull_requests": "write"}."""
        with self.hub.lock:
            return actions.job_token(self.hub, self.hub.repository(repository), permissions).token

    def add_job(self, run_id: int, job: str, environment: str | None = None) -> dict[str, Any]:
        """One more job in the run's latest attempt; gives the same as start_workflow_run."""
        with self.hub.lock:
            run = self.hub.runs[run_id]
            return self._add_job(self.hub.repositories[run.repository_id], run, job, environment)

    def rerun(self, run_id: int, actor: str = "ada", job: str = "agent") -> dict[str, Any]:
        """The run's next attempt with one job; gives the same as start_workflow_run."""
        with self.hub.lock:
            run = self.hub.runs[run_id]
            actions.rerun(self.hub, run, self.hub.account(actor))
            return self._add_job(self.hub.repositories[run.repository_id], run, job, None)

    def finish_run(self, run_id: int, conclusion: str = "success") -> None:
        with self.hub.lock:
            actions.finish_run(self.hub, self.hub.runs[run_id], conclusion)

    def finish_job(self, run_id: int, job_id: int, conclusion: str = "success") -> None:
        """Complete one job of a run that goes on."""
        with self.hub.lock:
            actions.finish_job(self.hub, self.hub.runs[run_id].jobs[job_id], conclusion)

    def _add_job(self, place: Repository, run: WorkflowRun, name: str, environment: str | None) -> dict[str, Any]:
        job = actions.add_job(self.hub, run, name, environment)
        return {
            "run_id": run.run_id,
            "run_attempt": job.run_attempt,
            "run_number": run.run_number,
            "job_id": job.job_id,
            "check_run_id": job.job_id,
            "repository_id": run.repository_id,
            "head_sha": run.head_sha,
            "sha": run.sha,
            "ref": run.ref,
            "env": actions.runner_environment(self.hub, place, run, job),
            "event": actions.event_payload(self.hub, place, run),
        }

    def mint_token(
        self,
        run: int | Mapping[str, Any],
        audience: str,
        algorithm: str = "RS256",
        key: str | None = None,
        kid: str | None = None,
        **claims: Any,
    ) -> str:
        """A token of the job (what start_workflow_run gave, or a run id for its latest job). Claims given here replace
        the true ones, None leaves one out. `algorithm` "none" or "HS256" and a foreign `key` make forgeries."""
        with self.hub.lock:
            run_id = run if isinstance(run, int) else int(run["run_id"])
            record = self.hub.runs[run_id]
            job_id = max(record.jobs) if isinstance(run, int) else int(run["job_id"])
            place = self.hub.repositories[record.repository_id]
            true = self.issuer.claims(place, record, record.jobs[job_id], audience)
            wanted = {name: value for name, value in (true | claims).items() if value is not None}
            return self.issuer.sign(wanted, algorithm, key, kid)

    def rotate_keys(self) -> str:
        """Sign identity tokens with a new key from now on; gives its kid."""
        with self.hub.lock:
            return self.issuer.rotate()
