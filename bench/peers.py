"""Times one peer's training step, in the environment of its own that runs this; run by the bench, which gives the flags.

The step: draw log-uniform classes for the batch, take the mean sampled softmax loss, and the gradients of the inputs and of
the weight rows and biases in use. TensorFlow brings the whole step; in PyTorch and JAX it is written as their users write
it (a draw with repeats, which is less work than one without). Each peer is a file of its own, a class with the same methods.

On the CPU in float32, the default, prints one JSON line: {"ms": median, "runs": count}. With --arithmetic, which a GPU
needs, prints {"timings": [...]}: for each arithmetic the step and the training step (gradient descent on the rows in
use comes on top), each awaited before the next, and queued one behind another. With --probe, prints what would run where.
"""
import argparse
import json
import statistics
import sys
import time

from peer_devices import NoDevice

SLOW_SECONDS = 10.0
FEWEST_RUNS = 3
QUEUED_STEPS = 20


def make_peer(a, arithmetic):
    if a.peer.startswith("torch"):
        from torch_peer import TorchPeer

        return TorchPeer(a, arithmetic, compiled=a.peer == "torch-compiled")
    if a.peer == "jax":
        from jax_peer import JaxPeer

        return JaxPeer(a, arithmetic)
    from tensorflow_peer import TensorFlowDraw, TensorFlowPeer

    return TensorFlowDraw(a) if a.peer == "tensorflow-draw" else TensorFlowPeer(a, arithmetic)


def time_steps(peer, step, seconds, at_once=1):
    """Seconds a step, of each run: `at_once` steps, the last of which is awaited, and with it all."""

    def run():
        start = time.perf_counter()
        for _ in range(at_once):
            result = step()
        peer.wait(result)
        return (time.perf_counter() - start) / at_once

    peer.wait(step())  # traces and compiles
    times = [run()]
    if times[0] < SLOW_SECONDS:
        run()
        times = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < FEWEST_RUNS:
            times.append(run())
    return times


def time_forms(a, arithmetic):
    """Both steps in both forms; where something fails, why."""
    timings = []
    named = {"arithmetic": arithmetic}
    try:
        peer = make_peer(a, arithmetic)
    except Exception as error:
        return [{**named, "failure": one_line(error)}]
    for step, call in (("step", peer.step), ("training", peer.training_step)):
        try:
            peer.check_places(call())
            # A GPU that had nothing to do takes a while to reach its clock.
            time_steps(peer, call, a.seconds)
            for form, at_once in (("awaited", 1), ("queued", QUEUED_STEPS)):
                ms = statistics.median(time_steps(peer, call, a.seconds, at_once)) * 1e3
                timings.append({**named, "step": step, "form": form, "ms": ms})
        except Exception as error:
            timings.append({**named, "step": step, "failure": one_line(error)})
    return timings


def one_line(error):
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("tensorflow", "tensorflow-draw", "torch", "torch-compiled", "jax")
    parser.add_argument("--peer", choices=names, required=True)
    for flag in ("batch", "dim", "sampled", "classes", "threads"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--arithmetic", action="append", choices=("float32", "tf32", "bfloat16"))
    parser.add_argument("--probe", action="store_true")
    return parser.parse_args()


def measure(a):
    if a.probe:
        peer = make_peer(a, "float32")
        peer.check_places(peer.step())
        return {"system": peer.system, "device": peer.device_name}
    if a.arithmetic:
        return {"timings": [timing for arithmetic in a.arithmetic for timing in time_forms(a, arithmetic)]}
    peer = make_peer(a, "float32")
    times = time_steps(peer, peer.step, a.seconds)
    return {"ms": statistics.median(times) * 1e3, "runs": len(times)}


def main():
    try:
        print(json.dumps(measure(read_arguments())), flush=True)
    except NoDevice as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
