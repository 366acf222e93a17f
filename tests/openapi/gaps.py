"""Where GitHub answers otherwise than its own description says. Each one is mended here, with its reason."""

from typing import Any


def mend(description: dict[str, Any]) -> None:
    """Mend the loaded description in place."""
    listed = description["paths"]["/app/installations"]["get"]["responses"]["200"]
    account = listed["content"]["application/json"]["schema"]["items"]["properties"]["account"]
    account["anyOf"] = account.pop("allOf")  # a user or an enterprise; none is both

    schemas = description["components"]["schemas"]
    for name in ("pull-request", "pull-request-simple"):  # a deleted fork leaves null behind
        head = schemas[name]["properties"]["head"]["properties"]
        head["repo"] = {"anyOf": [head["repo"]], "nullable": True}

    # "the created date-time range": the prose tells of a range of days, and the format of one instant.
    description["components"]["parameters"]["created"]["schema"].pop("format")
