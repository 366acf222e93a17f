"""A month as FOCUS rows: what its books state, run by run, then what no agent run makes. Reads only.

One snapshot from the first row to the last; nothing here knows of files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from sqlmodel import Session, col, func, select

from app.core.chargeback.ownership import Ownership
from app.core.chargeback.periods import PeriodState
from app.core.chargeback.terms import SHARED
from app.core.config import Config
from app.core.focus.billing import Bucket, BucketKey
from app.core.focus.builder import Builder, Terms
from app.core.focus.catalogue import Catalogue
from app.core.focus.description import InvoiceLine, State
from app.core.focus.fees import Amount, Credit, fee_of, told_amount, told_credit
from app.core.focus.origins import Allocation
from app.core.focus.pulls import PullLine
from app.core.focus.rows import Metered, Told
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.chargeback_tables import AdjustmentRow
from app.store.configs import config_in_force
from app.store.focus import StatedRuns
from app.store.focus_pulls import pulls_of_month
from app.store.keys import instant
from app.store.ownership import ownership_of
from app.store.periods import config_of_period, coverage_of, marks_of, period_of
from app.store.tables import LedgerEntry
from app.world import World
