// What the samplers are made of: random words, the fast loops against libm and against each other on every instruction
// set, sets of distinct classes, weights in a tree, vocabulary files, accidental hits.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "core/accidental_hits.h"
#include "core/samplers/distinct.h"
#include "core/samplers/expected_count.h"
#include "core/samplers/kernels.h"
#include "core/samplers/log_uniform.h"
#include "core/samplers/series.h"
#include "core/samplers/vocab.h"
#include "core/samplers/weight_tree.h"
#include "draws.h"

using namespace sampled_softmax;

namespace {

std::vector<const DrawKernels*> available_kernels() {
  std::vector<const DrawKernels*> tables;
  for (InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (processor_has(set)) tables.push_back(&draw_kernels(set));
  }
  return tables;
}

void test_philox() {
  const std::vector<const DrawKernels*> tables = available_kernels();
  uint32_t words[32], plain[32];
  for (size_t t = 0; t < tables.size(); ++t) {
    tables[t]->philox8(0, 0, 0, words);
    CHECK(words[0] == 0x6627e8d5 && words[3] == 0x9b00dbd8, "known answer, table %zu", t);
    tables[t]->philox8(87654321, 0, 1, words);
    CHECK(words[0] == 0xab1e98c7 && words[7] == 0x8f3a73d9, "known answer, table %zu", t);
    for (uint64_t low : {uint64_t{0}, uint64_t{0xfffffffcu}, uint64_t{0x123456789abcdef0u}}) {
      tables[t]->philox8(0xfedcba9876543210u, low, 0xffffffff00000001u, words);
      for (uint64_t i = 0; i < 8; ++i) {
        philox_block(0xfedcba9876543210u, low + i, 0xffffffff00000001u, plain + 4 * i);
      }
      CHECK(std::memcmp(words, plain, sizeof words) == 0, "table %zu from %llx", t,
            static_cast<unsigned long long>(low));
    }
  }
  Philox near_end{5, UINT64_MAX - 1, 7};
  philox_next(near_end, words, 4);
  CHECK(near_end.counter_low == 2 && near_end.counter_high == 8, "the counter carries");
  Philox skipped{5, UINT64_MAX - 1, 7};
  philox_skip(skipped, 4);
  CHECK(skipped.counter_low == 2 && skipped.counter_high == 8, "the skip carries");
}

void test_exp_near_integers() {
  const int64_t range = 1'000'000'000;
  size_t cases = 0, asked = 0;
  for (int64_t m : {2, 3, 5, 10, 17, 100, 1023, 4096, 99'991, 1'000'003, 54'321'987, 999'999'937}) {
    for (int64_t integer = m; integer < m + 40; ++integer) {
      double x = std::log(static_cast<double>(integer));
      for (int step = 0; step < 4; ++step) x = std::nextafter(x, 0.0);
      for (int step = 0; step < 9; ++step, x = std::nextafter(x, 100.0)) {
        int64_t got;
        asked += log_uniform_classes(&x, 1, range + 100, &got);
        ++cases;
        const int64_t want = static_cast<int64_t>(std::exp(x)) - 1;
        CHECK(got == want, "x = %.17g: class %lld instead of %lld", x, static_cast<long long>(got),
              static_cast<long long>(want));
      }
    }
  }
  CHECK(kNearInteger > 1.2 * kSeriesExpError && asked == cases, "libm was asked %zu times of %zu", asked, cases);

  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, std::log1p(static_cast<double>(range)));
  std::vector<double> x(200'000);
  std::vector<int64_t> got(x.size());
  for (double& value : x) value = uniform(random);
  asked = log_uniform_classes(x.data(), x.size(), range, got.data());
  size_t wrong = 0;
  for (size_t i = 0; i < x.size(); ++i) wrong += got[i] != (static_cast<int64_t>(std::exp(x[i])) - 1) % range;
  CHECK(wrong == 0, "%zu other classes", wrong);
  CHECK(asked > 0 && asked < x.size() / 50, "libm was asked %zu times", asked);
}

void test_series() {
  double worst_exp = 0, worst_expm1 = 0, worst_log = 0;
  for (int i = 0; i <= 20'000; ++i) {
    const double up = 30.0 * i / 20'000, down = -50.0 * std::pow(i / 20'000.0, 4), s = i / 60'000.0;
    worst_exp = std::max(worst_exp, std::fabs(series_exp(up) / std::exp(up) - 1));
    if (i == 0) continue;
    worst_expm1 = std::max(worst_expm1, std::fabs(-series_one_minus_exp(down) / std::expm1(down) - 1));
    worst_log = std::max(worst_log, std::fabs(series_log_ratio(s) / (std::log1p(s) - std::log1p(-s)) - 1));
  }
  CHECK(worst_exp < kSeriesExpError && worst_expm1 < 3e-11 && worst_log < 3e-11, "%g %g %g", worst_exp, worst_expm1,
        worst_log);
}

void test_counts() {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-36, 0);
  std::vector<double> p(1000);
  std::vector<float> counts(p.size());
  for (double& value : p) value = static_cast<float>(std::exp(exponent(random)));
  p[0] = 1;
  p[1] = 0.5;
  p[2] = 0;
  for (int64_t draws : {8, 9, 1000, 15708, 1 << 20, 200'000'001}) {
    for (bool float32_steps : {true, false}) {
      const Tries tries{8, draws, float32_steps};
      expected_counts(p.data(), p.size(), tries, counts.data());
      int64_t worst = 0;
      for (size_t i = 0; i < p.size(); ++i) worst = std::max(worst, ulps(counts[i], expected_count(p[i], tries)));
      CHECK(worst <= (float32_steps ? 3 : 1), "%lld draws: %lld ulp", static_cast<long long>(draws),
            static_cast<long long>(worst));
    }
  }
}

