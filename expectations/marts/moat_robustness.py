"""What must be true of marts.moat_robustness beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["supported", "not_supported", "cannot_tell"],
        severity="critical",
        notes="There are three verdicts.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="perturbation",
        value_set=[
            "without bytedance",
            "without google",
            "best model of each company on each board",
            "first capture of each entry",
            "public web times 10",
        ],
        severity="critical",
        notes="A perturbation that is missing cannot disagree, and a verdict would look robust.",
    ),
]
