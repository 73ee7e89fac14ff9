"""A classifier with one hidden layer, trained with Adam: images of 784 pixels, 10 classes.

`scores = max(x @ w1 + b1, 0) @ w2 + b2`. The loss is the softmax's cross-entropy, averaged over the
batch. Adam (Kingma & Ba, *Adam*, 2015) keeps two moments of each weight's gradient and counts its
steps; they change with the weights, so they belong to the state.
"""

import numpy as np

SIZES = ("N", "D_in", "H", "D_out")  # images in the batch, pixels, hidden units, classes
DEFAULT = "64x784x100x10"
SMALL = ("33x129x65x17", "7x13x5x3", "2x3x4x2")  # proven at too; multiples of nothing
WEIGHTS = ("w1", "b1", "w2", "b2")


def draw_data(rng, N, D_in, H, D_out):
    """Standard normal pixels; the class of an image as a row with a single 1."""
    return {
        "x": rng.standard_normal((N, D_in)),
        "y": np.eye(D_out)[rng.integers(0, D_out, N)],  # (N, D_out)
    }


def draw_state(rng, N, D_in, H, D_out):
    """Weights of variance 1/inputs, and Adam's moments after its first steps, on other batches."""
    weights = {
        "w1": rng.standard_normal((D_in, H)) / np.sqrt(D_in),
        "b1": rng.standard_normal(H) / np.sqrt(D_in),
        "w2": rng.standard_normal((H, D_out)) / np.sqrt(H),
        "b2": rng.standard_normal(D_out) / np.sqrt(H),
    }
    first = {f"m_{name}": np.zeros(w.shape) for name, w in weights.items()}
    second = {f"v_{name}": np.zeros(w.shape) for name, w in weights.items()}
    state = {**weights, **first, **second, "t": np.zeros(())}
    names = list(state)
    for _ in range(rng.integers(2, 5)):
        data = draw_data(rng, N, D_in, H, D_out)
        _, state = step(data, state, **constants(N, D_in, H, D_out))
    return {name: state[name] for name in names}


def constants(N, D_in, H, D_out):
    """The values that Kingma and Ba recommend."""
    return {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def step(data, state, learning_rate, beta1, beta2, epsilon):
    """The loss before the update; weights, moments and step count after it."""
    x, y, w1, b1, w2, b2 = data["x"], data["y"], *(state[name] for name in WEIGHTS)
    # forward
    h = x @ w1 + b1  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    scores = h_relu @ w2 + b2  # (N, D_out)
    # loss
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, D_out); exp() cannot overflow
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, D_out)
    loss = -(y * log_p).sum() / len(x)  # ()
    # backward
    grad_scores = (np.exp(log_p) - y) / len(x)  # (N, D_out)
    grad_h = (grad_scores @ w2.T) * (h > 0)  # (N, H)
    grads = {
        "w1": x.T @ grad_h,  # (D_in, H)
        "b1": grad_h.sum(axis=0),  # (H,)
        "w2": h_relu.T @ grad_scores,  # (H, D_out)
        "b2": grad_scores.sum(axis=0),  # (D_out,)
    }
    # update
    new = {"t": state["t"] + 1}
    for name, grad in grads.items():
        m = beta1 * state[f"m_{name}"] + (1 - beta1) * grad
        v = beta2 * state[f"v_{name}"] + (1 - beta2) * grad**2
        m_hat = m / (1 - beta1 ** new["t"])
        v_hat = v / (1 - beta2 ** new["t"])
        new[name] = state[name] - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
        new[f"m_{name}"], new[f"v_{name}"] = m, v
    return loss, new


def operations(N, D_in, H, D_out):
    """Floating-point operations of the products: two of N·D_in·H terms, three of N·H·D_out."""
    return 4 * N * D_in * H + 6 * N * H * D_out


def numbers_moved(N, D_in, H, D_out):
    """Numbers read or written at least: data once, weights and both moments twice."""
    weights = D_in * H + H + H * D_out + D_out
    return N * D_in + N * D_out + 6 * weights
