"""The items that used tokens become, priced by the list and agreements in force; each looked for once."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from app.core import ai_credits
from app.core.config import Config
from app.core.costing import agreed_for
from app.core.focus.items import CREDITS_METER, METERS, ONE, Item, Variant, sku_of
from app.core.focus.sellers import seller_of
from app.core.pricing import PriceList
from app.core.rates import CHARGES, Charge, Rate, UnitPrices
from app.core.usage import ModelCall, Tokens
from app.core.month import EPOCH_US  # noqa: F401
