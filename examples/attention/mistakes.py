"""Mistakes that people make in this step. Each is a variant of `problem.step`; when a wrong step does
what one of them does, the judge prints its docstring as a hint."""

import numpy as np


def no_causal_mask(data, state, learning_rate):
    """tokens see later ones: set their scores to -inf before the softmax"""
    return _step(data, state, learning_rate, seen=np.ones)


def sees_the_next_token(data, state, learning_rate):
    """the mask hides one token too few: a token sees itself and those before it"""
    return _step(data, state, learning_rate, seen=lambda shape: np.tri(shape[0], k=1))


def no_scale(data, state, learning_rate):
    """the scores are not divided by √D"""
    return _step(data, state, learning_rate, scale=1)


def divides_by_d(data, state, learning_rate):
    """the scores are divided by D instead of √D"""
    return _step(data, state, learning_rate, scale=1 / data["x"].shape[2])


def no_scale_in_the_backward_pass(data, state, learning_rate):
    """the gradient of the scores is not divided by √D"""
    return _step(data, state, learning_rate, back=1)


def no_sum_in_the_softmax(data, state, learning_rate):
    """the softmax's gradient lacks its second term: p * (grad_p - (grad_p * p).sum())"""
    return _step(data, state, learning_rate, softmax=0)


def no_residual(data, state, learning_rate):
    """the residual is missing: x + context @ w_o"""
    return _step(data, state, learning_rate, residual=0)


def deviation_is_a_constant(data, state, learning_rate):
    """the layer norm's gradient takes mean and deviation for constants: they depend on z too"""
    return _step(data, state, learning_rate, norm=0)


def deviation_of_a_sample(data, state, learning_rate):
    """the layer norm divides by D - 1, as std() of torch does; it divides by D"""
    return _step(data, state, learning_rate, fewer=1)


def sum_instead_of_mean(data, state, learning_rate):
    """the loss is a sum over the tokens instead of a mean, so the gradients are N·T times too large"""
    return _step(data, state, learning_rate, count=1)


def mean_over_all_numbers(data, state, learning_rate):
    """the loss is a mean over all N·T·D numbers instead of the N·T tokens"""
    return _step(data, state, learning_rate, count=data["x"].size)


def gradients_add_up(data, state, learning_rate, memory):
    """right in the first step; from the second on gradients add up: zero_grad() is missing"""
    loss, new = _step(data, state, learning_rate)
    for name, before in state.items():
        memory[name] = memory.get(name, 0.0) + (before - new[name])
        new[name] = before - memory[name]
    return loss, new


def _step(
    data,
    state,
    learning_rate,
    seen=lambda shape: np.tri(shape[0]),
    scale=None,
    back=None,
    softmax=1,
    residual=1,
    norm=1,
    fewer=0,
    count=None,
):
    """The right step, unless an option says otherwise."""
    x, y, w_o, gain = data["x"], data["y"], state["w_o"], state["gain"]
    N, T, D = x.shape
    scale, count = scale or D**-0.5, count or N * T
    q, k, v = (x @ state[name] for name in ("w_q", "w_k", "w_v"))
    scores = scale * (q @ k.swapaxes(1, 2))
    scores = np.where(seen((T, T)) > 0, scores, -np.inf)
    p = np.exp(scores - scores.max(axis=2, keepdims=True))
    p = p / p.sum(axis=2, keepdims=True)
    context = p @ v
    z = residual * x + context @ w_o
    centered = z - z.mean(axis=2, keepdims=True)
    variance = (centered**2).sum(axis=2, keepdims=True) / (D - fewer)
    deviation = np.sqrt(variance + 1e-5)
    z_hat = centered / deviation
    error = gain * z_hat + state["bias"] - y
    grad_out = 2 * error / count
    grad_z_hat = grad_out * gain
    along = (grad_z_hat * z_hat).sum(axis=2, keepdims=True) / (D - fewer)
    mean = grad_z_hat.mean(axis=2, keepdims=True)
    grad_z = (grad_z_hat - norm * (mean + z_hat * along)) / deviation
    grad_context = grad_z @ w_o.T
    grad_p = grad_context @ v.swapaxes(1, 2)
    grad_scores = p * (grad_p - softmax * (grad_p * p).sum(axis=2, keepdims=True))
    grad_scores = grad_scores * (back or scale)
    grads = {
        "w_q": _product(x, grad_scores @ k),
        "w_k": _product(x, grad_scores.swapaxes(1, 2) @ q),
        "w_v": _product(x, p.swapaxes(1, 2) @ grad_context),
        "w_o": _product(context, grad_z),
        "gain": (grad_out * z_hat).sum(axis=(0, 1)),
        "bias": grad_out.sum(axis=(0, 1)),
    }
    new = {name: state[name] - learning_rate * grad for name, grad in grads.items()}
    return (error**2).sum() / count, new


def _product(a, b):
    D = a.shape[2]
    return a.reshape(-1, D).T @ b.reshape(-1, D)
