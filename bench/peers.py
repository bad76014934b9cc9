"""Times one peer's training step on the CPU, in float32; run by the bench, which gives the flags.

The step: draw log-uniform classes for the batch, take the mean sampled softmax loss, and the gradients of the inputs and of
the weight rows and biases in use. TensorFlow brings the whole step; in PyTorch and JAX it is written as their users write
it (a draw with repeats, which is less work than one without). Prints one JSON line: {"ms": median, "runs": count}.
"""
import argparse
import json
import math
import os
import statistics
import time

SLOW_SECONDS = 10.0
FEWEST_RUNS = 3


def tensorflow_step(a, draw_only=False):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(a.threads)
    labels = tf.random.uniform([a.batch, 1], maxval=a.classes, dtype=tf.int64, seed=1)
    if draw_only:
        draw = tf.function(lambda: tf.random.log_uniform_candidate_sampler(labels, 1, a.sampled, True, a.classes))
        return lambda: draw().sampled_candidates.numpy()

    weights = tf.Variable(tf.random.uniform([a.classes, a.dim], -0.05, 0.05, seed=2))
    biases = tf.Variable(tf.zeros([a.classes]))
    inputs = tf.random.uniform([a.batch, a.dim], -1.0, 1.0, seed=3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = tf.nn.sampled_softmax_loss(weights, biases, labels, inputs, a.sampled, a.classes)
            mean = tf.reduce_mean(losses)
        of_inputs, of_weights, of_biases = tape.gradient(mean, [inputs, weights, biases])
        # Parts of the slices, so that nothing is merged and nothing is pruned from the graph.
        return mean, of_inputs, of_weights.indices, of_weights.values, of_biases.values

    return lambda: step()[0].numpy()


def torch_step(a, compiled=False):
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    weights = torch.empty(a.classes, a.dim).uniform_(-0.05, 0.05)
    biases = torch.zeros(a.classes)
    inputs = torch.empty(a.batch, a.dim).uniform_(-1, 1).requires_grad_()
    labels = torch.randint(a.classes, (a.batch,))
    log_range = math.log(a.classes + 1.0)

    def log_expected(ids):
        return torch.log(torch.log1p(1 / (ids + 1.0)) * (a.sampled / log_range))

    def mean_loss(rows, row_biases, inputs, log_q, hits):
        of_true, of_sampled = rows[: a.batch], rows[a.batch :]
        adjusted = row_biases - log_q
        true_logits = (inputs * of_true).sum(dim=1) + adjusted[: a.batch]
        logits = torch.addmm(adjusted[a.batch :], inputs, of_sampled.T)
        logits = torch.where(hits, -1e37, logits)
        everything = torch.cat((true_logits.unsqueeze(1), logits), dim=1)
        return (torch.logsumexp(everything, dim=1) - true_logits).mean()

    if compiled:
        mean_loss = torch.compile(mean_loss)

    def step():
        uniform = torch.rand(a.sampled, dtype=torch.float64)
        sampled = torch.expm1(uniform * log_range).long().clamp_(max=a.classes - 1)
        ids = torch.cat((labels, sampled))
        rows = weights.index_select(0, ids).requires_grad_()
        row_biases = biases.index_select(0, ids).requires_grad_()
        inputs.grad = None
        hits = labels.unsqueeze(1) == sampled.unsqueeze(0)
        mean = mean_loss(rows, row_biases, inputs, log_expected(ids), hits)
        mean.backward()
        return mean.item()

    return step


def jax_step(a):
    # JAX takes the size of its thread pool from here when it starts.
    os.environ["NPROC"] = str(a.threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(1), 4)
    weights = jax.random.uniform(keys[0], (a.classes, a.dim), minval=-0.05, maxval=0.05)
    biases = jnp.zeros(a.classes)
    inputs = jax.random.uniform(keys[1], (a.batch, a.dim), minval=-1.0, maxval=1.0)
    labels = jax.random.randint(keys[2], (a.batch,), 0, a.classes)
    log_range = math.log(a.classes + 1.0)

    def log_expected(ids):
        return jnp.log(jnp.log1p(1 / (ids + 1.0)) * (a.sampled / log_range))

    def mean_loss(inputs, rows, row_biases, log_q, hits):
        adjusted = row_biases - log_q
        true_logits = jnp.sum(inputs * rows[: a.batch], axis=1) + adjusted[: a.batch]
        logits = jnp.where(hits, -1e37, inputs @ rows[a.batch :].T + adjusted[a.batch :])
        everything = jnp.concatenate((true_logits[:, None], logits), axis=1)
        return jnp.mean(jax.nn.logsumexp(everything, axis=1) - true_logits)

    @jax.jit
    def train(key, weights, biases, inputs, labels):
        key, draw_key = jax.random.split(key)
        uniform = jax.random.uniform(draw_key, (a.sampled,))
        sampled = jnp.minimum(jnp.expm1(uniform * log_range).astype(jnp.int32), a.classes - 1)
        ids = jnp.concatenate((labels, sampled))
        hits = labels[:, None] == sampled[None, :]
        gradients_of = jax.value_and_grad(mean_loss, argnums=(0, 1, 2))
        return key, gradients_of(inputs, weights[ids], biases[ids], log_expected(ids), hits)

    key = keys[3]

    def step():
        nonlocal key
        key, results = train(key, weights, biases, inputs, labels)
        jax.block_until_ready(results)

    return step


PEERS = {
    "tensorflow": tensorflow_step,
    "tensorflow-draw": lambda a: tensorflow_step(a, draw_only=True),
    "torch": torch_step,
    "torch-compiled": lambda a: torch_step(a, compiled=True),
    "jax": jax_step,
}


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=PEERS, required=True)
    for flag in ("batch", "dim", "sampled", "classes", "threads"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    a = parser.parse_args()
    step = PEERS[a.peer](a)
    step()  # traces and compiles
    times = [timed(step)]
    if times[0] < SLOW_SECONDS:
        timed(step)
        times = []
        end = time.perf_counter() + a.seconds
        while time.perf_counter() < end or len(times) < FEWEST_RUNS:
            times.append(timed(step))
    print(json.dumps({"ms": statistics.median(times) * 1e3, "runs": len(times)}), flush=True)


if __name__ == "__main__":
    main()
