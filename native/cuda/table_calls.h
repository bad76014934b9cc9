// Calls that move rows between the host and a table on a device. Rows go by way of pinned blocks of a bounded size: the
// start of a call that needs more than two of them waits until all but the last two have been used.
#pragma once

#include "core/backend.h"
#include "core/status.h"
#include "cuda/table.h"

namespace sampled_softmax {
namespace cuda {

// As Backend's functions of these names.
Status start_read_rows(DeviceTable& table, const RowChoice& rows, void* out, DType dtype, Notify notify,
                       PendingCall** pending);
Status start_write_rows(DeviceTable& table, const RowChoice& rows, const void* values, DType dtype, Notify notify,
                        PendingCall** pending);
Status start_add_rows(DeviceTable& table, const RowChoice& rows, const RowsToAdd& values, double scale, Notify notify,
                      PendingCall** pending);
Status start_read_gradients(DeviceRows& rows, int64_t first, int64_t count, void* out, Notify notify,
                            PendingCall** pending);

}  // namespace cuda
}  // namespace sampled_softmax
