"""A two-layer network with a ReLU, trained with stochastic gradient descent: the default problem.

`y_pred = max(x @ w1, 0) @ w2`, without biases. The loss is the *sum* of squared errors, so the
factor 2 of its gradient stays and nothing is divided by N. `step` is the reference: every way of
writing the step is compared with it, run in float64.
"""

import math

import numpy as np

SIZES = ("N", "D_in", "H", "D_out")  # samples in the batch, inputs, hidden units, outputs
DEFAULT = "64x1000x100x10"
SMALL = ("33x257x65x17", "7x13x5x3", "1x1x1x1")  # proven at too; multiples of nothing


def draw_data(rng, N, D_in, H, D_out):
    """Standard normal inputs and targets."""
    return {
        "x": rng.standard_normal((N, D_in)),
        "y": rng.standard_normal((N, D_out)),
    }


def draw_state(rng, N, D_in, H, D_out):
    """What a step changes: standard normal weights."""
    return {
        "w1": rng.standard_normal((D_in, H)),
        "w2": rng.standard_normal((H, D_out)),
    }


def constants(N, D_in, H, D_out):
    """A learning rate of 1e-6 where that trains well, as at the default sizes; else the steady one.

    Gradient descent on a quadratic is stable below 2/λ, λ the largest curvature (LeCun et al.,
    *Efficient BackProp*, 1998). λ is estimated per layer from the largest singular values of
    standard normal matrices, (√rows + √columns), and from the mean √(D_in/2π) of the hidden units.
    """
    w1_curvature = 2 * ((math.sqrt(N) + math.sqrt(D_in)) * (math.sqrt(H) + math.sqrt(D_out))) ** 2
    w2_curvature = N * H * D_in / math.pi + D_in * (math.sqrt(N) + math.sqrt(H)) ** 2
    steady = 1 / (w1_curvature + w2_curvature)
    return {"learning_rate": 1e-6 if steady / 2 <= 1e-6 <= 3 * steady else steady}


def step(data, state, learning_rate):
    """The loss before the update, and the weights after it."""
    x, y, w1, w2 = data["x"], data["y"], state["w1"], state["w2"]
    # forward
    h = x @ w1  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    y_pred = h_relu @ w2  # (N, D_out)
    # loss
    loss = ((y_pred - y) ** 2).sum()  # ()
    # backward; at exactly h = 0 the ReLU's derivative is taken to be 1
    grad_y_pred = 2 * (y_pred - y)  # (N, D_out)
    grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
    grad_h = (grad_y_pred @ w2.T) * (h >= 0)  # (N, H)
    grad_w1 = x.T @ grad_h  # (D_in, H)
    # update
    return loss, {"w1": w1 - learning_rate * grad_w1, "w2": w2 - learning_rate * grad_w2}


def operations(N, D_in, H, D_out):
    """Floating-point operations: two products of N·D_in·H terms, three of N·H·D_out; 2 a term."""
    return 4 * N * D_in * H + 6 * N * H * D_out


def numbers_moved(N, D_in, H, D_out):
    """Numbers read or written at least: data and weights read once, weights written once."""
    return N * D_in + N * D_out + 2 * (D_in * H + H * D_out)
