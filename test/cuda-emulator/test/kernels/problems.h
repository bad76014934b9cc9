// Random arrays, and the kernels' results computed plainly.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

inline std::mt19937& generator() {
  static std::mt19937 g(7);
  return g;
}
inline std::vector<float> normal(size_t n, float scale = 1) {
  std::normal_distribution<float> d(0, scale);
  std::vector<float> v(n);
  for (float& x : v) x = d(generator());
  return v;
}
inline std::vector<int> below(size_t n, int bound) {
  std::vector<int> v(n);
  for (int& x : v) x = int(generator()() % unsigned(bound));
  return v;
}

inline uint16_t to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(uint16_t h) {
  const uint32_t bits = uint32_t(h) << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

template <class T>
double dot(const T* a, const T* b, int n) {
  double sum = 0;
  for (int k = 0; k < n; ++k) sum += double(a[k]) * b[k];
  return sum;
}

inline std::vector<double> log_sum_exp_of_rows(const std::vector<float>& x, int rows, int cols) {
  std::vector<double> out(rows);
  for (int r = 0; r < rows; ++r) {
    double sum = 0;
    for (int c = 0; c < cols; ++c) sum += std::exp(double(x[size_t(r) * cols + c]));
    out[r] = std::log(sum);
  }
  return out;
}

inline std::vector<double> product_of(const std::vector<float>& a, const std::vector<float>& b, int M, int N, int K) {
  std::vector<double> c(size_t(M) * N);
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) c[size_t(i) * N + j] = dot(&a[size_t(i) * K], &b[size_t(j) * K], K);
  return c;
}

struct LossProblem {
  int B, S, D;
  std::vector<float> inputs, weights, log_q;
  std::vector<int> sampled, labels;

  LossProblem(int B, int S, int D, int classes)
      : B(B),
        S(S),
        D(D),
        inputs(normal(size_t(B) * D, 0.3f)),
        weights(normal(size_t(classes) * D, 0.3f)),
        log_q(normal(S)),
        sampled(below(S, classes)),
        labels(below(B, classes)) {}

  std::vector<double> losses() const {
    std::vector<double> out(B);
    for (int r = 0; r < B; ++r) {
      const auto logit = [&](int c) { return dot(&inputs[size_t(r) * D], &weights[size_t(c) * D], D); };
      const double t = logit(labels[r]);
      double sum = std::exp(t);
      for (int j = 0; j < S; ++j) sum += std::exp(logit(sampled[j]) - log_q[j]);
      out[r] = std::log(sum) - t;
    }
    return out;
  }
};
