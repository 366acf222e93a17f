"""Tasks of the cloud agent: for users' tokens alone."""

from app.sandbox import refusals
from app.sandbox.clock import iso
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import agent_tasks
from app.sandbox.state import AgentTask


def list_tasks(call: Call) -> Answer:
    archived, since = call.query.get("is_archived", "false") == "true", call.query.get("since", "")
    found = [each for each in _here(call) if bool(each.archived_at) == archived and iso(each.updated_at) >= since]
    by = "created_at" if call.query.get("sort") == "created_at" else "updated_at"
    found.sort(key=lambda each: getattr(each, by), reverse=call.query.get("direction", "desc") == "desc")
    page, headers = call.paged(found)
    return Answer(body={"tasks": [agent_tasks.task(call.hub, each, alone=False) for each in page]}, headers=headers)


def get_task(call: Call) -> Answer:
    for each in _here(call):
        if each.task_id == call.arguments["task_id"]:
            return Answer(body=agent_tasks.task(call.hub, each, alone=True))
    raise refusals.not_found()


def _here(call: Call) -> list[AgentTask]:
    repository_id = call.repository.repository_id
    return [each for each in call.hub.agent_tasks.values() if each.repository_id == repository_id]


OPERATIONS = (
    Operation("GET", "/agents/repos/{owner}/{repo}/tasks", ("user",), list_tasks),
    Operation("GET", "/agents/repos/{owner}/{repo}/tasks/{task_id}", ("user",), get_task),
)
