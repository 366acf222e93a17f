"""The JSON API: `GET /v1/…` for tokens of scope `read`. `table` has its routes, from which the description is made."""

from app.web.api.table import api_routes

__all__ = ["api_routes"]
