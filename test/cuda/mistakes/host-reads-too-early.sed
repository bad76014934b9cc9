# file: device_call.cc
# kernel: none
# Results are copied out of the pinned memory before the device has written them.
s/cudaEventSynchronize\(lane_\.done\)/cudaGetLastError()/
