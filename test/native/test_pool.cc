// The pool of threads: every index once, nobody inside when parallel_for has returned, whether its workers look for the
// next job, have gone to sleep, or are late.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "check.h"
#include "cpu/pool.h"

using namespace sampled_softmax;

namespace {

using std::chrono::microseconds;

// A job whose tasks write what is not atomic: a race, to ThreadSanitizer, unless the pool orders it.
struct Counted {
  explicit Counted(int64_t count, int threads)
      : times(static_cast<size_t>(count)), busy(static_cast<size_t>(threads)) {}

  template <class F>
  void run(int threads, F&& extra) {
    parallel_for(static_cast<int64_t>(times.size()), threads, [&](int64_t index, int worker) {
      if (worker < 0 || worker >= threads || busy[static_cast<size_t>(worker)].exchange(true)) wrong_worker = true;
      ++times[static_cast<size_t>(index)];
      extra(index, worker);
      busy[static_cast<size_t>(worker)] = false;
    });
  }
  bool all_once() const {
    for (int n : times) {
      if (n != 1) return false;
    }
    return !wrong_worker;
  }

  std::vector<int> times;
  std::vector<std::atomic<bool>> busy;  // the worker is in a task
  std::atomic<bool> wrong_worker{false};
};

void nothing(int64_t, int) {}

void check_counts() {
  for (int threads : {1, 2, 3, 8}) {
    for (int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      Counted job(count, threads);
      job.run(threads, nothing);
      CHECK(job.all_once(), "%d threads, %d tasks", threads, static_cast<int>(count));
    }
  }
}

// Jobs one after another, now and then with a pause in which workers fall asleep (they look for 200 us).
void check_jobs_in_a_row() {
  std::mt19937 random(1);
  bool once = true;
  for (int job = 0; job < 20000; ++job) {
    const int threads = 1 + static_cast<int>(random() % 4);
    Counted counted(static_cast<int64_t>(random() % 6), threads);
    counted.run(threads, nothing);
    once = once && counted.all_once();
    if (job % 200 == 0) std::this_thread::sleep_for(microseconds(random() % 600));
  }
  CHECK(once, "20000 jobs");
}

// Workers that take longer than their caller looks for them, and callers that do.
void check_long_tasks() {
  for (int round = 0; round < 40; ++round) {
    for (bool caller_slow : {false, true}) {
      Counted job(3, 3);
      job.run(3, [&](int64_t, int worker) {
        if ((worker == 0) == caller_slow) std::this_thread::sleep_for(microseconds(800));
      });
      CHECK(job.all_once(), "slow: %s", caller_slow ? "the caller" : "the workers");
    }
  }
}

#if defined(__linux__)
// Time on a processor so far of all threads of the process but those.
long long time_of_others(const std::vector<pid_t>& those) {
  long long total = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t id = static_cast<pid_t>(std::stol(task.path().filename().string()));
    long long time = 0;
    if (std::find(those.begin(), those.end(), id) != those.end()) continue;
    if (std::ifstream file(task.path() / "schedstat"); file >> time) total += time;
  }
  return total;
}

// Workers that a job does not want sleep through it: the others' jobs come at any pace.
void check_unwanted() {
  if (!std::filesystem::exists("/proc/self/schedstat")) return;
  Counted all(64, 8);
  all.run(8, [](int64_t, int) { std::this_thread::sleep_for(microseconds(50)); });
  bool slept = false;
  for (int attempt = 0; attempt < 1000 && !slept; ++attempt) {
    std::vector<pid_t> wanted(2, gettid());
    const auto jobs = [&] {
      for (int job = 0; job < 20; ++job) {
        Counted two(2, 2);
        two.run(2, [&](int64_t, int worker) {
          wanted[static_cast<size_t>(worker)] = gettid();
          std::this_thread::sleep_for(microseconds(20));
        });
      }
    };
    jobs();
    const long long before = time_of_others(wanted);
    jobs();
    slept = time_of_others(wanted) == before;
  }
  CHECK(slept, "6 workers, jobs for 2 threads");
}
#endif

void check_nested() {
  std::vector<int> inner(64);
  bool alone = true;
  parallel_for(8, 3, [&](int64_t outer, int) {
    parallel_for(8, 3, [&](int64_t index, int worker) {
      if (worker != 0) alone = false;
      ++inner[static_cast<size_t>(outer * 8 + index)];
    });
  });
  CHECK(alone && inner == std::vector<int>(64, 1), "inside another, it runs in the calling thread");
}

// One caller has the workers; the others run alone.
void check_many_callers() {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int job = 0; job < 500; ++job) {
        Counted counted(5, 3);
        counted.run(3, nothing);
        if (!counted.all_once()) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0, "%d jobs of several callers", wrong.load());
}

// No task of the second phase begins before all of the first are done, even where one of those takes its time.
void check_phases() {
  for (int threads : {1, 2, 3, 8}) {
    for (int64_t count : {0, 1, 2, 5}) {
      for (int64_t next_count : {0, 1, 4, 40}) {
        std::vector<int> first(static_cast<size_t>(count)), second(static_cast<size_t>(next_count));
        std::atomic<bool> wrong{false};
        const auto fn = [&](int64_t index, int worker) {
          if (worker < 0 || worker >= threads) wrong = true;
          if (index == count / 2) std::this_thread::sleep_for(microseconds(index % 2 ? 400 : 50));
          ++first[static_cast<size_t>(index)];
        };
        const auto next = [&](int64_t index, int worker) {
          if (worker < 0 || worker >= threads || first != std::vector<int>(first.size(), 1)) wrong = true;
          ++second[static_cast<size_t>(index)];
        };
        parallel_phases(count, next_count, threads, fn, next);
        CHECK(!wrong && first == std::vector<int>(first.size(), 1) && second == std::vector<int>(second.size(), 1),
              "%d threads, %d tasks and then %d", threads, int(count), int(next_count));
      }
    }
  }
}

void check_pieces() {
  for (int threads : {1, 2, 8}) {
    for (int64_t count : {0, 1, 5, 16, 683}) {
      for (const auto& [most, fewest] : {std::pair<int64_t, int64_t>{1, 1}, {4, 1}, {16, 4}}) {
        std::vector<int> times(static_cast<size_t>(count));
        std::vector<int64_t> size(static_cast<size_t>(count));
        parallel_pieces(count, threads, most, fewest, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i)
            ++times[static_cast<size_t>(i)], size[static_cast<size_t>(i)] = end - begin;
        });
        bool right = true;
        for (size_t i = 0; i < times.size(); ++i) {
          const bool last = static_cast<int64_t>(i) >= count - size[i];
          right = right && times[i] == 1 && size[i] <= most && (size[i] >= fewest || last);
          right = right && (i == 0 || size[i] <= size[i - 1]);
        }
        CHECK(right, "%d threads, %d things in pieces of %d to %d", threads, int(count), int(most), int(fewest));
      }
    }
  }
}

}  // namespace

int main() {
  set_pool_threads(5);
  CHECK(pool_threads() == 5, "as set");
  check_counts();
  check_jobs_in_a_row();
  check_long_tasks();
#if defined(__linux__)
  check_unwanted();
#endif
  check_nested();
  check_many_callers();
  check_phases();
  check_pieces();
  return finish("pool");
}
