// Kernels of the kinds that a loss needs: right results, and nothing to find.
#include "check.h"
#include "device_array.h"
#include "kernels/fused_loss.cuh"
#include "kernels/log_sum_exp.cuh"
#include "kernels/problems.h"
#include "kernels/products.cuh"
#include "kernels/rows.cuh"

static void test_log_sum_exp(int rows, int cols) {
  const std::vector<float> x = normal(size_t(rows) * cols, 3);
  DeviceArray<float> dx(x), out(rows);
  log_sum_exp<<<(rows + 7) / 8, 256>>>(dx, out, rows, cols);
  CHECK(check::distance(out.get(), log_sum_exp_of_rows(x, rows, cols)) < 2e-5);
}

static void test_fused_loss(int B, int S, int D) {
  const LossProblem p(B, S, D, 1000);
  DeviceArray<float> inputs(p.inputs), weights(p.weights), log_q(p.log_q), losses(B);
  DeviceArray<int> sampled(p.sampled), labels(p.labels);
  fused_loss<TileMistake::None><<<B / 64, 256>>>(inputs, weights, sampled, labels, log_q, losses, S, D);
  CHECK(check::distance(losses.get(), p.losses()) < 5e-5);
}

static void test_product_tf32(int M, int N, int K) {
  const std::vector<float> a = normal(size_t(M) * K), b = normal(size_t(N) * K);
  DeviceArray<float> da(a), db(b), c(size_t(M) * N);
  product_tf32<<<(M / 16 * (N / 8) + 3) / 4, 128>>>(da, db, c, M, N, K);
  CHECK(check::distance(c.get(), product_of(a, b, M, N, K)) < 2e-3 * std::sqrt(K));
}

static void test_product_bf16(int M, int N, int K) {
  std::vector<float> a = normal(size_t(M) * K), b = normal(size_t(N) * K);
  std::vector<uint16_t> ha(a.size()), hb(b.size());
  for (size_t i = 0; i < a.size(); ++i) a[i] = from_bf16(ha[i] = to_bf16(a[i]));
  for (size_t i = 0; i < b.size(); ++i) b[i] = from_bf16(hb[i] = to_bf16(b[i]));
  DeviceArray<uint16_t> da(ha), db(hb);
  DeviceArray<float> c(size_t(M) * N);
  product_bf16<PipelineMistake::None><<<dim3(N / 64, M / 64), 128, 16384>>>(da, db, c, N, K);
  CHECK(check::distance(c.get(), product_of(a, b, M, N, K)) < 1e-5 * std::sqrt(K));
}

static void test_adagrad(int rows, int n, int D) {
  const float rate = 0.1f, epsilon = 1e-6f;
  const std::vector<float> w = normal(size_t(rows) * D), g = normal(size_t(n) * D), squares(w.size(), 0.1f);
  std::vector<int> ids(n);
  for (int i = 0; i < n; ++i) ids[i] = i * (rows / n);
  DeviceArray<float> dw(w), dsquares(squares), dg(g);
  DeviceArray<int> dids(ids);
  adagrad_rows<<<(n + 7) / 8, 256>>>(dw, dsquares, dids, dg, n, D, rate, epsilon);
  std::vector<double> want(w.begin(), w.end());
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < D; ++k) {
      const double gradient = g[size_t(i) * D + k];
      want[size_t(ids[i]) * D + k] -= rate * gradient / (std::sqrt(0.1 + gradient * gradient) + epsilon);
    }
  CHECK(check::distance(dw.get(), want) < 1e-6);
}

template <bool kStrided>
static void test_histogram(int n, int bins) {
  const std::vector<int> x = below(n, bins);
  std::vector<unsigned> want(bins, 0);
  for (const int i : x) ++want[i];
  DeviceArray<int> dx(x);
  DeviceArray<unsigned> counts(std::vector<unsigned>(bins, 0));
  histogram<kStrided><<<4, 256>>>(dx, n, counts, bins);
  CHECK(counts.get() == want);
}

static void test_last_block(int blocks) {
  const std::vector<float> x(size_t(blocks) * 128, 0.5f);
  DeviceArray<float> dx(x), partial(blocks), sum(1);
  DeviceArray<unsigned> finished(std::vector<unsigned>(1, 0));
  sum_by_last_block<FenceMistake::None><<<blocks, 128>>>(dx, partial, finished, sum);
  CHECK(sum.get()[0] == float(blocks) * 64);
}

int main() {
  for (const int cols : {4, 100, 1024}) test_log_sum_exp(37, cols);
  test_fused_loss(64, 128, 64);
  test_product_tf32(48, 40, 24);
  test_product_bf16(64, 128, 96);
  test_adagrad(500, 100, 50);
  test_histogram<false>(5000, 100);
  test_histogram<true>(5000, 100);
  test_last_block(5);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(check::nothing_found());
  return check::summary("kernels");
}
