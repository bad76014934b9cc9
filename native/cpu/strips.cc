#include "cpu/strips.h"

#include <algorithm>

#include "cpu/blocks.h"

namespace sampled_softmax {
namespace {

// What write_input_gradients and write_label_gradients write of a strip, where that is one piece.
template <class T>
Touch input_gradient_lines(const Step<T>& s, int64_t strip) {
  return s.lines_of_rows(s.p.input_gradients, strip * s.NR, s.rows_of(strip));
}
template <class T>
Touch label_gradient_lines(const Step<T>& s, int64_t strip) {
  const RowGradients& g = s.p.weight_gradients;
  if (s.full || g.merged || g.slot_row) return {};
  return s.lines_of_rows(g.values, strip * s.NR * s.p.num_true, s.rows_of(strip) * s.p.num_true);
}

}  // namespace

template <class T>
void process_strips(Step<T>& s, const Columns<T>& columns, int64_t first, int64_t count, int worker,
                    const WorkerRooms<T>& rooms, T* e, T* panels, int64_t panel_stride) {
  const int MR = s.MR, NR = s.NR;
  const int64_t dim = s.p.dim, stride = s.tiles_of(columns.count) * MR * NR;
  T* packed_inputs = rooms.inputs + worker * rooms.inputs_size;
  for (int64_t q = 0; q < count; ++q) {
    const T* rows = s.input_rows(first + q, s.room(worker));
    s.k.pack_strip(rows, s.rows_of(first + q), dim, packed_inputs + q * NR * dim);
    s.find_true_logits(first + q, worker, rows);
    s.start_rows(first + q, worker);
  }
  for (int64_t seen = 0; seen < columns.count; seen += kColumnsToSee) {
    const int64_t end = std::min(seen + kColumnsToSee, columns.count);
    for (int64_t c = seen; c < end; c += kColumnsAtATime) {
      for (int64_t q = 0; q < count; ++q) {
        s.k.logits(columns.tiles + c * dim, std::min(kColumnsAtATime, end - c), packed_inputs + q * NR * dim, dim,
                   columns.offset + c, e + q * stride + c * NR,
                   c + kColumnsAtATime < columns.count ? Touch{} : label_gradient_lines(s, first + q));
      }
    }
    for (int64_t q = 0; q < count; ++q) s.see_logits(first + q, seen, end - seen, e + q * stride + seen * NR);
  }
  for (int64_t q = 0; q < count; ++q) {
    const int64_t strip = first + q;
    T* z = e + q * stride;
    s.activate(strip, worker, columns.count, z);
    if (!s.wants_gradients) continue;
    s.clear_padding(strip, columns.count, s.tiles_of(columns.count) * s.MR, z);
    const T* rows = s.input_rows(strip, s.room(worker));
    if (panels) s.k.pack_panels(rows, s.rows_of(strip), dim, s.scale_of(strip), panels + q * NR * NR, panel_stride);
    s.write_label_gradients(strip, worker, rows);
  }
  if (!rooms.transposed) return;
  T* transposed = rooms.transposed + worker * rooms.transposed_size;
  const int64_t transposed_size = (dim + MR) * NR;
  if (columns.count == 0) std::fill(transposed, transposed + count * transposed_size, T(0));
  for (int64_t c = 0; c < columns.count; c += kColumnsAtATime) {
    for (int64_t q = 0; q < count; ++q) {
      s.k.input_gradients(columns.tiles + c * dim, std::min(kColumnsAtATime, columns.count - c),
                          e + q * stride + c * NR, dim, transposed + q * transposed_size, c > 0,
                          c + kColumnsAtATime < columns.count ? Touch{} : input_gradient_lines(s, first + q));
    }
  }
  for (int64_t q = 0; q < count; ++q) s.write_input_gradients(first + q, worker, transposed + q * transposed_size);
}

#define INSTANTIATE(T)                                                                                            \
  template void process_strips(Step<T>&, const Columns<T>&, int64_t, int64_t, int, const WorkerRooms<T>&, T*, T*, \
                               int64_t);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
