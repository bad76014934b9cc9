// One upload, the kernels, one download, and a callback, in the order of one stream:
//
//   true logits, offsets      of the labels and of the columns
//   each chunk of columns     logits, with each row's maximum and sum over every tile
//   rows                      losses, and what the gradients need
//   each chunk of columns     logits again where there are several chunks; their activations and the sums of these;
//                             input gradients, class gradients
//   what is left              parts of sums, the labels' share, rows that several slots share
#include "cuda/loss_call.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cuda/copy_out.h"
#include "cuda/device.h"
#include "cuda/device_call.h"
#include "cuda/empty_loss_call.h"
#include "cuda/errors.h"
#include "cuda/loss_arrays.h"
#include "cuda/pinned.h"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class T, class E>
class LossCall final : public DeviceCall {
 public:
  LossCall(Device& device, const SampledProblem& problem, bool full)
      : DeviceCall(device),
        problem_(problem),
        arithmetic_(problem.reduced_precision && device.has_tensor_cores() ? Arithmetic::tf32 : Arithmetic::fma),
        arrays_(problem_, full) {
    std::snprintf(what_, sizeof what_, "a loss of %lld rows, %lld columns and %lld dims",
                  static_cast<long long>(problem.batch), static_cast<long long>(problem.num_sampled),
                  static_cast<long long>(problem.dim));
  }

 private:
  const char* what() const override { return what_; }

  Status complete() override {
    if (aborted()) return Status::error(Code::aborted, "aborted");
    const SampledProblem& p = problem_;
    write(arrays_.losses, p.losses, p.batch);
    write(arrays_.input_gradients, p.input_gradients, p.batch * p.dim);
    write(arrays_.weight_gradients, p.weight_gradients.values, p.weight_gradients.num_rows * p.dim);
    write(arrays_.bias_gradients, p.bias_gradients.values, p.bias_gradients.num_rows);
    if (p.weight_gradients.kept) *p.weight_gradients.kept = kept_weights_.release();
    if (p.bias_gradients.kept) *p.bias_gradients.kept = kept_biases_.release();
    return {};
  }

  static void write(const Mirrored<T>& from, void* to, int64_t count) {
    if (to && count) copy_out(to, from.host, static_cast<size_t>(count) * sizeof(T));
  }

  bool aborted() const { return problem_.abort_flag && problem_.abort_flag->load(std::memory_order_relaxed) != 0; }

  // Memory, and the arrays that go over.
  Status prepare() {
    LossArrays<T, E>& a = arrays_;
    if (Status status = upload_.take(a.uploads.bytes()); !status.ok()) return status;
    if (Status status = download_.take(a.results.bytes()); !status.ok()) return status;
    const size_t bytes = a.uploads.bytes() + a.results.bytes() + a.scratch.bytes();
    if (Status status = allocate(bytes, &memory_); !status.ok()) return status;
    char* memory = static_cast<char*>(memory_);
    a.uploads.place(memory, upload_.data());
    a.results.place(memory + a.uploads.bytes(), download_.data());
    a.scratch.place(memory + a.uploads.bytes() + a.results.bytes(), nullptr);
    const SampledProblem& p = problem_;
    Status status = keep(p.weight_gradients, p.dim, &kept_weights_, &a.weight_gradients.device);
    if (status.ok()) status = keep(p.bias_gradients, 1, &kept_biases_, &a.bias_gradients.device);
    if (!status.ok()) return status;
    a.fill();
    return aborted() ? Status::error(Code::aborted, "aborted") : Status{};
  }

  // Gradients that stay on the device get memory of their own.
  Status keep(const RowGradients& gradients, int64_t width, std::unique_ptr<DeviceRows>* rows, T** values) {
    const Status status = make_rows(device_, lane_, gradients, width, dtype_of<T>, rows);
    if (status.ok() && *rows) *values = static_cast<T*>((*rows)->memory.data());
    return status;
  }

