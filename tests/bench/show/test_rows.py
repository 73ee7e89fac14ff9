"""If these fail, a row is marked, named or looked up as another one."""

from bench.analyse import summaries
from bench.paths import ROOT
from bench.record.journal import read
from bench.show import generated, rows


def test_a_row_has_the_key_that_the_journal_gave_its_case():
    """Controls and the twin included; a baseline is found by it."""
    story = read(generated.shown(ROOT))
    table = rows.records(summaries.summarise(story))
    cases = story.header["cases"]
    assert [rows.key_of(row) for row in table[: len(cases)]] == [case["key"] for case in cases], "then come the holes"
    assert [row["backend"] for row in table if rows.key_of(row) == row["baseline"]] == ["numpy_manual"]


def test_a_place_is_what_varies_and_a_name_tells_the_side():
    row = {"backend": "a", "ranks": 1, "side": "new", "device": "cuda", "threads": 2}
    assert rows.place_of(row, ["device", "threads", "side"]) == "device cuda · threads 2"
    assert rows.place_of(row, ["side"]) == ""
    assert rows.name_of(row) == "a@new"
    assert rows.name_of(row | {"side": ""}) == "a"
    assert rows.name_of(row | {"ranks": 2}) == "a (2 ranks)@new"
