"""The official validator, with every criterion that it knows: nothing fails but the rules that are wrong themselves.

It exits with 0 whatever it finds, so its report is read. Each list is exact: a rule that stops failing fails the test.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.focus.conftest import Folder
from tests.optional import RULES_1_3, VALIDATOR

RESULT = re.compile(r"^\S+ ([\w-]+): FAIL ", re.MULTILINE)
TOTAL = re.compile(r"Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)")

# Of 1.2.0.1, as bundled with the validator: the condition of these rules is lost or turned round.
CONDITIONS = {
    "CapacityReservationStatus-C-004-C": "its condition has no check function, so it is dropped: any null fails",
    "CommitmentDiscountStatus-C-004-C": "its condition is turned round",
}
PARENTS = {
    *(f"{column}Status-C-00{n}-C" for column in ("CapacityReservation", "CommitmentDiscount") for n in (0, 2)),
    "CostAndUsage-D-002-M",
    "CostAndUsage-D-000-M",
}
# Both "MUST be null" and "MUST NOT be null" without any condition, joined by OR: one of them always fails, and where
# some charges are invoiced and others are not both do, with the rules above them.
NEVER_INVOICED = {"InvoiceId-C-005-C"}
PARTLY_INVOICED = {"InvoiceId-C-004-C", "InvoiceId-C-005-C", "InvoiceId-C-003-C", "InvoiceId-C-000-O"}
ISO_ALONE = {"PricingCurrency-C-003-M", "PricingCurrency-C-000-C"}  # it takes no virtual currency, 1.2's text does
WRONG_1_2 = CONDITIONS.keys() | PARENTS

# Of 1.3 (1.3.0.1 has the same).
WRONG_1_3 = {
    f"CAU-{rule}"
    for rule in (
        "CapacityReservationStatus-C-004-C",  # as in 1.2
        "CommitmentDiscountStatus-C-004-C",  # as in 1.2
        "CommitmentDiscountStatus-C-003-C",  # its requirement is turned round
        "ResourceType-C-005-C",  # its condition names no column, so it is dropped
        "PricingCurrencyContractedUnitPrice-C-012-C",  # its condition is turned round
        *("CapacityReservationStatus-C-000-C", "CapacityReservationStatus-C-002-C"),
        *("CommitmentDiscountStatus-C-000-C", "CommitmentDiscountStatus-C-002-C"),
        *("ResourceType-C-000-C", "ResourceType-C-003-C"),
        *("PricingCurrencyContractedUnitPrice-C-000-C", "PricingCurrencyContractedUnitPrice-C-003-M"),
        *("CostAndUsage-D-000-M", "CostAndUsage-D-002-M"),
    )
}
CASES = [
    ("1.2", "csv", "estimated", WRONG_1_2 | NEVER_INVOICED, 578),
    ("1.2", "parquet", "invoiced", WRONG_1_2 | PARTLY_INVOICED, 578),
    ("1.2", "parquet", "native", WRONG_1_2 | NEVER_INVOICED | ISO_ALONE, 578),
]
if RULES_1_3.exists():  # they belong to the specification, and come from outside
    CASES += [
        ("1.3", "csv", "invoiced", WRONG_1_3, 764),
        ("1.3", "parquet", "estimated", WRONG_1_3, 764),
        ("1.3", "parquet", "split", WRONG_1_3, 764),
    ]


def report_of(file: Path, version: str, work: Path) -> str:
    """What the validator says. It looks for its currencies, and writes a log, where it is started."""
    packages = next((VALIDATOR / "lib").glob("python3*")) / "site-packages"
    (work / "focus_validator").symlink_to(packages / "focus_validator")
    rules = ["--block-download"]
    if version == "1.3":
        (work / "rules").mkdir()
        shutil.copy(RULES_1_3, work / "rules" / "model-1.3.json")
        rules += ["--rule-set-path", str(work / "rules")]
    done = subprocess.run(
        [
            VALIDATOR / "bin" / "focus-validator", "--data-file", file, "--validate-version", version, *rules,
            "--applicability-criteria", "ALL", "--show-violations",
        ],
        cwd=work, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.optional("FOCUS validator")
@pytest.mark.parametrize(("version", "kind", "way", "wrong", "rules"), CASES)
def test_nothing_fails_but_the_rules_that_are_wrong_themselves(
    folder: Folder, tmp_path: Path, version: str, kind: str, way: str, wrong: set[str], rules: int
) -> None:
    report = report_of(folder(version, kind, way) / f"cost-and-usage.{kind}", version, tmp_path)
    total = TOTAL.search(report)
    assert total, report[-2_000:]
    failed = set(RESULT.findall(report))
    assert failed == wrong
    assert [int(total[1]), int(total[3])] == [rules, len(wrong)]
