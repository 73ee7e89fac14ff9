"""Linear regression, trained with gradient descent.

`step` is the reference: every way of writing the step is compared with it, run in float64.
"""

SIZES = ("N", "D")  # samples in the batch, inputs of each
DEFAULT = "256x100"
SMALL = ("33x17", "7x5", "2x1")  # shapes at which every way is proven too


def draw_data(rng, N, D):
    """Arrays that a step reads."""
    return {
        "x": rng.standard_normal((N, D)),
        "y": rng.standard_normal(N),
    }


def draw_state(rng, N, D):
    """Arrays that a step changes: weights, and an optimizer's moments if it has some."""
    return {
        "w": rng.standard_normal(D),
        "b": rng.standard_normal(1),
    }


def constants(N, D):
    """Numbers that `step` gets by their names."""
    return {"learning_rate": 0.01}


def step(data, state, learning_rate):
    """The loss before the update, and the state after it; changes none of its arguments."""
    x, y, w, b = data["x"], data["y"], state["w"], state["b"]
    # forward
    error = x @ w + b - y  # (N,)
    # loss
    loss = (error**2).sum() / len(y)  # ()
    # backward
    grad_error = 2 * error / len(y)  # (N,)
    grad_w = x.T @ grad_error  # (D,)
    grad_b = grad_error.sum(keepdims=True)  # (1,)
    # update
    return loss, {"w": w - learning_rate * grad_w, "b": b - learning_rate * grad_b}


def operations(N, D):
    """Floating-point operations: two products of N·D terms, 2 a term."""
    return 4 * N * D


def numbers_moved(N, D):
    """Numbers read or written at least: data and state read once, the state written once."""
    return N * D + N + 2 * (D + 1)
