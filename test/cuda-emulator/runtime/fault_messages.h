// Says whose mistake a segmentation fault is.
#pragma once

namespace cuemu {

void install_fault_messages();  // once the addresses of device memory are known

}  // namespace cuemu
