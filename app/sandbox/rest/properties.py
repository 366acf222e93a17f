"""An organisation's custom properties: what its repositories say, and who may edit that."""

from typing import Any

from app.sandbox import refusals
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.state import Account, Repository

READ = ("organization_custom_properties:read",)


def get_values(call: Call) -> Answer:
    """Every repository of the organisation, whether the App is installed on it or not."""
    organisation = call.organisation
    own = [one for one in call.hub.repositories.values() if one.owner is organisation and not one.deleted]
    page, headers = call.paged(own)
    return Answer(body=[_values(organisation, one) for one in page], headers=headers)


def get_schema(call: Call) -> Answer:
    organisation, name = call.organisation, call.arguments["custom_property_name"].lower()
    for known, editors in organisation.properties.items():
        if known.lower() == name:
            return Answer(body=_schema(call, organisation, known, editors))
    raise refusals.not_found()


def _values(organisation: Account, repository: Repository) -> dict[str, Any]:
    said = [
        {"property_name": name, "value": repository.properties.get(name)} for name in sorted(organisation.properties)
    ]
    return {
        "repository_id": repository.repository_id,
        "repository_name": repository.name,
        "repository_full_name": repository.full_name,
        "properties": said,
    }


def _schema(call: Call, organisation: Account, name: str, editors: str) -> dict[str, Any]:
    return {
        "property_name": name,
        "url": f"{call.hub.url}/orgs/{organisation.login}/properties/schema/{name}",
        "source_type": "organization",
        "value_type": "string",
        "required": False,
        "default_value": None,
        "description": None,
        "allowed_values": None,
        "values_editable_by": editors,
        "require_explicit_values": False,
    }


OPERATIONS = (
    Operation("GET", "/orgs/{org}/properties/values", READ, get_values),
    Operation("GET", "/orgs/{org}/properties/schema/{custom_property_name}", READ, get_schema),
)
