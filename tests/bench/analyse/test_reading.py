"""If these fail, a damaged file ends in a traceback, spoils the others, or counts as a measurement."""

import csv
import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.analyse import reading
from bench.analyse.comparison import judge
from bench.analyse.estimates import with_interval
from bench.analyse.summaries import Run
from bench.analyse.verdicts import Estimate
from bench.errors import UsageError
from bench.record import frame
from bench.show.folder import write
from tests.support import run_rows, story


@pytest.fixture
def fine(tmp_path):
    path = tmp_path / "fine.csv"
    run_rows("fine", np.random.default_rng(0)).to_csv(path, index=False)
    run_rows("other", np.random.default_rng(1)).to_csv(tmp_path / "other.csv", index=False)
    return path


DAMAGE = {
    "empty": (lambda t: "", r"bad\.csv: holds no row; give a finished run"),
    "cut off": (lambda t: "\n".join(t.splitlines()[:3]).rsplit(",", 9)[0], r"bad\.csv:3: has \d+ fields, its header"),
    "semicolons": (lambda t: t.replace(",", ";").replace(".", ","), r"bad\.csv:1: has no column backend.*commas"),
    "decimal comma": (lambda t: t.replace("0.001", '"0,001"'), r"bad\.csv:2: relative_error is '0,001', expected a number"),
    "negative": (lambda t: _cell(t, "seconds_per_step", "-1e-4"), r"bad\.csv:3: seconds_per_step is '-1e-4', expected"),
    "no width": (lambda t: _cell(t, "ratio_low", "0"), r"bad\.csv:3: ratio_low is '0', expected a number above 0"),
    "no end": (lambda t: _cell(t, "ratio_high", "inf"), r"bad\.csv:3: ratio_high is 'inf', expected a number above 0"),
    "no time": (lambda t: _cell(t, "seconds_per_step", ""), r"bad\.csv:3: status is ok, so it needs a time"),
    "a status of another": (lambda t: _cell(t, "status", "OK"), r"bad\.csv:3: status is 'OK', expected one of ok, wrong"),
    "half a core": (lambda t: _cell(t, "threads", "1.5"), r"bad\.csv:3: threads is '1.5', expected a whole number"),
    "a row twice": (lambda t: t + t.splitlines()[1] + "\n", r"bad\.csv:8: holds a case of this run once more"),
    "a column twice": (lambda t: t.replace("ratio_low", "ratio"), r"bad\.csv:1: has two columns ratio, so it"),
    "a field too many": (lambda t: t.replace("\n", ",x\n").replace(",x", "", 1), r"bad\.csv:2: has \d+ fields, its"),
    "Latin-1": (lambda t: t.replace("base,", "bäse,").encode("latin-1"), r"bad\.csv: is no CSV in UTF-8: "),
    "a version as a date": (lambda t: _cell(t, "python", "03.11.2007"), r"bad\.csv:3: python is '03\.11\.2007', expected"),
    "a hash as a number": (lambda t: _cell(t, "source_hash", "1.2E+15"), r"bad\.csv:3: source_hash is '1\.2E\+15', expected"),
    "6 digits": (lambda t: _saved(t, float_format="%.6g"), r"bad\.csv:2: seconds_per_step is '0\.0001\d+', and no row has"),
    "below an empty row": (lambda t: _cell(t, "ratio", "x").replace("\n", "\n\n", 1), r"bad\.csv:4: ratio is 'x'"),
}


def _cell(text, column, value, line=3):
    lines = [line.split(",") for line in text.splitlines()]
    lines[line - 1][lines[0].index(column)] = value
    return "\n".join(map(",".join, lines)) + "\n"


def _saved(text, columns=None, **options):
    """As pandas saves it again."""
    table = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values="")
    return table.to_csv(index=False, columns=columns, **options)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence_with_its_place_and_leaves_other_files_to_be_used(fine, damage):
    make, sentence = DAMAGE[damage]
    bad = fine.with_name("bad.csv")
    text = make(fine.read_text())
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=sentence):
        reading.read([bad])
    rows = reading.read([bad, fine])
    assert set(rows.table["file"]) == {str(fine)}
    (said,) = rows.left_out
    assert re.search(sentence, said)
    assert "\n" not in said


def test_extra_and_missing_later_columns_are_no_damage(fine):
    table = pd.read_csv(fine, keep_default_na=False)
    table.assign(newer="x").drop(columns=["machine", "relative_error"]).to_csv(fine, index=False)
    rows = reading.read([fine]).table
    assert len(rows) == 6
    assert set(rows["machine"]) == {""}


