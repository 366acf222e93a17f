"""What every part of the steering works on."""

from dataclasses import dataclass

from app.sandbox.deliveries import Courier
from app.sandbox.faults import Faults
from app.sandbox.limits import Limits
from app.sandbox.oidc import Issuer
from app.sandbox.state import Hub


@dataclass(eq=False)
class Desk:
    """The state and the machines around it. Methods of the parts take the hub's lock themselves."""

    hub: Hub
    courier: Courier
    issuer: Issuer
    faults: Faults
    limits: Limits
