"""Grades as text, CSV, JSON and for Gradescope."""

import csv
import io
import json
import math

from bench.grading.grade import COLUMNS, FORMATS

RIGHT = {
    "file": "ada.py", "verdict": "right", "sentence": "330 µs a step.", "ratio": 0.9,
    "seconds_per_step": 330e-6, "seconds_per_step_low": math.nan,
}  # fmt: skip
WRONG = {"file": "bob, jr.py", "verdict": "wrong", "sentence": 'bob, jr.py raised "E".'}


def test_text_of_one_file_is_its_verdict_and_sentence_and_of_several_a_line_each():
    assert FORMATS["text"]([WRONG]) == 'wrong: bob, jr.py raised "E".\n'
    assert FORMATS["text"]([RIGHT, WRONG]).splitlines() == [
        "ada.py      right      330 µs  330 µs a step.",
        'bob, jr.py  wrong           –  bob, jr.py raised "E".',
    ]


def test_csv_has_every_column_and_nothing_for_what_was_not_measured():
    rows = [*csv.DictReader(io.StringIO(FORMATS["csv"]([RIGHT, WRONG])))]
    assert [*rows[0]] == [*COLUMNS]
    assert (rows[0]["seconds_per_step"], rows[0]["seconds_per_step_low"]) == ("0.00033", "")
    found = [rows[1][name] for name in ("file", "sentence", "ratio")]
    assert found == [WRONG["file"], WRONG["sentence"], ""]


def test_json_is_an_object_for_one_file_and_a_list_for_several():
    one, several = (json.loads(FORMATS["json"](grades)) for grades in ([RIGHT], [RIGHT, WRONG]))
    assert several[0] == one == dict.fromkeys(COLUMNS) | RIGHT | {"seconds_per_step_low": None}
    assert several[1] == dict.fromkeys(COLUMNS) | WRONG


def test_gradescope_gets_a_test_a_file_worth_a_point():
    results = json.loads(FORMATS["gradescope"]([RIGHT, WRONG]))
    assert results["visibility"] == "visible"
    assert [(t["name"], t["score"], t["max_score"], t["status"]) for t in results["tests"]] == [
        ("ada.py", 1.0, 1.0, "passed"),
        ("bob, jr.py", 0.0, 1.0, "failed"),
    ]
    assert results["tests"][1]["output"] == WRONG["sentence"]