  void enter_tables() {
    for (const ClassRows* rows : {&problem_.weights, &problem_.biases}) {
      for (int32_t i = 0; i < rows->num_shards; ++i) {
        if (DeviceTable* table = rows->shards[i].table) uses_.read(*table);
      }
    }
    if (problem_.inputs_table) uses_.read(*problem_.inputs_table);
  }

  Status enqueue() override {
    if (Status status = prepare(); !status.ok()) return status;
    enter_tables();
    const LossArrays<T, E>& a = arrays_;
    char *uploads = static_cast<char*>(memory_), *results = uploads + a.uploads.bytes();
    Status status = check(cudaMemcpyAsync(uploads, upload_.data(), a.uploads.bytes(), cudaMemcpyHostToDevice, stream()),
                          "upload of %zu bytes", a.uploads.bytes());
    if (status.ok()) status = uses_.wait(stream());
    if (status.ok()) status = a.gather(queue());
    if (status.ok()) status = forward();
    if (status.ok() && a.wants_gradients) status = backward();
    if (status.ok()) status = uses_.done(stream());
    if (status.ok()) {
      status = check(cudaMemcpyAsync(download_.data(), results, a.results.bytes(), cudaMemcpyDeviceToHost, stream()),
                     "download of %zu bytes", a.results.bytes());
    }
    return status;
  }

  Status forward() {
    const SampledProblem& p = problem_;
    const LossArrays<T, E>& a = arrays_;
    if (a.labels) {
      if (Status status =
              launched("true_logits", true_logits(queue(), p.batch, p.num_true, p.dim, a.pitch, a.inputs.device,
                                                  a.classes.label_rows.device, a.classes.label_bias.device,
                                                  a.label_count.device, a.rows.true_logits));
          !status.ok()) {
        return status;
      }
    }
    if (p.num_sampled) {
      if (Status status = launched(
              "column_offsets",
              column_offsets(queue(), p.num_sampled, a.classes.column_bias.device, a.column_count.device, a.offset));
          !status.ok()) {
        return status;
      }
    }
    for (int64_t i = 0; i < a.chunks(); ++i) {
      if (Status status = form_logits(chunk(i), a.chunks() == 1 ? a.z : nullptr, a.partials); !status.ok())
        return status;
    }
    const RowEnd end{p.loss, p.numerics, a.full, a.upstream.device, p.upstream_scale};
    return launched("finish_rows", finish_rows(queue(), p.batch, p.num_true, end, a.partials, a.rows, a.losses.device));
  }

  Status form_logits(ColumnRange columns, T* z, const Partials<T>& partials) {
    const LossArrays<T, E>& a = arrays_;
    const HitTest hits{a.hit_keys.device, a.hit_labels.device, problem_.num_true};
    return launched("logits",
                    logits(queue(), problem_.batch, columns, a.pitch, a.inputs.device, a.classes.column_rows.device,
                           a.offset, hits, problem_.loss, z, partials, arithmetic_));
  }

  Status backward() {
    const SampledProblem& p = problem_;
    const LossArrays<T, E>& a = arrays_;
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
    const LossArrays<T, E>& a = arrays_;
    Status status;
    if (a.chunks() > 1) status = form_logits(columns, a.z, {});
    if (status.ok()) {
      status = launched("activations",
                        activations<T, E>(queue(), p.batch, columns, a.z, a.rows, p.loss, a.column_sums, arithmetic_));
    }
    if (status.ok() && a.parts && p.dim) {
      status = launched("input_gradients",
                        input_gradients(queue(), p.batch, p.dim, a.pitch, columns, a.z, a.classes.column_rows.device,
                                        a.num_parts, a.parts, add, arithmetic_));
    }
    if (status.ok() && a.weight_gradients && p.dim) {
      status = class_rows(columns);
    }
    return status;
  }

