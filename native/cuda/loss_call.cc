// One upload, the kernels, one download, and a callback, in the order of one stream:
//
//   true logits, offsets      of the labels and of the columns
//   each chunk of columns     logits, with each row's maximum and sum over every tile
//   rows                      losses, and what the gradients need
//   each chunk of columns     logits again where there are several chunks; input gradients, class gradients, bias sums
//   what is left              parts of sums, the labels' share, rows that several slots share
#include "cuda/loss_call.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "cuda/device.h"
#include "cuda/errors.h"
#include "cuda/loss_arrays.h"
#include "cuda/pinned.h"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class T>
class LossCall final : public PendingCall {
 public:
  LossCall(Device& device, const SampledProblem& problem, bool full)
      : device_(device),
        problem_(problem),
        arithmetic_(problem.reduced_precision && device.has_tf32() ? Arithmetic::tf32 : Arithmetic::fma),
        arrays_(problem_, full) {}

  ~LossCall() override {
    if (!lane_.stream) return;
    device_.free(lane_, memory_);
    device_.give_back(lane_);
  }

  // After an error nothing of the call runs any more.
  Status start(Notify notify) {
    Current current(device_);
    if (Status status = check(current.status(), "cudaSetDevice(%d)", device_.index()); !status.ok()) {
      return device_.note(status);
    }
    Status status = prepare();
    if (status.ok()) status = enqueue(notify);
    if (!status.ok() && lane_.stream) cudaStreamSynchronize(lane_.stream);
    return device_.note(status);
  }

  Status finish() override {
    Current current(device_);
    if (Status status = check(cudaEventSynchronize(lane_.done), "a loss of %lld rows, %lld columns and %lld dims",
                              static_cast<long long>(problem_.batch), static_cast<long long>(problem_.num_sampled),
                              static_cast<long long>(problem_.dim));
        !status.ok()) {
      return device_.note(status);
    }
    if (aborted()) return Status::error(Code::aborted, "aborted");
    const SampledProblem& p = problem_;
    write(arrays_.losses, p.losses, p.batch);
    write(arrays_.input_gradients, p.input_gradients, p.batch * p.dim);
    write(arrays_.weight_gradients, p.weight_gradients.values, p.weight_gradients.num_rows * p.dim);
    write(arrays_.bias_gradients, p.bias_gradients.values, p.bias_gradients.num_rows);
    return {};
  }

 private:
  static void write(const Mirrored<T>& from, void* to, int64_t count) {
    if (from && count) std::memcpy(to, from.host, static_cast<size_t>(count) * sizeof(T));
  }

  bool aborted() const { return problem_.abort_flag && problem_.abort_flag->load(std::memory_order_relaxed) != 0; }

  // Memory, and the arrays that go over.
  Status prepare() {
    if (Status status = device_.take_lane(&lane_); !status.ok()) return status;
    LossArrays<T>& a = arrays_;
    if (Status status = upload_.take(a.uploads.bytes()); !status.ok()) return status;
    if (Status status = download_.take(a.results.bytes()); !status.ok()) return status;
    const size_t bytes = a.uploads.bytes() + a.results.bytes() + a.scratch.bytes();
    if (Status status = device_.allocate(lane_, bytes, &memory_); !status.ok()) return status;
    char* memory = static_cast<char*>(memory_);
    a.uploads.place(memory, upload_.data());
    a.results.place(memory + a.uploads.bytes(), download_.data());
    a.scratch.place(memory + a.uploads.bytes() + a.results.bytes(), nullptr);
    a.fill();
    return aborted() ? Status::error(Code::aborted, "aborted") : Status{};
  }