def test_an_interval_may_be_as_wide_as_two_passes_that_disagree_make_it(fine):
    ends = with_interval("seconds_per_step", Estimate.of([math.log(3e-4), math.log(3e-1)]))
    assert ends["seconds_per_step_low"] < 1e-12
    pd.read_csv(fine, keep_default_na=False).assign(**ends).to_csv(fine, index=False)
    assert len(reading.read([fine]).table) == 6


@pytest.mark.parametrize(
    ("given", "says"),
    [("", "an empty name stands where"), (" ", "an empty name stands where"), (".", "holds no run, neither summary"),
     ("nowhere", "nowhere: cannot be read: No such file"), ("samples.csv", "samples.csv:1: has no column status")],
)  # fmt: skip
def test_what_is_no_run_is_named(tmp_path, monkeypatch, given, says):
    """An unset variable in a script must not mean everything below the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples.csv").write_text("backend,device,dtype,threads,shape,seconds_per_step\n")
    with pytest.raises(UsageError, match=says):
        reading.read([given])


def test_a_run_given_twice_counts_once(fine):
    copy = fine.with_name("copy.csv")
    copy.write_bytes(fine.read_bytes())
    rows = reading.read([fine, copy])
    assert len(rows.table) == 6
    assert "copy.csv:2: holds a case of this run once more" in rows.left_out[0]


@pytest.mark.parametrize(
    "save",
    [
        lambda t: "\ufeff" + t.replace("\n", "\r\n"),
        lambda t: t + "\n  \n",
        lambda t: t.replace("\n", "\r\n,,,\r\n", 3),
        lambda t: t.replace("\n", ",\n"),
        lambda t: _saved(t, quoting=csv.QUOTE_ALL),
        lambda t: _saved(t, columns=t.splitlines()[0].split(",")[::-1]),
        lambda t: _saved(t, float_format="%.15g"),
    ],
)
def test_what_spreadsheets_save_without_changing_a_value_is_no_damage(fine, save):
    saved = fine.with_name("saved.csv")
    saved.write_bytes(save(fine.read_text()).encode())
    tables = [reading.read([path]).table.drop(columns="file") for path in (fine, saved)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-14)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run's folder with every file that a run writes, from a journal made by hand."""
    folder = tmp_path_factory.mktemp("run")
    made = story(lambda case, number, block: 1e-4 * (2 if case == "slow" else 1) * 1.001 ** (number % 5))
    records = [made.header, *made.records]
    (folder / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    write(Run.read(folder))
    return folder


def test_a_runs_table_and_its_journal_say_the_same_and_together_count_once(run_folder):
    """A journal's rows stand in no line."""
    files = [run_folder / name for name in ("summary.csv", "journal.jsonl")]
    tables = [reading.read([path]).table.set_index("backend")["seconds_per_step"] for path in (*files, run_folder)]
    for table in tables[1:]:
        assert table.to_dict() == pytest.approx(tables[0].to_dict())
    (said,) = reading.read(files).left_out
    assert re.match(r".*journal\.jsonl: holds a case of this run once more", said)


def test_a_run_that_was_cut_off_is_read_from_its_journal(run_folder, tmp_path):
    (tmp_path / "journal.jsonl").write_bytes((run_folder / "journal.jsonl").read_bytes()[:-2000])
    assert set(reading.read([tmp_path]).table["status"]) == {"incomplete"}


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["summary.csv", "journal.jsonl"]))
def test_no_mutation_is_a_traceback_or_a_bad_number(run_folder, tmp_path, data, name):
    """Whatever a disk, an editor or a spreadsheet did to a file: rows with times above zero, or one sentence."""
    content = bytearray((run_folder / name).read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(max_size=4) | st.sampled_from([b",", b"\n", b'"', b"-", b"nan", b"1e999", b"{", b";"]))
        content[place : place + data.draw(st.integers(0, 40))] = piece
        content = content or bytearray(b"x")
    path = tmp_path / f"mutated.{name.partition('.')[2]}"
    path.write_bytes(content)
    try:
        rows = reading.read([path]).table
    except UsageError as error:
        if "\n" in str(error):
            raise
        return
    judge(rows, rows.assign(run=rows["run"] + " again"), rows.assign(run=rows["run"] + " stored"))
    times = rows.loc[rows["status"] == "ok", "seconds_per_step"]
    assert (times > 0).all()
    assert np.isfinite(times).all()


def test_committed_runs_can_be_read():
    """What is committed can be compared."""
    rows = reading.read([story.path.parent for story in frame.stories("results")])
    assert not rows.left_out

