"""If these fail, a row is marked, named or looked up as another one."""

from bench.analyse import summaries
from bench.show import rows
from tests.made import NAMES, a_case, a_hole, story


def test_a_row_has_the_key_that_the_journal_gave_its_case():
    """Controls and the twin included; a baseline is found by it."""
    cases = [a_case(name, side="x") for name in (*NAMES, "null", "peak_arithmetic")]
    run = story(lambda *_: 1e-4, 2, cases=cases, holes=[a_hole("is not here")])
    table = rows.records(summaries.summarise(run))
    keys = [case["key"] for case in cases]
    assert [rows.key_of(row) for row in table] == [*keys, a_hole("")["key"]]
    assert [row["backend"] for row in table if rows.key_of(row) == row["baseline"]] == ["base"]


def test_rows_stand_by_side_place_and_time_with_controls_last():
    places = [(name, threads) for name in (*NAMES, "null") for threads in (2, 1)]
    cases = [a_case(name, threads=threads) for name, threads in places]
    times = {"base": 2.0, "slow": 1.0, "twin": 2.0, "null": 0.1}
    table = summaries.summarise(story(lambda name, *_: times[name], 2, cases=cases))
    arranged, varying = rows.arranged(table)
    assert varying == ["threads"]
    assert [(row["backend"], row["threads"]) for row in arranged] == [
        ("slow", 2), ("base", 2), ("slow", 1), ("base", 1),
        ("null", 2), ("twin", 2), ("null", 1), ("twin", 1),
    ]  # fmt: skip


def test_a_place_is_what_varies_and_a_name_has_the_side():
    row = {"backend": "a", "side": "new", "device": "cuda", "threads": 2}
    assert rows.place_of(row, ["device", "threads", "side"]) == "device cuda · threads 2"
    assert rows.place_of(row, ["side"]) == ""
    assert [rows.name_of(row | {"side": side}) for side in ("new", "")] == ["a@new", "a"]
