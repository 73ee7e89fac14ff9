"""If these fail, a row is marked, named or looked up as another one."""

import math

from bench.analyse import summaries
from bench.show import rows
from tests.made import NAMES, a_case, a_hole, key_of, story


def test_a_row_has_the_key_that_the_journal_gave_its_case_and_its_name_the_side():
    """Controls and the twin included; a baseline is found by it."""
    cases = [a_case(name, side="x") for name in (*NAMES, "null", "peak_arithmetic")]
    run = story(lambda *_: 1e-4, 2, cases=cases, holes=[a_hole("is not here")])
    table = rows.summary_rows(summaries.summarise(run))
    assert [row["key"] for row in table] == [*(case["key"] for case in cases), a_hole("")["key"]]
    assert [row["label"] for row in table if rows.is_baseline(row)] == ["base@x"]
    assert (table[-1]["label"], table[-1]["time"], table[-1]["ratio"]) == ("absent", None, None)


def test_the_time_is_undisturbed_or_the_mean_of_rounds_and_so_is_the_ratio():
    table = summaries.summarise(story(lambda *_: 3e-4, 4, singly=True))
    undisturbed = [f"{rows.UNDISTURBED}{end}" for end in ("", "_low", "_high")]

    def found(queued):
        changed = table.copy()
        changed.loc[key_of(queued), [*undisturbed, rows.MEAN]] = [math.nan] * 3 + [5e-4]
        return {row["backend"]: (row["time"], row["mean"], row["of_means"]) for row in rows.summary_rows(changed)}

    time = table.loc[key_of("base"), undisturbed[0]]
    assert found("slow") == {"base": (time, False, False), "slow": (5e-4, True, True), "twin": (time, False, False)}
    assert found("base") == {"base": (5e-4, True, True), "slow": (time, False, True), "twin": (time, False, True)}


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


def test_a_place_is_what_varies_but_the_side():
    row = {"backend": "a", "side": "new", "device": "cuda", "threads": 2}
    assert rows.place_of(row, ["device", "threads", "side"]) == "device cuda · threads 2"
    assert rows.place_of(row, ["side"]) == ""
