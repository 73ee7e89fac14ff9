"""A problem that cannot tell right from wrong is refused with one sentence."""

import pytest

from bench.errors import UsageError
from bench.judge.checking import central_differences, check, check_mistakes
from bench.judge.diagnosis import mistakes
from bench.judge.requests import Requests
from bench.paths import BACKENDS
from bench.problem import Definition
from tests.proving import EXAMPLES, LAST, REGRESSION, regression_with

BAD = {
    "forgets an array": (LAST, LAST.replace(', "b": b - learning_rate * grad_b', ""), "returns no b"),
    "adds an array": (LAST, LAST.replace('"w":', '"v": 1.0, "w":'), "returns an unknown array v"),
    "returns the loss alone": (LAST, "return loss", "returns something else than a loss and a state"),
    "mixes dtypes": (LAST, LAST.replace("grad_w,", 'grad_w.astype("f4").astype("f4"),').replace(
        '"w": w -', '"w": w.astype("f4") - np.float32(1) *'), "returns w as float32"),
    "rounds the loss": ("/ len(y)  # ()", "/ len(y)\n    loss = np.float32(loss)", "loss as float32"),
    "returns NaN": ("error = x @ w + b - y", "error = np.log(-(x @ w) ** 2)", "NaN or infinity"),
    "returns another shape": (LAST, LAST.replace('"b": b -', '"b": b[0] -').replace(
        "grad_b}", "grad_b[0]}"), "returns b as float64 ()"),
    "changes its data": ("    # forward", "    x *= 2\n    # forward", "step changes x"),
    "changes its state": (LAST, "w -= learning_rate * grad_w\n    " + LAST, "step changes w"),
    "draws in step": ("    # loss", "    error = error + np.random.rand()\n    # loss", "differ in loss"),
    "remembers": ("    # loss", "    step.n = getattr(step, 'n', 0) + 1\n    error = error * step.n\n    # loss",
                  "differ in loss"),
    "draws without the seed": ('"y": rng', '"y": np.random.default_rng()', "drawing y twice"),
    "draws NaN": ("rng.standard_normal(N),", "np.full(N, np.nan),", "y is drawn with NaN"),
    "raises": ("error = x @ w + b - y", "error = x @ y", "step raises ValueError"),
    "calls dot": ("x @ w + b", "x.dot(w) + b", "problem.py calls dot(); write"),
    "moves too little": ('"learning_rate": 0.01', '"learning_rate": 1e-30', "every update is smaller"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_problem_is_refused(name, tmp_path):
    old, new, expected = BAD[name]
    definition = regression_with(tmp_path, (old, new))
    with pytest.raises(UsageError) as refused:
        check(definition, "33x17", "float32")
    assert expected in str(refused.value)
    assert "problem.py" in str(refused.value)
    assert "UsageError" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("folder", [BACKENDS, *EXAMPLES.iterdir()], ids=lambda f: f.name)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_our_problems_are_good(folder, dtype):
    definition = Definition.load(folder)
    for shape in (definition.default, *definition.small):
        check(definition, shape, dtype)


def test_the_judge_checks_before_it_asks(tmp_path):
    regression_with(tmp_path, ("error = x @ w + b - y", "error = x @ y"))
    with pytest.raises(UsageError, match="step raises"):
        Requests(0, str(tmp_path)).problem("33x17", "float32")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rng.standard_normal((N, D))", "rng.standard_normal((N, E))", "draw_data raises NameError"),
        ("return 4 * N * D", "return N.size", "operations raises AttributeError"),
        ('SMALL = ("33x17", "7x5", "2x1")', "SMALL = ()", "SMALL is empty"),
        ('DEFAULT = "256x100"', 'DEFAULT = "256"', "have the shape '256'; expected NxD"),
    ],
)  # fmt: skip
def test_what_stands_around_a_step_is_checked(old, new, expected, tmp_path):
    def load():
        definition = regression_with(tmp_path, (old, new))
        definition.operations("33x17")
        check(definition, "33x17", "float32")

    with pytest.raises(UsageError, match=expected):
        load()


STANDS_STILL = (
    ('"b": rng.standard_normal(1),', '"b": np.ones(1), "v": np.ones(D),'),
    (LAST, LAST.replace("}", ', "v": state["v"] * 0.9}')),
)


@pytest.mark.parametrize(
    ("folder", "changes", "agrees", "says"),
    [
        (BACKENDS, None, True, "agrees with central differences"),
        (REGRESSION, None, True, "agrees with central differences"),
        (EXAMPLES / "attention", None, True, "agrees with central differences"),
        (EXAMPLES / "mlp_classifier", None, True, "not checked by central differences, since learning_rate is not its only"),
        ("", STANDS_STILL, True, "not checked by central differences: its loss ignores v"),
        ("", [("2 * error", "error")], False, "moves w along "),
        ("", [("grad_w = x.T @", "grad_w = 1.001 * x.T @")], False, "moves w along "),
    ],
)
def test_central_differences_find_a_wrong_gradient_where_a_step_is_gradient_descent(folder, changes, agrees, says, tmp_path):
    definition = regression_with(tmp_path, *changes) if changes else Definition.load(folder)
    found, sentence = central_differences(definition)
    assert (found, sentence.startswith(says)) == (agrees, True), sentence


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1 / 0", "half (half) raises ZeroDivisionError: division by zero; write it like"),
        ("return 0.0, dict.fromkeys(state, 0.0)", "half (half) returns another state; write it"),
    ],
)
def test_a_bad_mistake_is_refused(body, expected, tmp_path):
    definition = regression_with(tmp_path)
    check_mistakes(definition)
    (tmp_path / "mistakes.py").write_text(f"def half(data, state, learning_rate):\n    {body}\n")
    mistakes.cache_clear()
    with pytest.raises(UsageError) as refused:
        check_mistakes(definition)
    assert f"mistakes.py: {expected}" in str(refused.value)
