// The work on a few consecutive strips up to their input gradients, for the drivers that have all columns packed.
#pragma once

#include <cstdint>

#include "cpu/step.h"

namespace sampled_softmax {

// Where each worker packs the inputs of the strips that it has at hand, at most `together`, and sums their gradients.
template <class T>
struct WorkerRooms {
  WorkerRooms(const Step<T>& s, int64_t together)
      : inputs_size(together * s.NR * s.p.dim), transposed_size(together * (s.p.dim + s.MR) * s.NR) {}

  void plan(Step<T>& s) {
    s.scratch.plan(inputs, s.threads * inputs_size);
    if (s.p.input_gradients) s.scratch.plan(transposed, s.threads * transposed_size);
  }

  const int64_t inputs_size, transposed_size;
  T *inputs = nullptr, *transposed = nullptr;  // transposed: null where input gradients are not wanted
};

// Elements from strip to strip of e, [strips][columns][NR]; of a block of the columns where no gradient wants the
// others.
template <class T>
int64_t e_stride(const Step<T>& step);

// Of strips [first, first + count): losses; input gradients and the labels' own rows, where wanted; e, what the class
// gradients are multiples of; and their panels, unless null, from `panels` on.
template <class T>
void process_strips(Step<T>& step, const Columns<T>& columns, int64_t first, int64_t count, int worker,
                    const WorkerRooms<T>& rooms, T* e, T* panels, int64_t panel_stride);

}  // namespace sampled_softmax
