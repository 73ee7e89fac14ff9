"""If these fail, a run says in words what its verdicts do not, a gate stops the wrong rows, or what repeats a run does not."""

import io

import pandas as pd
import pytest

from bench.analyse.summaries import Run
from bench.settings import Settings
from bench.show import folder, grid, sentences
from tests.made import NAMES, a_case, story


def run_of(times, **options):
    cases = [a_case(name) for name in (*NAMES[:2], "quick", "twin")]
    made = story(
        lambda name, p, b: times.get(name, 3e-4) * (1 + 1e-4 * ((p + len(name)) % 3)),
        singly=True, **{"cases": cases, **options},
    )  # fmt: skip
    return Run.of(made)


@pytest.fixture(scope="module")
def equal():
    """A run of three equal ways."""
    return run_of({})


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ({"slow": 4e-4, "quick": 5e-4}, "base is the fastest of 3 ways; quick costs 200 µs more a step."),
        ({"slow": 4e-4, "quick": 2e-4}, "quick is the fastest of 3 ways; it takes 100 µs less a step than base."),
        ({"slow": 3e-4, "quick": 6e-4}, "are the fastest of 3 ways, not told apart; quick costs 300 µs more a step than base."),
        ({"slow": 2e-4, "quick": 2e-4}, "quick and slow are the fastest of 3 ways, not told apart; quick takes 100 µs less"),
    ],
)
def test_only_a_verdict_makes_a_way_the_fastest(times, says):
    (answer,) = folder.answers(run_of(times))
    assert says in answer


def test_equal_ways_proofs_and_the_control_are_a_sentence_each(equal):
    answer, proven, control = folder.findings(equal)
    assert answer == "None of 3 ways is proven faster than all others; quick equals base within 1.0%."
    assert proven.startswith("All 3 were proven")
    assert control.startswith("A/A control: the baseline against itself is 1.000 (")
    assert len(folder.next_commands(equal)) == 3


def test_of_two_sides_the_ways_that_changed_are_counted_and_named():
    then = [a_case(name, side="main") for name in (*NAMES[:2], "twin")]
    now = [a_case(case["name"], side="here", baseline=case["key"]) for case in then[:2]]
    slower = lambda case: 1.04 if (case["name"], case["side"]) == ("slow", "here") else 1  # noqa: E731
    run = run_of({}, cases=[*then, *now], work=slower)
    assert folder.answers(run) == ["1 of 2 ways is slower than main: slow +4.0 %; 1 equal."]


def test_what_disturbed_a_run_is_one_line_from_its_journal(equal):
    assert folder.disturbed(equal.story) == ""
    equal.story.header["doctor"] = ["load: 5 on 2 CPUs; end it.", "cannot be read here: x."]
    equal.story.passes[3]["other_runs"] = 2
    assert folder.disturbed(equal.story) == (
        "disturbed: load: 5 on 2 CPUs; another run of stepbench measured here in 1 of 20 passes"
    )


OTHER = {"threads": [1, 2], "shapes": ["1x2x3x4", "5x6x7x8"], "timeout": 5.0, "results": "/somewhere", "path": ["a b"]}
AGAIN = "BENCH_SHAPES=1x2x3x4,5x6x7x8 BENCH_THREADS=1,2 BENCH_PATH='a b' BENCH_TIMEOUT=5.0 python -m bench run"
VARIABLES = {"commit": "abc", "variables": {"NAME": "a b", "OTHER": "c"}}


@pytest.mark.parametrize(
    ("changed", "sides", "command"),
    [
        ({}, {}, "python -m bench run"),
        (OTHER, {}, AGAIN),
        ({}, {"main": {"commit": "abc"}, "here": {"commit": "def"}}, "python -m bench run --against abc"),
        ({}, {"x": VARIABLES, "v2": {"commit": "def"}}, "python -m bench race 'NAME=a b,OTHER=c' def"),
        ({}, {"x": VARIABLES, "here": {}}, "python -m bench run --against 'NAME=a b,OTHER=c'"),
    ],
)
def test_the_command_that_repeats_a_run_sets_what_differs_from_the_defaults(changed, sides, command, equal):
    equal.story.header["settings"] = Settings().as_json() | changed
    equal.story.header["machine"] = equal.story.header["machine"] | {"sides": sides}
    assert folder.again(equal) == command


def test_a_gpu_that_was_held_back_is_said_where_gpus_were_measured():
    """Idle (0x1) and application clocks (0x2) are no throttling."""

    def disturbed(device):
        run = run_of({}, cases=[a_case(name, device=device) for name in NAMES[:2]]).story
        blocks = [record for record in run.records if record["record"] == "block"]
        for block, bits in zip(blocks, [0x4, 0x3, 0x44, 0x0], strict=False):
            block["gpus"] = [{"throttle_reasons": 0x1}, {"name": "a GPU"} | ({"throttle_reasons": bits} if bits else {})]
        return folder.disturbed(run)

    assert disturbed("cuda") == "disturbed: GPU 1 was held back (power cap, heat (hardware)) in 2 of 60 blocks"
    assert disturbed("cpu") == ""


ROWS = pd.DataFrame({"backend": ["a", "b"], "ratio": [1.032, 1.0], "ratio_low": [1.026, 0.9], "ratio_high": [1.038, 1.01]})


def _gated(verdict, least=0.02, doubts=()):
    out = io.StringIO()
    sentences.show_gate(least, ROWS.assign(verdict=verdict), grid.console(out, 200), doubts)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("on_github", [False, True])
def test_a_gate_that_fails_says_so_in_its_last_line(on_github, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true" if on_github else "")
    line = "FAILED --fail-on slower:2%: a +3.2 % (2.6–3.8 %)"
    assert _gated("SLOWER") == [f"::error::{line}"] * on_github + [line]
    assert _gated("SLOWER", doubts=["UNPROVEN: x."])[-1] == "--fail-on slower:2% proves nothing: UNPROVEN: x."


def test_a_gate_names_what_passed_undecided_and_is_silent_otherwise():
    (line,) = _gated("UNDECIDED")
    assert line.startswith("UNDECIDED, so not stopped by --fail-on slower:2%: a +3.2 % (2.6–3.8 %); measure more")
    assert _gated("EQUAL") == _gated("SLOWER", least=None) == _gated("SLOWER", least=0.04) == []
