"""Mistakes that people make in this step. Each is a variant of `problem.step`; when a wrong step does
what one of them does, the judge prints its docstring as a hint."""


def sum_instead_of_mean(data, state, learning_rate):
    """the loss is a sum over the batch instead of a mean, so the gradients are N times too large"""
    x, y, w, b = data["x"], data["y"], state["w"], state["b"]
    error = x @ w + b - y
    grad_w, grad_b = x.T @ (2 * error), (2 * error).sum(keepdims=True)
    new = {"w": w - learning_rate * grad_w, "b": b - learning_rate * grad_b}
    return (error**2).sum(), new
