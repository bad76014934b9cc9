"""TensorFlow's own step, tf.nn.sampled_softmax_loss in a tf.function, and its sampler alone."""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Without it TensorFlow takes all memory of a GPU, where this package's tables are too.
os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
import tensorflow as tf

from peer_devices import NoDevice, check_gpu, gpu_index

RATE = 0.01


def use_threads(a):
    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(a.threads)


def random_labels(a):
    return tf.random.uniform([a.batch, 1], maxval=a.classes, dtype=tf.int64, seed=1)


def random_matrix(rows, dim, bound, seed, dtype):
    return tf.cast(tf.random.uniform([rows, dim], -bound, bound, seed=seed), dtype)


def on_device(place, function):
    """A tf.function of it; what it computes is placed there, where there is a kernel for that."""

    @tf.function
    def placed():
        with tf.device(place):
            return function()

    return placed


class TensorFlowDraw:
    """The sample and its expected counts, on the CPU."""

    def __init__(self, a):
        use_threads(a)
        labels = random_labels(a)
        self.step = tf.function(lambda: tf.random.log_uniform_candidate_sampler(labels, 1, a.sampled, True, a.classes))

    def wait(self, sample):
        sample.sampled_candidates.numpy()


class TensorFlowPeer:
    def __init__(self, a, arithmetic):
        self.system = f"TensorFlow {tf.__version__}"
        self.index = gpu_index(a.device)
        gpus = tf.config.list_physical_devices("GPU")
        if self.index is not None and self.index >= len(gpus):
            raise NoDevice(f"{self.system} finds no GPU {self.index}: tf.config.list_physical_devices('GPU') has {len(gpus)}")
        use_threads(a)
        # The sampler has no kernel for GPUs: TensorFlow runs it on the CPU, whatever device is asked for.
        tf.config.set_soft_device_placement(True)
        tf.config.experimental.enable_tensor_float_32_execution(arithmetic == "tf32")
        if self.index is None:
            self.device_name, place = "cpu", "/CPU:0"
        else:
            self.device_name = tf.config.experimental.get_device_details(gpus[self.index]).get("device_name", "a GPU")
            place = f"/GPU:{self.index}"
        self._make(a, place, tf.bfloat16 if arithmetic == "bfloat16" else tf.float32)

    def _make(self, a, place, dtype):
        with tf.device(place):
            labels = random_labels(a)
            self.weights = weights = tf.Variable(random_matrix(a.classes, a.dim, 0.05, 2, dtype))
            biases = tf.Variable(tf.zeros([a.classes], dtype))
            inputs = random_matrix(a.batch, a.dim, 1.0, 3, dtype)

        def sample():
            # The loss would draw by itself, but with counts in float32, which it cannot add to logits of another dtype.
            if dtype == tf.float32:
                return None
            ids, of_true, of_sampled = tf.random.log_uniform_candidate_sampler(labels, 1, a.sampled, True, a.classes)
            return ids, tf.cast(of_true, dtype), tf.cast(of_sampled, dtype)

        def gradients():
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                drawn = sample()
                losses = tf.nn.sampled_softmax_loss(weights, biases, labels, inputs, a.sampled, a.classes, sampled_values=drawn)
                mean = tf.reduce_mean(losses)
            return mean, *tape.gradient(mean, [inputs, weights, biases])

        def step():
            mean, of_inputs, of_weights, of_biases = gradients()
            # Parts of the slices, so that nothing is merged and nothing is pruned from the graph.
            return mean, of_inputs, of_weights.indices, of_weights.values, of_biases.values

        def training_step():
            mean, of_inputs, of_weights, of_biases = gradients()
            for variable, slices in ((weights, of_weights), (biases, of_biases)):
                variable.scatter_sub(tf.IndexedSlices(RATE * slices.values, slices.indices))
            return mean, of_inputs

        self.step = on_device(place, step)
        self.training_step = on_device(place, training_step)

    def wait(self, results):
        results[0].numpy()
        # The gradients come after the loss.
        if self.index is not None:
            tf.test.experimental.sync_devices()

    def check_places(self, results):
        check_gpu(self.system, self.index, [self.weights.device, results[0].device, results[1].device])
