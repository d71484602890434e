"""The evaluation of answers, checked against a second reading of the catalogue's own rules.

The oracle below reads the YAML document itself and counts in fractions; it shares no code with
the product.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspections.rules.catalogue import Catalogue
from inspections.rules.evaluation import (
    GivenAnswer,
    Outcome,
    Structure,
    applicable_items,
    as_number,
    evaluate,
)
from inspections.services.checklists import shipped_document

DOCUMENT = shipped_document()
CATALOGUE = Catalogue.parse(DOCUMENT)
ITEMS = {item["key"]: item for item in DOCUMENT["items"]}
TYPES = [key for key, kind in DOCUMENT["structure_types"].items() if kind.get("inspectable", True)]
DEFAULT_DAYS = {key: one["default_remedy_days"] for key, one in DOCUMENT["severities"].items()}
RANK = {"critical": 0, "major": 1, "minor": 2}
COMPUTED = {
    "plumb_percent": lambda first, second: first / (10 * second),
    "tension_deviation_percent": lambda first, second: 100 * (first - second) / second,
    "tension_percent_of_breaking": lambda first, second: 100 * first / second,
    "distance_in_heights": lambda first, second: first / second,
}


def ok(value: Any = None, **more: Any) -> GivenAnswer:
    return GivenAnswer(outcome="ok", value=value, **more)


def structure(kind: str = "lattice_self_support", **facts: Any) -> Structure:
    return Structure(
        kind,
        **{
            "services": frozenset({"bts"}),
            "height_m": Decimal(60),
            "overall_height_m": Decimal(60),
            **facts,
        },
    )


def type_for(item: dict[str, Any]) -> str:
    return item["applies_to"][0]


def judged(key: str, answer: GivenAnswer, kind: str | None = None):
    evaluation = evaluate(CATALOGUE, structure(kind or type_for(ITEMS[key])), {key: answer})
    assert not evaluation.problems, evaluation.problems
    return evaluation.judgements[key]


def fraction(value: Any) -> Fraction:
    return Fraction(str(value))


def oracle_applies(item: dict[str, Any], facts: Structure) -> bool:
    height = facts.overall_height_m if item.get("height_of") == "overall" else facts.height_m
    return (
        facts.structure_type in item["applies_to"]
        and (not item.get("services") or bool(set(item["services"]) & facts.services))
        and (item.get("min_height_m") is None or height is None or height >= item["min_height_m"])
    )


def oracle_levels(
    item: dict[str, Any], kind: str, value: Any, recorded: dict[str, Any]
) -> tuple[str, int] | None:
    """The severity and days that an `ok` value gets."""
    found: list[tuple[int, int, str]] = []
    for level in item.get("levels") or []:
        if level.get("structures") and kind not in level["structures"]:
            continue
        when = level.get("when")
        if when is not None:
            known = recorded.get(when["record_also"])
            holds = (
                when["if_unknown"]
                if known is None
                else fraction(known) > fraction(when["value"])
                if when["op"] == ">"
                else fraction(known) <= fraction(when["value"])
            )
            if not holds:
                continue
        limit = level.get("value")
        match level["op"]:
            case "fail":
                hit = value != item["answer"]["pass_value"]
            case "in":
                hit = value in limit
            case "outside":
                hit = value < fraction(limit[0]) or value > fraction(limit[1])
            case "abs>":
                hit = abs(value) > fraction(limit)
            case ">":
                hit = value > fraction(limit)
            case "<":
                hit = value < fraction(limit)
            case ">=":
                hit = value >= fraction(limit)
            case other:
                raise AssertionError(other)
        if hit:
            severity = level["severity"]
            days = level.get("remedy_days", DEFAULT_DAYS[severity])
            found.append((RANK[severity], days, severity))
    if not found:
        return None
    _, days, severity = min(found)
    return severity, days


def edges(item: dict[str, Any]) -> list[Decimal]:
    """Values on and beside every threshold of an item."""
    limits: list[Any] = []
    for level in item.get("levels") or []:
        value = level.get("value")
        limits.extend(value if isinstance(value, list) else [value])
    values: list[Decimal] = []
    for limit in limits:
        for number in (Decimal(str(limit)), -Decimal(str(limit))):
            values += [number, number + Decimal("0.0001"), number - Decimal("0.0001")]
    return values


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], Structure, GivenAnswer]:
    """An item, a structure and an answer in range, most often close to a threshold."""
    item = draw(st.sampled_from(DOCUMENT["items"]))
    heights = st.none() | st.decimals("0.1", 300, places=1) | st.just(Decimal(45))
    facts = Structure(
        draw(st.sampled_from(TYPES)),
        draw(st.frozensets(st.sampled_from(["bts", "radio_tv", "microwave"]))),
        draw(heights | st.just(Decimal(10))),
        draw(heights),
    )
    form = item["answer"]
    if form["type"] == "yes_no":
        return item, facts, ok(draw(st.sampled_from(["yes", "no"])))
    if form["type"] == "enum":
        return item, facts, ok(draw(st.sampled_from([one["key"] for one in form["values"]])))
    recorded = {}
    if item["key"] == "guy_tension_dev":
        diameter = draw(st.none() | st.sampled_from([10, 25, "25.0001", 26, 40]))
        recorded = {} if diameter is None else {"guy_diameter_mm": diameter}
    if form.get("derived"):
        inputs = {
            one["key"]: draw(
                st.decimals(str(one["min"]), str(one["max"]), places=3)
                | st.sampled_from([Decimal(str(one["min"])), Decimal(str(one["max"]))])
                | st.sampled_from([Decimal(value) for value in (1, 4, 7, 10, 11, 15, 20, 40, 100)])
            )
            for one in form["derived"]["inputs"]
        }
        texts = {key: str(value) for key, value in inputs.items()}
        return item, facts, ok(inputs=texts, record_also=recorded)
    low, high = Decimal(str(form["min"])), Decimal(str(form["max"]))
    if form["type"] == "count":
        return item, facts, ok(draw(st.integers(int(low), int(high)) | st.integers(0, 4)))
    number = draw(st.decimals(low, high, places=4) | st.sampled_from(edges(item) or [low]))
    return item, facts, ok(str(min(max(number, low), high)))


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_every_judgement_is_that_of_the_catalogue(case) -> None:
    item, facts, answer = case
    key = item["key"]
    evaluation = evaluate(CATALOGUE, facts, {key: answer})
    if not oracle_applies(item, facts):
        assert [one.item_key for one in evaluation.problems] == [key]
        assert not evaluation.judgements
        return
    judgement = evaluation.judgements[key]
    form = item["answer"]
    value: Any = answer.value
    if form.get("derived"):
        given_inputs = [fraction(answer.inputs[one["key"]]) for one in form["derived"]["inputs"]]
        bounds = form["derived"]["inputs"]
        inside = all(
            fraction(one["min"]) <= number <= fraction(one["max"])
            for one, number in zip(bounds, given_inputs, strict=True)
        )
        if not inside or given_inputs[1] == 0:
            assert judgement.outcome is Outcome.NOT_CHECKED
            assert judgement.severity is None
            return
        value = COMPUTED[form["derived"]["function"]](*given_inputs)
    elif form["type"] in {"measurement", "count"}:
        value = fraction(value)
    assert not evaluation.problems
    expected = oracle_levels(item, facts.structure_type, value, dict(answer.record_also))
    assert judgement.outcome is Outcome.OK
    assert (judgement.severity, judgement.remedy_days) == (expected or (None, None))
    wants_photo = expected is not None and item.get("photo") == "on_fail"
    assert evaluation.photos_required == (frozenset({key}) if wants_photo else frozenset())


@given(
    st.sampled_from(TYPES),
    st.frozensets(st.sampled_from(["bts", "radio_tv", "other"])),
    st.none() | st.decimals("0.1", 100, places=1),
    st.none() | st.decimals("0.1", 100, places=1),
)
def test_the_applicable_items_are_those_of_the_catalogue(kind, services, height, overall) -> None:
    facts = Structure(kind, services, height, overall)
    assert [item.key for item in applicable_items(CATALOGUE, facts)] == [
        item["key"] for item in DOCUMENT["items"] if oracle_applies(item, facts)
    ]


def failing_answers() -> list[tuple[str, str, GivenAnswer, str, int]]:
    """For every level of every item: an answer that reaches exactly this level."""
    made = []
    for item in DOCUMENT["items"]:
        form = item["answer"]
        for level in item.get("levels") or []:
            kind = (level.get("structures") or item["applies_to"])[0]
            limit = level.get("value")
            recorded: dict[str, Any] = {}
            if level["op"] == "fail":
                value: Any = "no" if form["pass_value"] == "yes" else "yes"
            elif level["op"] == "in":
                value = limit[0]
            elif level["op"] == "outside":
                value = Decimal(str(limit[1])) + Decimal("0.01")
            elif level["op"] == "<":
                value = Decimal(str(limit)) - Decimal("0.01")
            elif level["op"] == ">=":
                value = limit
            else:
                value = Decimal(str(limit)) + Decimal("0.01")
            if level.get("when"):
                recorded = {"guy_diameter_mm": 20 if level["when"]["op"] == "<=" else 30}
            answer = ok(value, record_also=recorded)
            if form.get("derived"):
                answer = ok(inputs=inputs_for(form["derived"], value), record_also=recorded)
            made.append((item["key"], kind, answer, level["severity"], level.get("remedy_days", 0)))
    return made


def inputs_for(derived: dict[str, Any], value: Decimal) -> dict[str, str]:
    """Inputs from which a function computes a value."""
    first, second = (one["key"] for one in derived["inputs"])
    base = Decimal(40)
    measured = {
        "plumb_percent": 10 * base * value,
        "tension_deviation_percent": base * value / 100 + base,
        "tension_percent_of_breaking": base * value / 100,
        "distance_in_heights": base * value,
    }[derived["function"]]
    return {first: str(measured), second: str(base)}


@pytest.mark.parametrize(("key", "kind", "answer", "severity", "days"), failing_answers())
def test_a_failing_answer_gives_its_severity_and_days(key, kind, answer, severity, days) -> None:
    judgement = judged(key, answer, kind)
    assert judgement.severity == severity
    assert judgement.remedy_days == (days or DEFAULT_DAYS[severity])
    assert judgement.legal_basis == (ITEMS[key].get("legal_basis") or None)


def test_the_failing_answers_cover_every_item_that_can_fail() -> None:
    assert len(ITEMS) == 52
    assert {key for key, *_ in failing_answers()} == set(ITEMS) - {"sit_nearest_dwelling"}


PASSING_NUMBERS = {
    "fnd_scour_distance": 5,
    "ele_line_clearance": 4,
    "fnd_anchor_bolt_missing": 0,
    "str_bracing_defect": 0,
    "guy_broken": 0,
    "fnd_settlement": 10,
    "str_linearity": 1,
    "str_twist_total": 5,
    "str_twist_local": 0.5,
    "str_bolts_defect": 0,
    "str_section_loss": 10,
    "guy_anchor_movement": 10,
    "gnd_resistance": 10,
    "gnd_test_age": 365,
    "ant_load_ratio": 85,
    "doc_condition_age": 36,
    "emf_e_field": 27.5,
    "emf_power_density": 2,
}
PASSING_INPUTS = {
    "str_plumb": {"offset_mm": 100, "measured_height_m": 40},
    "guy_tension_dev": {"measured_kN": 11, "design_kN": 10},
    "guy_tension_pct_bs": {"measured_kN": 15, "breaking_kN": 100},
    "sit_nearest_dwelling": {"distance_m": 1, "height_m": 40},
}
PASSING_CHOICES = {
    "fnd_concrete": "good",
    "fnd_anchor_bolt_rust": "none",
    "str_rust_grade": "Ri2",
    "guy_corrosion": "none",
    "guy_anchor_csf": "CSF1",
}


@pytest.mark.parametrize("key", ITEMS)
def test_a_passing_answer_on_the_very_limit_gives_none(key) -> None:
    form = ITEMS[key]["answer"]
    if form["type"] == "yes_no":
        answer = ok(form["pass_value"])
    elif key in PASSING_INPUTS:
        answer = ok(inputs=PASSING_INPUTS[key])
    else:
        answer = ok({**PASSING_NUMBERS, **PASSING_CHOICES}[key])
    judgement = judged(key, answer)
    assert judgement.outcome is Outcome.OK
    assert judgement.severity is None
    assert judgement.remedy_days is None


@pytest.mark.parametrize("key", ITEMS)
@pytest.mark.parametrize("outcome", ["not_checked", "not_applicable"])
def test_what_was_not_judged_is_never_a_pass_and_needs_a_reason(key, outcome) -> None:
    facts = structure(type_for(ITEMS[key]))
    silent = evaluate(CATALOGUE, facts, {key: GivenAnswer(outcome=outcome)})
    assert [one.item_key for one in silent.problems] == [key]
    told = evaluate(CATALOGUE, facts, {key: GivenAnswer(outcome=outcome, reason="Trời mưa")})
    assert not told.problems
    assert told.judgements[key].outcome == outcome
    assert told.judgements[key].value is None
    assert not told.complete


def test_a_value_beside_not_checked_is_refused() -> None:
    answer = GivenAnswer(outcome="not_checked", reason="Mưa", value="no")
    found = evaluate(CATALOGUE, structure(), {"clb_ladder": answer})
    assert [one.item_key for one in found.problems] == ["clb_ladder"]


@pytest.mark.parametrize(
    ("kind", "offset", "severity"),
    [
        # Thresholds count unrounded: 0.2501 % shows as 0.25 % and is over it all the same.
        ("guyed_mast", "100", None),
        ("guyed_mast", "100.04", "major"),
        ("guyed_mast", "300", "major"),
        ("guyed_mast", "300.04", "critical"),
        ("lattice_self_support", "100.04", "minor"),
        ("lattice_self_support", "160.04", "major"),
        ("lattice_self_support", "400", "major"),
        ("lattice_self_support", "400.04", "critical"),
        ("monopole", "200", None),
        ("monopole", "200.04", "major"),
        ("rooftop_pole", "600.04", "critical"),
    ],
)
def test_plumb_is_judged_unrounded_by_structure_type(kind, offset, severity) -> None:
    answer = ok(inputs={"offset_mm": offset, "measured_height_m": "40"})
    assert judged("str_plumb", answer, kind).severity == severity


def test_a_lean_beyond_the_scale_is_critical_not_unchecked() -> None:
    """Inputs in range are judged, however bad what they compute to: 2.5 m at 10 m is 25 %."""
    answer = ok(inputs={"offset_mm": 2500, "measured_height_m": 10})
    assert judged("str_plumb", answer).severity == "critical"


@pytest.mark.parametrize(
    ("diameter", "measured", "severity"),
    [
        (None, "10.6", None),
        (None, "11", None),
        (None, "11.001", "major"),
        (25, "10.6", None),
        (26, "10.5", None),
        (26, "10.501", "major"),
        (26, "9.499", "major"),
        (40, "12.5", "major"),
        (40, "12.501", "critical"),
        (None, "7.499", "critical"),
        (None, "7.5", "major"),
    ],
)
def test_thick_guys_have_the_narrower_tolerance(diameter, measured, severity) -> None:
    recorded = {} if diameter is None else {"guy_diameter_mm": diameter}
    answer = ok(inputs={"measured_kN": measured, "design_kN": 10}, record_also=recorded)
    assert judged("guy_tension_dev", answer, "guyed_mast").severity == severity


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"offset_mm": 10},
        {"measured_height_m": 10},
        {"offset_mm": 10, "measured_height_m": 0},
        {"offset_mm": 10, "measured_height_m": "0.5"},
        {"offset_mm": 10, "measured_height_m": 701},
        {"offset_mm": -1, "measured_height_m": 40},
        {"offset_mm": 10_001, "measured_height_m": 40},
        {"offset_mm": "nghiêng", "measured_height_m": 40},
        {"offset_mm": float("nan"), "measured_height_m": 40},
        {"offset_mm": float("inf"), "measured_height_m": 40},
        {"offset_mm": [1], "measured_height_m": {"a": 1}},
        {"offset_mm": True, "measured_height_m": 40},
        {"offset_mm": None, "measured_height_m": ""},
    ],
)
def test_a_derived_answer_without_usable_inputs_is_not_checked(inputs) -> None:
    judgement = judged("str_plumb", ok(inputs=inputs))
    assert judgement.outcome is Outcome.NOT_CHECKED
    assert (judgement.severity, judgement.value) == (None, None)


def test_a_computed_value_may_not_be_given() -> None:
    answer = ok("0.1", inputs={"offset_mm": 1, "measured_height_m": 40})
    found = evaluate(CATALOGUE, structure(), {"str_plumb": answer})
    assert [one.item_key for one in found.problems] == ["str_plumb"]


def whole_checklist(kind: str, **facts: Any) -> dict[str, GivenAnswer]:
    """Passing answers to every item of a structure."""
    answers = {}
    for item in DOCUMENT["items"]:
        if not oracle_applies(item, structure(kind, **facts)):
            continue
        key, form = item["key"], item["answer"]
        if form["type"] == "yes_no":
            answers[key] = ok(form["pass_value"])
        elif key in PASSING_INPUTS:
            answers[key] = ok(inputs=PASSING_INPUTS[key])
        else:
            answers[key] = ok({**PASSING_NUMBERS, **PASSING_CHOICES}[key])
    return answers


@pytest.mark.parametrize("kind", TYPES)
def test_a_whole_checklist_is_complete_and_finds_nothing(kind) -> None:
    answers = whole_checklist(kind)
    evaluation = evaluate(CATALOGUE, structure(kind), answers)
    assert not evaluation.problems
    assert not evaluation.missing
    assert evaluation.complete
    assert evaluation.failing == {}


@pytest.mark.parametrize("kind", TYPES)
def test_every_single_gap_makes_it_incomplete(kind) -> None:
    answers = whole_checklist(kind)
    # Asked only when the design tension is unknown; given, it stands in for the deviation.
    answers.pop("guy_tension_pct_bs", None)
    for key in answers:
        rest = {other: answer for other, answer in answers.items() if other != key}
        gap = evaluate(CATALOGUE, structure(kind), rest)
        assert key in gap.missing
        assert not gap.complete
        unchecked = {**answers, key: GivenAnswer(outcome="not_checked", reason="Mưa")}
        assert not evaluate(CATALOGUE, structure(kind), unchecked).complete
        elsewhere = {**answers, key: GivenAnswer(outcome="not_applicable", reason="Không có")}
        if key != "guy_tension_dev":
            assert evaluate(CATALOGUE, structure(kind), elsewhere).complete


@pytest.mark.parametrize("kind", ["guyed_mast", "rooftop_guyed"])
def test_the_breaking_strength_is_asked_only_without_a_design_tension(kind) -> None:
    answers = whole_checklist(kind)
    del answers["guy_tension_pct_bs"]
    assert evaluate(CATALOGUE, structure(kind), answers).complete
    answers["guy_tension_dev"] = ok(inputs={"measured_kN": 10, "design_kN": ""})
    asked = evaluate(CATALOGUE, structure(kind), answers)
    assert asked.missing == ("guy_tension_pct_bs",)
    answers["guy_tension_pct_bs"] = ok(inputs={"measured_kN": 10, "breaking_kN": 100})
    made_good = evaluate(CATALOGUE, structure(kind), answers)
    assert made_good.judgements["guy_tension_dev"].outcome is Outcome.NOT_CHECKED
    assert made_good.complete


def test_all_not_applicable_is_no_inspection() -> None:
    answers = {
        key: GivenAnswer(outcome="not_applicable", reason="Không có")
        for key in whole_checklist("monopole")
    }
    assert not evaluate(CATALOGUE, structure("monopole"), answers).complete


def test_an_unknown_type_has_no_items_at_all() -> None:
    assert applicable_items(CATALOGUE, structure("unknown")) == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fnd_settlement", "1001"),
        ("fnd_settlement", "-1"),
        ("fnd_settlement", "mười"),
        ("fnd_settlement", float("nan")),
        ("fnd_settlement", "1e999"),
        ("fnd_settlement", True),
        ("fnd_settlement", None),
        ("fnd_settlement", ""),
        ("fnd_settlement", [1]),
        ("fnd_anchor_bolt_missing", "1.5"),
        ("clb_ladder", "maybe"),
        ("clb_ladder", True),
        ("str_rust_grade", "Ri9"),
        ("str_rust_grade", ["Ri3"]),
    ],
)
def test_a_value_that_cannot_be_is_named(key, value) -> None:
    found = evaluate(CATALOGUE, structure(), {key: ok(value)})
    assert [one.item_key for one in found.problems] == [key]
    assert not found.complete


def test_an_unknown_item_and_an_unknown_outcome_are_named() -> None:
    found = evaluate(
        CATALOGUE, structure(), {"no_such_item": ok(1), "clb_ladder": GivenAnswer("fine", "yes")}
    )
    assert {one.item_key for one in found.problems} == {"no_such_item", "clb_ladder"}


@given(
    st.dictionaries(
        st.sampled_from([*ITEMS, "nobody"]),
        st.builds(
            GivenAnswer,
            outcome=st.sampled_from(["ok", "not_checked", "not_applicable", "", None, 3]),
            value=st.none() | st.text(max_size=5) | st.floats() | st.booleans() | st.integers(),
            inputs=st.dictionaries(
                st.sampled_from(["offset_mm", "measured_height_m", "x"]),
                st.none() | st.floats() | st.text(max_size=3),
            ),
            record_also=st.dictionaries(
                st.sampled_from(["method", "guy_diameter_mm"]), st.text(max_size=3) | st.floats()
            ),
            reason=st.text(max_size=2),
        ),
        max_size=6,
    )
)
def test_nonsense_never_raises(answers) -> None:
    evaluation = evaluate(CATALOGUE, structure("guyed_mast"), answers)
    assert not evaluation.complete


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,5", "1.5"), (" 2.50 ", "2.50"), ("-3", "-3"), (4, "4"), (0.1, "0.1"), ("1e2", "100")],
)
def test_numbers_are_read_with_point_or_comma(text, number) -> None:
    assert as_number(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "1.234,5", "--1", "NaN", "inf", "1e400", True, None, [], "9" * 41]
)
def test_what_is_no_number_is_none(text) -> None:
    assert as_number(text) is None
