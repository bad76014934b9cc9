// Waiting on a condition variable without std::condition_variable::wait, which is a symbol of GLIBCXX_3.4.30: without
// it the addon loads beside the libstdc++ of GCC 11 (RHEL 9).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace sampled_softmax {

template <class Condition>
void wait_for(std::condition_variable& variable, std::unique_lock<std::mutex>& lock, Condition condition) {
  while (!variable.wait_for(lock, std::chrono::hours(1), condition)) {
  }
}

}  // namespace sampled_softmax
