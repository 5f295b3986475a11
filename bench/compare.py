"""Who is faster: pairs this project's records with the rivals' that do the same work."""

import dataclasses

PAPER = "rsr-paper"


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """A product that can be compared."""

    bits: str
    activation: str
    rows: int
    cols: int
    batch: int
    threads: int
    cold: bool
    zeros: int

    @property
    def shape(self) -> str:
        return f"{self.rows} x {self.cols}"


@dataclasses.dataclass
class Comparison:
    """One case: this project's record, and each rival's best."""

    case: Case
    ours: dict
    rivals: dict[str, dict]

    @property
    def best(self) -> str | None:
        """The fastest rival's name."""
        return min(self.rivals, key=lambda name: self.rivals[name]["median_ns"], default=None)

    @property
    def ratio(self) -> float | None:
        """Our time by that of the best rival: below 1 is won."""
        return self.ours["median_ns"] / self.rivals[self.best]["median_ns"] if self.rivals else None


def measured(record: dict) -> bool:
    return not record.get("error") and bool(record.get("median_ns"))


def case_of(record: dict) -> Case:
    return Case(*(record[field.name] for field in dataclasses.fields(Case)))


def is_ours(record: dict) -> bool:
    """What a user gets who chooses nothing (and, warm, says that the weights stay in the cache)."""
    chosen = record.get("algorithm", "automatic") == "automatic" and not record.get("part")
    fits = not record["cold"] or record.get("residency") in ("", None, "stream")
    return record["rival"] == "" and chosen and fits


def competes(rival: dict, case: Case) -> bool:
    """True when the rival's record does the work of the case."""
    same = ("rows", "cols", "batch", "threads", "cold")
    if any(rival[name] != getattr(case, name) for name in same):
        return False
    if rival["rival"] == PAPER:
        return (rival["activation"], rival["bits"], rival["zeros"]) == (case.activation, case.bits, case.zeros)
    if rival["bits"] == "binary" and case.bits == "ternary":
        return False
    # Floats in and out: a product that keeps inputs as floats is held against its like only.
    allowed = {"int8": (), "quantised": ("quantised", "bf16", "fp32"), "fp32": ("bf16", "fp32")}
    return rival["activation"] in allowed[case.activation]


def compare(records: list[dict]) -> list[Comparison]:
    """One comparison for each case that this project was measured in, in the records' order."""
    good = [record for record in records if measured(record)]
    ours: dict[Case, dict] = {}
    for record in filter(is_ours, good):
        case = case_of(record)
        if case not in ours or record["median_ns"] < ours[case]["median_ns"]:
            ours[case] = record
    comparisons = []
    for case, record in ours.items():
        rivals: dict[str, dict] = {}
        for rival in good:
            name = rival["rival"]
            if name and competes(rival, case):
                if name not in rivals or rival["median_ns"] < rivals[name]["median_ns"]:
                    rivals[name] = rival
        comparisons.append(Comparison(case, record, rivals))
    return comparisons


def failures(records: list[dict]) -> dict[tuple[str, str], int]:
    """Rivals that gave no result, and why: how often."""
    found: dict[tuple[str, str], int] = {}
    for record in records:
        why = record.get("error") or record.get("note")
        if why:
            key = (record["rival"], why)
            found[key] = found.get(key, 0) + 1
    return found
