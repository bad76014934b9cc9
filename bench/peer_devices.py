"""What the peers have in common about devices."""


class NoDevice(Exception):
    """The peer cannot run, or did not run, on the device that was asked for; the text is one line for the reader."""


def gpu_index(device):
    """N of cuda:N; None for cpu."""
    return None if device == "cpu" else int(device.removeprefix("cuda:"))


def check_gpu(system, index, places):
    """Throws where a tensor is elsewhere than on the GPU; `places` are texts that end with the kind and number of a device."""
    if index is None:
        return
    strays = sorted({place for place in places if not place.lower().endswith(f":{index}") or "cpu" in place.lower()})
    if strays:
        raise NoDevice(f"{system}: it did not compute on the GPU but on {', '.join(strays)}")
