"""The step in JAX, one compiled function that splits its random key too."""
import functools
import math
import os

from peer_devices import NoDevice, check_gpu, gpu_index

RATE = 0.01


class JaxPeer:
    def __init__(self, a, arithmetic):
        self.index = gpu_index(a.device)
        # JAX takes the size of its thread pool from here when it starts.
        os.environ["NPROC"] = str(a.threads)
        # Without it JAX takes most memory of a GPU, where this package's tables are too.
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if self.index is None:
            os.environ["JAX_PLATFORMS"] = "cpu"
        import jax

        self.jax = jax
        self.system = f"JAX {jax.__version__}"
        device = self._device()
        self.device_name = "cpu" if self.index is None else device.device_kind
        jax.config.update("jax_default_device", device)
        if self.index is not None:
            # Of products of float32, which JAX by itself takes in tf32 on a GPU.
            jax.config.update("jax_default_matmul_precision", "tensorfloat32" if arithmetic == "tf32" else "float32")
        self._make(a, jax.numpy.bfloat16 if arithmetic == "bfloat16" else jax.numpy.float32)

    def _device(self):
        if self.index is None:
            return self.jax.devices("cpu")[0]
        try:
            gpus = self.jax.devices("cuda")
        except RuntimeError:
            gpus = []
        if self.index >= len(gpus):
            raise NoDevice(f"{self.system} finds no GPU {self.index}: jax.devices('cuda') has {len(gpus)}")
        return gpus[self.index]

    def _make(self, a, dtype):
        jax, jnp = self.jax, self.jax.numpy
        keys = jax.random.split(jax.random.key(1), 4)
        self.weights = jax.random.uniform(keys[0], (a.classes, a.dim), minval=-0.05, maxval=0.05).astype(dtype)
        self.biases = jnp.zeros(a.classes)
        self.inputs = jax.random.uniform(keys[1], (a.batch, a.dim), minval=-1.0, maxval=1.0).astype(dtype)
        self.labels = jax.random.randint(keys[2], (a.batch,), 0, a.classes)
        self.key = keys[3]
        log_range = math.log(a.classes + 1.0)

        def log_expected(ids):
            return jnp.log(jnp.log1p(1 / (ids + 1.0)) * (a.sampled / log_range))

        def mean_loss(inputs, rows, row_biases, log_q, hits):
            adjusted = row_biases - log_q
            true_logits = jnp.sum(inputs * rows[: a.batch], axis=1, dtype=jnp.float32) + adjusted[: a.batch]
            products = jnp.matmul(inputs, rows[a.batch :].T, preferred_element_type=jnp.float32)
            logits = jnp.where(hits, -1e37, products + adjusted[a.batch :])
            everything = jnp.concatenate((true_logits[:, None], logits), axis=1)
            return jnp.mean(jax.nn.logsumexp(everything, axis=1) - true_logits)

        def gradients(key, weights, biases, inputs, labels):
            key, draw_key = jax.random.split(key)
            uniform = jax.random.uniform(draw_key, (a.sampled,))
            sampled = jnp.minimum(jnp.expm1(uniform * log_range).astype(jnp.int32), a.classes - 1)
            ids = jnp.concatenate((labels, sampled))
            hits = labels[:, None] == sampled[None, :]
            gradients_of = jax.value_and_grad(mean_loss, argnums=(0, 1, 2))
            return key, ids, gradients_of(inputs, weights[ids], biases[ids], log_expected(ids), hits)

        @jax.jit
        def step(key, weights, biases, inputs, labels):
            key, _, results = gradients(key, weights, biases, inputs, labels)
            return key, results

        @functools.partial(jax.jit, donate_argnums=(1, 2))
        def training_step(key, weights, biases, inputs, labels):
            key, ids, (mean, (of_inputs, of_rows, of_biases)) = gradients(key, weights, biases, inputs, labels)
            weights = weights.at[ids].add(-RATE * of_rows)
            biases = biases.at[ids].add(-RATE * of_biases)
            return key, weights, biases, (mean, (of_inputs,))

        self._step, self._training_step = step, training_step

    def step(self):
        self.key, results = self._step(self.key, self.weights, self.biases, self.inputs, self.labels)
        return results

    def training_step(self):
        self.key, self.weights, self.biases, results = self._training_step(
            self.key, self.weights, self.biases, self.inputs, self.labels
        )
        return results

    def wait(self, results):
        self.jax.block_until_ready((results, self.weights, self.biases))

    def check_places(self, results):
        mean, gradients = results
        places = [d for array in (mean, gradients[0], self.weights) for d in array.devices()]
        check_gpu(self.system, self.index, [f"{d.platform}:{d.id}" for d in places])