  Status enqueue(Notify notify) {
    const LossArrays<T>& a = arrays_;
    char *uploads = static_cast<char*>(memory_), *results = uploads + a.uploads.bytes();
    Status status = check(cudaMemcpyAsync(uploads, upload_.data(), a.uploads.bytes(), cudaMemcpyHostToDevice, stream()),
                          "upload of %zu bytes", a.uploads.bytes());
    if (status.ok()) status = forward();
    if (status.ok() && a.wants_gradients) status = backward();
    if (status.ok()) {
      status = check(cudaMemcpyAsync(download_.data(), results, a.results.bytes(), cudaMemcpyDeviceToHost, stream()),
                     "download of %zu bytes", a.results.bytes());
    }
    if (status.ok()) status = check(cudaEventRecord(lane_.done, stream()), "cudaEventRecord");
    if (!status.ok() || !notify.call) return status;
    // Not cudaLaunchHostFunc, which is never called once a kernel has failed: the call would not end.
    notify_ = notify;
    const auto call = [](cudaStream_t, cudaError_t, void* self) {
      const Notify notify = static_cast<LossCall*>(self)->notify_;
      notify.call(notify.context);
    };
    return check(cudaStreamAddCallback(stream(), call, this, 0), "cudaStreamAddCallback");
  }

  Status forward() {
    const SampledProblem& p = problem_;
    const LossArrays<T>& a = arrays_;
    if (a.labels) {
      if (Status status = launched("true_logits", true_logits(stream(), p.batch, p.num_true, p.dim, a.pitch,
                                                              a.inputs.device, a.label_rows.device, a.label_bias.device,
                                                              a.label_count.device, a.rows.true_logits));
          !status.ok()) {
        return status;
      }
    }
    if (p.num_sampled) {
      if (Status status = launched("column_offsets", column_offsets(stream(), p.num_sampled, a.column_bias.device,
                                                                    a.column_count.device, a.offset));
          !status.ok()) {
        return status;
      }
    }
    for (int64_t i = 0; i < a.chunks(); ++i) {
      if (Status status = form_logits(chunk(i), a.chunks() == 1 ? a.z : nullptr, a.partials); !status.ok())
        return status;
    }
    const RowEnd end{p.loss, p.numerics, a.full, a.upstream.device, p.upstream_scale};
    return launched("finish_rows",
                    finish_rows(stream(), p.batch, p.num_true, end, a.partials, a.rows, a.losses.device));
  }

  Status form_logits(ColumnRange columns, T* z, const Partials<T>& partials) {
    const LossArrays<T>& a = arrays_;
    const HitTest hits{a.hit_keys.device, a.hit_labels.device, problem_.num_true};
    return launched("logits", logits(stream(), problem_.batch, columns, a.pitch, a.inputs.device, a.column_rows.device,
                                     a.offset, hits, problem_.loss, z, partials, arithmetic_));
  }

  Status backward() {
    const SampledProblem& p = problem_;
    const LossArrays<T>& a = arrays_;
    if (a.weight_gradients && p.weight_gradients.merged && p.dim) {
      const size_t bytes = static_cast<size_t>(p.weight_gradients.num_rows * p.dim) * sizeof(T);
      if (Status status = cleared(a.weight_gradients.device, bytes); !status.ok()) return status;
    }
    if (a.bias_gradients && p.bias_gradients.merged) {
      const size_t bytes = static_cast<size_t>(p.bias_gradients.num_rows) * sizeof(T);
      if (Status status = cleared(a.bias_gradients.device, bytes); !status.ok()) return status;
    }
    if (a.parts && a.chunks() == 0 && p.dim) {
      const size_t bytes = static_cast<size_t>(a.num_parts * p.batch * p.dim) * sizeof(T);
      if (Status status = cleared(a.parts, bytes); !status.ok()) return status;
    }
    for (int64_t i = 0; i < a.chunks(); ++i) {
      if (Status status = column_gradients(chunk(i), i > 0); !status.ok()) return status;
    }
    return finish_gradients();
  }

  Status column_gradients(ColumnRange columns, bool add) {
    const SampledProblem& p = problem_;
    const LossArrays<T>& a = arrays_;
    Status status;
    if (a.chunks() > 1) status = form_logits(columns, a.z, {});
    if (status.ok() && a.parts && p.dim) {
      status = launched("input_gradients",
                        input_gradients(stream(), p.batch, p.dim, a.pitch, columns, a.z, a.column_rows.device, a.rows,
                                        p.loss, a.num_parts, a.parts, add, arithmetic_));
    }
    if (status.ok() && a.weight_gradients && p.dim) {
      T* values = a.unmerged ? a.unmerged : a.weight_gradients.device;
      const int64_t labels = a.full ? 0 : a.labels;  // the slots before the columns'
      const int64_t* row_of = nullptr;
      if (!a.unmerged && a.weight_rows) row_of = a.weight_rows.device + labels;
      else if (!a.unmerged) values += labels * p.dim;
      status =
          launched("class_gradients", class_gradients(stream(), p.batch, p.dim, a.pitch, columns, a.z, a.inputs.device,
                                                      a.rows, p.loss, row_of, values, arithmetic_));
    }
    if (status.ok() && a.column_sums) {
      status = launched("column_sums", column_sums(stream(), p.batch, columns, a.z, a.rows, p.loss, a.column_sums));
    }
    return status;
  }

