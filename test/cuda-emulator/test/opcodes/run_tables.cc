// run_tables EXPECTED.txt - runs the kernels that tables.py has made and compares each answer, to the last bit.
#include <cuda_runtime_api.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

extern "C" void __cudaRegisterFunction(void**, const char*, char*, const char*, int, uint3*, uint3*, dim3*, dim3*,
                                       int*);

namespace {

struct Case {
  std::vector<uint64_t> given, wanted;
  std::vector<unsigned> bits;  // of each output
  std::string text;
};

std::vector<uint64_t> numbers(std::istream& from, size_t n) {
  std::vector<uint64_t> values(n);
  for (uint64_t& v : values) from >> std::hex >> v >> std::dec;
  return values;
}

Case read_case(const std::string& line, size_t inputs, size_t outputs) {
  std::istringstream from(line);
  Case c;
  c.given = numbers(from, inputs);
  c.wanted = numbers(from, outputs);
  c.bits.resize(outputs);
  for (unsigned& b : c.bits) from >> b;
  std::getline(from, c.text);
  return c;
}

std::vector<uint64_t> run(const char* kernel, const std::vector<uint64_t>& given, size_t outputs, unsigned threads) {
  void *in = nullptr, *out = nullptr;
  cudaMalloc(&in, given.size() * 8);
  cudaMalloc(&out, outputs * threads * 8);
  cudaMemcpy(in, given.data(), given.size() * 8, cudaMemcpyHostToDevice);
  cudaMemset(out, 0, outputs * threads * 8);
  __cudaRegisterFunction(nullptr, kernel, nullptr, kernel, -1, nullptr, nullptr, nullptr, nullptr, nullptr);
  void* arguments[] = {&in, &out};
  cudaLaunchKernel(kernel, dim3(1), dim3(threads), arguments, 0, nullptr);
  std::vector<uint64_t> answers(outputs * threads);
  cudaMemcpy(answers.data(), out, answers.size() * 8, cudaMemcpyDeviceToHost);
  cudaFree(in);
  cudaFree(out);
  return answers;
}

uint64_t low(uint64_t value, unsigned bits) { return bits == 64 ? value : value & ((uint64_t(1) << bits) - 1); }

}  // namespace

int main(int, char** argv) {
  std::ifstream file(argv[1]);
  std::string line;
  int passed = 0, failed = 0;
  while (std::getline(file, line)) {
    std::istringstream heading(line);
    std::string kernel, code;
    size_t inputs = 0, outputs = 0, count = 0;
    heading >> kernel >> inputs >> outputs >> count;
    std::getline(heading, code);
    std::vector<Case> cases;
    std::vector<uint64_t> given;
    for (size_t i = 0; i < count && std::getline(file, line); ++i) {
      cases.push_back(read_case(line, inputs, outputs));
      given.insert(given.end(), cases.back().given.begin(), cases.back().given.end());
    }
    const auto answers = run(kernel.c_str(), given, outputs, unsigned(count));
    for (size_t i = 0; i < count; ++i)
      for (size_t k = 0; k < outputs; ++k) {
        const uint64_t got = low(answers[i * outputs + k], cases[i].bits[k]);
        const bool right = got == low(cases[i].wanted[k], cases[i].bits[k]);
        ++(right ? passed : failed);
        if (!right) std::printf("FAIL%s:%s: got %#" PRIx64 "\n", code.c_str(), cases[i].text.c_str(), got);
      }
  }
  const cudaError_t error = cudaGetLastError();
  if (error) std::printf("FAIL %s\n", cudaGetErrorString(error));
  std::printf("opcodes: %d passed, %d failed\n", passed, failed);
  return failed || error || !passed;
}