  Status class_rows(ColumnRange columns) {
    const SampledProblem& p = problem_;
    const LossArrays<T, E>& a = arrays_;
    const int64_t labels = a.full ? 0 : a.labels;  // the slots before the columns'
    const int64_t* row_of = !a.unmerged && a.weight_rows ? a.weight_rows.device + labels + columns.begin : nullptr;
    T* values = a.unmerged ? a.unmerged : a.weight_gradients.device;
    if (!row_of) values += ((a.unmerged ? 0 : labels) + columns.begin) * p.dim;
    const bool cut = a.num_class_parts > 1;
    const Status status =
        launched("class_gradients",
                 class_gradients(queue(), p.batch, p.dim, a.pitch, columns, a.z, a.inputs.device,
                                 cut ? nullptr : row_of, cut ? a.class_parts : values, a.num_class_parts, arithmetic_));
    if (!status.ok() || !cut) return status;
    return launched("finish_class_gradients", finish_class_gradients(queue(), columns.count, p.dim, a.num_class_parts,
                                                                     a.class_parts, row_of, values));
  }

  Status finish_gradients() {
    const SampledProblem& p = problem_;
    const LossArrays<T, E>& a = arrays_;
    Status status;
    if (a.input_gradients && p.dim) {
      status = launched("finish_input_gradients",
                        finish_input_gradients(queue(), p.batch, p.dim, p.num_true, a.rows, a.num_parts, a.parts,
                                               a.classes.label_rows.device, a.input_gradients.device));
    }
    if (status.ok() && a.weight_gradients && p.dim && a.labels && !a.merges) {
      status = launched("label_gradients",
                        label_gradients(queue(), a.labels, p.num_true, p.dim, a.pitch, a.rows.true_dz, a.inputs.device,
                                        a.weight_rows.device, a.weight_gradients.device));
    }
    if (status.ok() && a.merges && p.dim && a.weight_segments.count) {
      status = launched("merge_class_gradients",
                        merge_class_gradients(queue(), a.weight_segments.segments(a.labels), p.num_true, p.dim, a.pitch,
                                              a.rows.true_dz, a.inputs.device, a.unmerged, a.weight_gradients.device));
    }
    if (status.ok() && a.bias_gradients && a.bias_segments.count) {
      status = launched("merge_bias_gradients",
                        merge_bias_gradients(queue(), a.bias_segments.segments(a.labels), a.rows.true_dz, a.column_sums,
                                             a.bias_gradients.device));
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

  const SampledProblem problem_;
  const Arithmetic arithmetic_;
  LossArrays<T, E> arrays_;
  Pinned upload_, download_;
  void* memory_ = nullptr;
  std::unique_ptr<DeviceRows> kept_weights_, kept_biases_;
  char what_[96];
};

// Whether tensor cores multiply rows as they are stored: where all are of that dtype already. (To round others to
// bfloat16 would move a logit by 2^-9 of itself.)
bool multiplies(DType dtype, const Device& device, const SampledProblem& p) {
  const Shard* end = p.weights.shards + p.weights.num_shards;
  return p.reduced_precision && device.has_tensor_cores() && p.inputs_dtype == dtype &&
         std::all_of(p.weights.shards, end, [&](const Shard& shard) { return shard.dtype == dtype; });
}

}  // namespace

Status start_loss(const SampledProblem& problem, bool full, Notify notify, PendingCall** pending) {
  *pending = nullptr;
  Device* device;
  if (Status status = Device::get(problem.device, &device); !status.ok()) return status;
  if (problem.batch == 0) return start_empty_loss(*device, problem, notify, pending);
  if (problem.float64) return start_call<LossCall<double, double>>(*device, notify, pending, problem, full);
  // As on the CPU, which rounds probabilities to bfloat16 as well.
  if (multiplies(DType::bfloat16, *device, problem) && problem.numerics == Numerics::stable) {
    return start_call<LossCall<float, BFloat16>>(*device, notify, pending, problem, full);
  }
  return multiplies(DType::float16, *device, problem)
             ? start_call<LossCall<float, Float16>>(*device, notify, pending, problem, full)
             : start_call<LossCall<float, float>>(*device, notify, pending, problem, full);
}

}  // namespace cuda
}  // namespace sampled_softmax
