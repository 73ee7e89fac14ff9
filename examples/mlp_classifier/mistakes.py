"""Mistakes that people make in this step. Each is a variant of `problem.step`; when a wrong step does
what one of them does, the judge prints its docstring as a hint."""

import numpy as np


def no_mask(data, state, **constants):
    """the ReLU's mask is missing in the backward pass: grad_h[h < 0] = 0"""
    return _step(data, state, **constants, mask=lambda h: 1)


def sum_instead_of_mean(data, state, **constants):
    """the loss is a sum over the batch instead of a mean, so the gradients are N times too large"""
    return _step(data, state, **constants, count=1)


def mean_over_all_scores(data, state, **constants):
    """the loss is a mean over all N·D_out scores instead of the N images of the batch"""
    return _step(data, state, **constants, count=data["y"].size)


def gradients_add_up(data, state, memory, **constants):
    """right in the first step; from the second on gradients add up: zero_grad() is missing"""
    return _step(data, state, **constants, before=memory)


def biases_left_alone(data, state, **constants):
    """b1 and b2 are not given to the optimizer: pass all parameters"""
    loss, new = _step(data, state, **constants)
    return loss, new | {name: array for name, array in state.items() if name.endswith(("b1", "b2"))}


def no_bias_correction(data, state, **constants):
    """Adam's bias correction is missing: divide m by 1 - beta1**t and v by 1 - beta2**t"""
    return _step(data, state, **constants, correct=lambda moment, beta, t: moment)


def step_count_one_behind(data, state, **constants):
    """the bias correction uses t before it is increased: count the step first"""
    return _step(data, state, **constants, counted=0)


def step_count_left_alone(data, state, **constants):
    """t is never increased: add 1 in each step"""
    loss, new = _step(data, state, **constants, counted=0)
    return loss, new | {"t": state["t"]}


def betas_swapped(data, state, beta1, beta2, **constants):
    """beta1 and beta2 are swapped"""
    return _step(data, state, beta1=beta2, beta2=beta1, **constants)


def no_root(data, state, **constants):
    """the update divides by v_hat instead of its root"""
    return _step(data, state, **constants, root=lambda v: v)


def epsilon_of_1e_3(data, state, epsilon, **constants):
    """epsilon is 1e-3 instead of 1e-8"""
    return _step(data, state, **constants, epsilon=1e-3)


def loss_after_the_update(data, state, **constants):
    """the loss is that after the update; step() returns the loss before it"""
    _, new = _step(data, state, **constants)
    loss, _ = _step(data, new, **constants)
    return loss, new


def _correct(moment, beta, t):
    return moment / (1 - beta**t)


def _step(
    data,
    state,
    learning_rate,
    beta1,
    beta2,
    epsilon,
    mask=lambda h: h > 0,
    count=None,
    before=None,
    correct=_correct,
    counted=1,
    root=np.sqrt,
):
    """The right step, unless an option says otherwise."""
    x, y, w2, count = data["x"], data["y"], state["w2"], count or len(data["x"])
    h = x @ state["w1"] + state["b1"]
    h_relu = np.maximum(h, 0)
    scores = h_relu @ w2 + state["b2"]
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad_scores = (np.exp(log_p) - y) / count
    grad_h = (grad_scores @ w2.T) * mask(h)
    grads = {
        "w1": x.T @ grad_h,
        "b1": grad_h.sum(axis=0),
        "w2": h_relu.T @ grad_scores,
        "b2": grad_scores.sum(axis=0),
    }
    new = {"t": state["t"] + 1}
    for name, grad in grads.items():
        if before is not None:
            before[name] = grad = before.get(name, 0) + grad
        new[f"m_{name}"] = beta1 * state[f"m_{name}"] + (1 - beta1) * grad
        new[f"v_{name}"] = beta2 * state[f"v_{name}"] + (1 - beta2) * grad**2
        m_hat = correct(new[f"m_{name}"], beta1, state["t"] + counted)
        v_hat = correct(new[f"v_{name}"], beta2, state["t"] + counted)
        new[name] = state[name] - learning_rate * m_hat / (root(v_hat) + epsilon)
    return -(y * log_p).sum() / count, new
