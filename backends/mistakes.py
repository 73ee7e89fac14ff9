"""Mistakes that people make in this step. Each is a variant of `problem.step`; when a wrong step does
what one of them does, the judge prints its docstring as a hint."""

import numpy as np


def no_mask(data, state, learning_rate):
    """the ReLU's mask is missing in the backward pass: grad_h[h < 0] = 0"""
    return _step(data, state, learning_rate, mask=lambda h, grad: grad)


def masked_by_the_gradients_sign(data, state, learning_rate):
    """the mask is taken from the gradient's sign; it is the ReLU's input that counts: grad_h[h < 0] = 0"""
    return _step(data, state, learning_rate, mask=lambda h, grad: np.maximum(grad, 0))


def w2_updated_first(data, state, learning_rate):
    """w2 is updated before the gradient of the hidden units is taken from it; compute all gradients first"""
    x, y, w1, w2 = data["x"], data["y"], state["w1"], state["w2"]
    h = x @ w1
    h_relu = np.maximum(h, 0)
    error = h_relu @ w2 - y
    new_w2 = w2 - learning_rate * (h_relu.T @ (2 * error))
    grad_h = (2 * error @ new_w2.T) * (h >= 0)
    return (error**2).sum(), {"w1": w1 - learning_rate * (x.T @ grad_h), "w2": new_w2}


def wrong_sign(data, state, learning_rate):
    """the error has the wrong sign, as in 2 * (y - y_pred); it is y_pred - y"""
    return _step(data, state, -learning_rate)


def no_factor_two(data, state, learning_rate):
    """the factor 2 of the square's derivative is missing: grad_y_pred = 2 * (y_pred - y)"""
    return _step(data, state, learning_rate / 2)


def mean_instead_of_sum(data, state, learning_rate):
    """the loss is a mean over all errors instead of their sum, so the gradients are N·D_out times too small"""
    count = data["y"].size
    loss, new = _step(data, state, learning_rate / count)
    return loss / count, new


def mean_over_the_batch(data, state, learning_rate):
    """the loss is a mean over the batch instead of a sum, so the gradients are N times too small"""
    count = len(data["y"])
    loss, new = _step(data, state, learning_rate / count)
    return loss / count, new


def loss_after_the_update(data, state, learning_rate):
    """the loss is that after the update; step() returns the loss before it"""
    _, new = _step(data, state, learning_rate)
    loss, _ = _step(data, new, learning_rate)
    return loss, new


def gradients_add_up(data, state, learning_rate, memory):
    """right in the first step; from the second on gradients add up: zero_grad() or grad.zero_() is missing"""
    loss, new = _step(data, state, learning_rate)
    for name, before in state.items():
        memory[name] = memory.get(name, 0.0) + (before - new[name])
        new[name] = before - memory[name]
    return loss, new


def _step(data, state, learning_rate, mask=lambda h, grad: grad * (h >= 0)):
    """The right step, with another mask if one is given."""
    x, y, w1, w2 = data["x"], data["y"], state["w1"], state["w2"]
    h = x @ w1
    h_relu = np.maximum(h, 0)
    error = h_relu @ w2 - y
    grad_h = mask(h, 2 * error @ w2.T)
    grads = {"w1": x.T @ grad_h, "w2": h_relu.T @ (2 * error)}
    new = {name: state[name] - learning_rate * grad for name, grad in grads.items()}
    return (error**2).sum(), new