  Status finish_gradients() {
    const SampledProblem& p = problem_;
    const LossArrays<T>& a = arrays_;
    Status status;
    if (a.input_gradients && p.dim) {
      status = launched("finish_input_gradients",
                        finish_input_gradients(stream(), p.batch, p.dim, p.num_true, a.rows, a.num_parts, a.parts,
                                               a.label_rows.device, a.input_gradients.device));
    }
    if (status.ok() && a.weight_gradients && p.dim && a.labels && !a.merges) {
      status = launched("label_gradients",
                        label_gradients(stream(), a.labels, p.num_true, p.dim, a.pitch, a.rows.true_dz, a.inputs.device,
                                        a.weight_rows.device, a.weight_gradients.device));
    }
    if (status.ok() && a.merges && p.dim && a.weight_segments.count) {
      status =
          launched("merge_class_gradients",
                   merge_class_gradients(stream(), a.weight_segments.segments(a.labels), p.num_true, p.dim, a.pitch,
                                         a.rows.true_dz, a.inputs.device, a.unmerged, a.weight_gradients.device));
    }
    if (status.ok() && a.bias_gradients && a.bias_segments.count) {
      status = launched("merge_bias_gradients",
                        merge_bias_gradients(stream(), a.bias_segments.segments(a.labels), a.rows.true_dz,
                                             a.column_sums, a.bias_gradients.device));
    }
    return status;
  }

  ColumnRange chunk(int64_t i) const {
    const int64_t begin = i * arrays_.chunk;
    return {begin, std::min(arrays_.chunk, problem_.num_sampled - begin)};
  }
  Status cleared(void* memory, size_t bytes) {
    return check(cudaMemsetAsync(memory, 0, bytes, stream()), "cudaMemsetAsync of %zu bytes", bytes);
  }
  static Status launched(const char* kernel, cudaError_t error) { return check(error, "launch of kernel %s", kernel); }
  cudaStream_t stream() const { return lane_.stream; }

  Device& device_;
  const SampledProblem problem_;
  const Arithmetic arithmetic_;
  LossArrays<T> arrays_;
  Lane lane_;
  Pinned upload_, download_;
  void* memory_ = nullptr;
  Notify notify_;
};

template <class T>
Status start(Device& device, const SampledProblem& problem, bool full, Notify notify, PendingCall** pending) {
  auto call = std::make_unique<LossCall<T>>(device, problem, full);
  if (Status status = call->start(notify); !status.ok()) return status;
  *pending = call.release();
  return {};
}

// Without rows there is nothing to compute: gradients of classes are zero.
void clear(const RowGradients& gradients, int64_t width, bool float64) {
  const size_t size = float64 ? sizeof(double) : sizeof(float);
  if (gradients.values) std::memset(gradients.values, 0, static_cast<size_t>(gradients.num_rows * width) * size);
}

}  // namespace

Status start_loss(const SampledProblem& problem, bool full, Notify notify, PendingCall** pending) {
  *pending = nullptr;
  Device* device;
  if (Status status = Device::get(problem.device, &device); !status.ok()) return status;
  if (Status status = device->state(); !status.ok()) return status;
  if (problem.batch == 0) {
    clear(problem.weight_gradients, problem.dim, problem.float64);
    clear(problem.bias_gradients, 1, problem.float64);
    return {};
  }
  try {
    return problem.float64 ? start<double>(*device, problem, full, notify, pending)
                           : start<float>(*device, problem, full, notify, pending);
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, "not enough memory for the call");
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
