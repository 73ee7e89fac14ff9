"""One head of causal self-attention with a residual and a layer norm, trained with SGD.

`out = norm(x + softmax(q @ k.T / √D, of earlier tokens) @ v @ w_o)` with `q, k, v = x @ w_q, ...`
(Vaswani et al., *Attention Is All You Need*, 2017). The loss is the squared distance of a token to
its target, averaged over all tokens.
"""

import numpy as np

SIZES = ("N", "T", "D")  # sequences in the batch, tokens of each, numbers of a token
DEFAULT = "16x32x64"
SMALL = ("5x9x33", "3x7x5", "1x2x3")  # proven at too; multiples of nothing


def draw_data(rng, N, T, D):
    """Standard normal tokens and targets."""
    return {
        "x": rng.standard_normal((N, T, D)),
        "y": rng.standard_normal((N, T, D)),
    }


def draw_state(rng, N, T, D):
    """Weights of variance 1/inputs; the layer norm's gain and bias near 1 and 0."""
    weights = {
        name: rng.standard_normal((D, D)) / np.sqrt(D) for name in ("w_q", "w_k", "w_v", "w_o")
    }
    gain, bias = 1 + rng.standard_normal(D) / 10, rng.standard_normal(D) / 10
    return {**weights, "gain": gain, "bias": bias}


def constants(N, T, D):
    return {"learning_rate": 0.1}


def step(data, state, learning_rate):
    """The loss before the update, and the weights after it."""
    x, y = data["x"], data["y"]
    w_q, w_k, w_v, w_o, gain, bias = state.values()
    N, T, D = x.shape
    # forward: attention
    q, k, v = x @ w_q, x @ w_k, x @ w_v  # (N, T, D)
    scores = q @ k.swapaxes(1, 2) / np.sqrt(D)  # (N, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)  # no token sees a later one
    p = np.exp(scores - scores.max(axis=2, keepdims=True))  # (N, T, T)
    p = p / p.sum(axis=2, keepdims=True)  # (N, T, T)
    context = p @ v  # (N, T, D)
    # forward: residual and layer norm
    z = x + context @ w_o  # (N, T, D)
    centered = z - z.mean(axis=2, keepdims=True)  # (N, T, D)
    deviation = np.sqrt((centered**2).mean(axis=2, keepdims=True) + 1e-5)  # (N, T, 1)
    z_hat = centered / deviation  # (N, T, D)
    out = gain * z_hat + bias  # (N, T, D)
    # loss
    loss = ((out - y) ** 2).sum() / (N * T)  # ()
    # backward: layer norm
    grad_out = 2 * (out - y) / (N * T)  # (N, T, D)
    grad_z_hat = grad_out * gain  # (N, T, D)
    along = (grad_z_hat * z_hat).mean(axis=2, keepdims=True)  # (N, T, 1)
    grad_z = grad_z_hat - grad_z_hat.mean(axis=2, keepdims=True) - z_hat * along  # (N, T, D)
    grad_z = grad_z / deviation  # (N, T, D)
    # backward: attention
    grad_context = grad_z @ w_o.T  # (N, T, D)
    grad_v = p.swapaxes(1, 2) @ grad_context  # (N, T, D)
    grad_p = grad_context @ v.swapaxes(1, 2)  # (N, T, T)
    grad_scores = p * (grad_p - (grad_p * p).sum(axis=2, keepdims=True)) / np.sqrt(D)  # (N, T, T)
    grad_q = grad_scores @ k  # (N, T, D)
    grad_k = grad_scores.swapaxes(1, 2) @ q  # (N, T, D)
    grads = {
        "w_q": _product(x, grad_q),  # (D, D)
        "w_k": _product(x, grad_k),  # (D, D)
        "w_v": _product(x, grad_v),  # (D, D)
        "w_o": _product(context, grad_z),  # (D, D)
        "gain": (grad_out * z_hat).sum(axis=(0, 1)),  # (D,)
        "bias": grad_out.sum(axis=(0, 1)),  # (D,)
    }
    # update
    return loss, {name: state[name] - learning_rate * grad for name, grad in grads.items()}


def _product(a, b):
    """`a.T @ b`, all tokens of all sequences in rows."""
    D = a.shape[2]
    return a.reshape(-1, D).T @ b.reshape(-1, D)  # (D, D)


def operations(N, T, D):
    """Floating-point operations of the products: 9 of N·T·D·D terms, 6 of N·T·T·D; 2 a term.

    x needs no gradient, so w_q, w_k and w_v have two products each; masked scores count.
    """
    return 2 * (9 * N * T * D * D + 6 * N * T * T * D)


def numbers_moved(N, T, D):
    """Numbers read or written at least: data and weights read once, weights written once."""
    return 2 * N * T * D + 2 * (4 * D * D + 2 * D)