void test_same_bits_on_every_instruction_set() {
  const std::vector<const DrawKernels*> tables = available_kernels();
  std::mt19937_64 random(3);
  std::vector<uint64_t> pairs(1003);
  for (uint64_t& pair : pairs) pair = random();
  for (size_t length : {size_t{1}, size_t{7}, size_t{128}, pairs.size()}) {
    std::vector<double> x[4], p[4];
    std::vector<int64_t> classes[4];
    std::vector<float> counts[4];
    for (size_t t = 0; t < tables.size(); ++t) {
      x[t].resize(length);
      tables[t]->scaled_uniforms(pairs.data(), length, std::log1p(1e9), x[t].data());
      classes[t].resize(length);
      tables[t]->log_uniform_classes(x[t].data(), length, classes[t].data());
      p[t].assign(classes[0].begin(), classes[0].end());
      for (double& value : p[t]) value = std::max(value, 0.0);
      tables[t]->log_uniform_probabilities(p[t].data(), length, std::log1p(1e9), true);
      counts[t].resize(length);
      tables[t]->expected_counts(p[t].data(), length, 15708, true, counts[t].data());
      CHECK(x[t] == x[0] && classes[t] == classes[0] && p[t] == p[0] && counts[t] == counts[0], "table %zu", t);
    }
  }
}

void test_distinct() {
  std::mt19937_64 random(4);
  // The same object as bitmap and as hash set, larger and smaller.
  for (int64_t range : {int64_t{60}, int64_t{1} << 20, INT64_MAX, int64_t{4000}, int64_t{1} << 40}) {
    DistinctClasses& seen = DistinctClasses::of_this_thread();
    std::vector<int64_t> candidates(3000), kept(500), plain;
    const uint64_t spread = static_cast<uint64_t>(std::min<int64_t>(range, 900));
    for (int64_t& id : candidates) id = range - 1 - static_cast<int64_t>(random() % spread);
    seen.start(range, 500);
    size_t held = 0;
    const size_t looked = seen.keep_new(candidates.data(), candidates.size(), kept.data(), &held, kept.size());
    for (size_t i = 0; i < looked; ++i) {
      if (std::find(plain.begin(), plain.end(), candidates[i]) == plain.end()) plain.push_back(candidates[i]);
    }
    kept.resize(held);
    CHECK(kept == plain && (held == 500 || looked == candidates.size()), "range %lld", static_cast<long long>(range));
    seen.forget(kept.data(), held);
    seen.start(range, 500);
    CHECK(seen.insert(kept[0]) && !seen.insert(kept[0]), "forgotten, range %lld", static_cast<long long>(range));
    seen.forget(kept.data(), 1);
  }
}

// Sets that are too large to be kept: a bitmap, and slots of both widths, as full as they get.
void test_large_distinct() {
  const std::pair<int64_t, size_t> shapes[] = {
      {150'000'000, 4'000'000}, {UINT32_MAX, 3'000'000}, {INT64_MAX, 1'500'000}};
  for (const auto& [range, capacity] : shapes) {
    std::mt19937_64 random(6);
    std::vector<int64_t> candidates(capacity), kept(capacity);
    for (int64_t& id : candidates) id = range - 1 - static_cast<int64_t>(random() % static_cast<uint64_t>(range));
    candidates.back() = range - 1;
    std::vector<int64_t> sorted = candidates;
    std::sort(sorted.begin(), sorted.end());
    const size_t distinct = static_cast<size_t>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
    sorted.resize(distinct);
    DistinctClasses& seen = DistinctClasses::of_this_thread();
    for (int time = 0; time < 2; ++time) {
      seen.start(range, static_cast<int64_t>(capacity));
      size_t held = 0;
      seen.keep_new(candidates.data(), capacity, kept.data(), &held, capacity);
      std::vector<int64_t> found(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(held));
      std::sort(found.begin(), found.end());
      CHECK(found == sorted && !seen.insert(range - 1), "range %lld", static_cast<long long>(range));
      seen.forget(kept.data(), held / 2);
      seen.forget(kept.data() + held / 2, held - held / 2);
    }
  }
}

void test_weight_tree() {
  std::mt19937_64 random(5);
  for (int64_t classes : {1, 2, 3, 7, 8, 100, 1000}) {
    WeightTree tree;
    CHECK(WeightTree::make(classes, &tree).ok(), "make");
    std::vector<int64_t> weights(static_cast<size_t>(classes), 1);
    for (int i = 0; i < 300; ++i) {
      const size_t id = random() % weights.size();
      const int32_t amount = static_cast<int32_t>(random() % 5);
      tree.add(static_cast<int64_t>(id), amount);
      weights[id] += amount;
    }
    int64_t target = 0;
    bool right = true;
    for (size_t id = 0; id < weights.size(); ++id) {
      right = right && tree.weight(static_cast<int64_t>(id)) == weights[id];
      for (int64_t i = 0; i < weights[id]; ++i) right = right && tree.find(target++) == static_cast<int64_t>(id);
    }
    CHECK(right && target == tree.total(), "%lld classes", static_cast<long long>(classes));
  }
}

void test_vocab() {
  const auto parse = [](const std::string& text, std::vector<float>* weights) {
    weights->clear();
    return parse_vocab(text.data(), text.size(), weights);
  };
  std::vector<float> weights;
  CHECK(parse("a,1\nb,x,2.5\r\n\n\r\n\"q,r\", 3e2 \n+4\n.5", &weights).ok() &&
            (weights == std::vector<float>{1, 2.5f, 300, 4, .5f}),
        "the forms of a line");
  CHECK(parse("", &weights).ok() && weights.empty(), "an empty file");
  for (const char* bad : {"a,1\nb,x", "a,", "a,-1", "a,nan", "a,inf", "a,1e99", " ", "1 2", "a,1\n\n,", "0x"}) {
    CHECK(!parse(bad, &weights).ok(), "'%s' is refused", bad);
  }
  const Status status = parse("a,1\n\nb,x\n", &weights);
  CHECK(std::strcmp(status.message, "line 3: expected a finite weight >= 0 in the last field, got 'b,x'") == 0, "%s",
        status.message);
  parse(std::string(10'000, 'x'), &weights);
}

void test_accidental_hits() {
  const std::vector<int64_t> truth = {1, 1, 5, 2, 9, 2}, sampled = {2, 5, 1, 2};
  const auto find = [&](bool last_only) {
    return find_accidental_hits(truth.data(), truth.size(), 2, sampled.data(), sampled.size(), last_only);
  };
  const AccidentalHits last = find(true), all = find(false);
  CHECK((last.rows == std::vector<int32_t>{0, 0, 1, 1, 2} && last.positions == std::vector<int32_t>{2, 2, 1, 3, 3}),
        "TensorFlow's example");
  CHECK((all.rows == std::vector<int32_t>{0, 0, 1, 1, 1, 2, 2} &&
         all.positions == std::vector<int32_t>{2, 2, 1, 0, 3, 0, 3}),
        "every copy");
  CHECK(find_accidental_hits(truth.data(), 6, 2, nullptr, 0, false).rows.empty(), "nothing sampled");
  CHECK(find_accidental_hits(nullptr, 0, 2, sampled.data(), 4, false).rows.empty(), "no rows");
}

}  // namespace

int main() {
  test_philox();
  test_exp_near_integers();
  test_series();
  test_counts();
  test_same_bits_on_every_instruction_set();
  test_distinct();
  test_large_distinct();
  test_weight_tree();
  test_vocab();
  test_accidental_hits();
  return finish("sampler parts");
}
