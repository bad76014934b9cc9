// The samplers against TensorFlow's golden vectors, their fast loops against libm and against each other on
// every instruction set, and MindSpore's stream against libstdc++ itself.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/accidental_hits.h"
#include "core/samplers/all_candidate.h"
#include "core/samplers/distinct.h"
#include "core/samplers/expected_count.h"
#include "core/samplers/fixed_unigram.h"
#include "core/samplers/kernels.h"
#include "core/samplers/learned_unigram.h"
#include "core/samplers/log_uniform.h"
#include "core/samplers/mindspore_uniform.h"
#include "core/samplers/series.h"
#include "core/samplers/uniform.h"
#include "core/samplers/vocab.h"
#include "core/samplers/weight_tree.h"

using namespace sampled_softmax;

namespace {

struct Drawn {
  Status status;
  std::vector<int64_t> classes;
  std::vector<float> sampled, truth;
  int64_t tries = 0;
};

Drawn draw(Sampler& sampler, const std::vector<int64_t>& labels) {
  Drawn d;
  d.classes.resize(static_cast<size_t>(sampler.num_sampled()));
  d.sampled.resize(d.classes.size());
  d.truth.resize(labels.size());
  Sample sample{d.classes.data(), d.sampled.data(), labels.data(), labels.size(), d.truth.data(), 0};
  d.status = sampler.draw(sample);
  d.tries = sample.num_tries;
  return d;
}

SamplerOptions options(int64_t range, int64_t num_sampled, bool unique) {
  SamplerOptions o;
  o.range = range;
  o.num_sampled = num_sampled;
  o.unique = unique;
  o.generator = philox_from_seeds(87654321, 1);
  return o;
}

int64_t ulps(float a, float b) {
  int32_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return std::abs(static_cast<int64_t>(x) - y);
}

void check_draw(const char* what, const Drawn& got, const std::vector<int64_t>& classes,
                const std::vector<float>& truth, const std::vector<float>& sampled) {
  CHECK(got.status.ok(), "%s: %s", what, got.status.message);
  CHECK(got.classes == classes, "%s: other classes, first %lld", what, static_cast<long long>(got.classes[0]));
  for (size_t i = 0; i < truth.size(); ++i) {
    CHECK(ulps(got.truth[i], truth[i]) <= 4, "%s: true count %zu is %.9g", what, i, double{got.truth[i]});
  }
  for (size_t i = 0; i < sampled.size(); ++i) {
    CHECK(ulps(got.sampled[i], sampled[i]) <= 4, "%s: sampled count %zu is %.9g", what, i, double{got.sampled[i]});
  }
}

// TensorFlow 2.21, seeds (87654321, 1), labels 0 1 7 49.
void test_golden_vectors() {
  const std::vector<int64_t> labels = {0, 1, 7, 49};
  const std::vector<float> truth = {.8814572f, .5156194f, .14978161f, .025182486f};
  auto log_uniform = make_log_uniform_sampler(options(50, 5, true));
  check_draw("log-uniform 1", draw(*log_uniform, labels), {35, 3, 13, 14, 0}, truth,
             {.034842562f, .28376582f, .087736435f, .08207195f, .8814572f});
  check_draw("log-uniform 2", draw(*log_uniform, labels), {30, 1, 46, 11, 19},
             {.68765f, .4795311f, .16680291f, .029841034f},
             {.047481216f, .4795311f, .031700663f, .11609554f, .07218231f});
  check_draw("log-uniform 3", draw(*log_uniform, labels), {3, 0, 27, 43, 29}, truth,
             {.28376582f, .8814572f, .044624716f, .028578144f, .04169796f});

  log_uniform = make_log_uniform_sampler(options(50, 5, false));
  draw(*log_uniform, labels);
  check_draw("log-uniform with repeats", draw(*log_uniform, labels), {30, 1, 1, 46, 11}, truth,
             {.04037399f, .5156194f, .5156194f, .026773069f, .10178822f});

  auto uniform = make_uniform_sampler(options(50, 5, true));
  check_draw("uniform 1", draw(*uniform, labels), {41, 5, 1, 4, 17}, {.099999994f}, {.099999994f});
  check_draw("uniform 2", draw(*uniform, labels), {38, 42, 39, 18, 23}, {}, {});
  uniform = make_uniform_sampler(options(64, 5, false));
  check_draw("uniform, power of two", draw(*uniform, labels), {7, 49, 37, 10, 19}, {.078125f}, {.078125f});

  std::unique_ptr<Sampler> learned;
  CHECK(make_learned_unigram_sampler(options(50, 5, true), &learned).ok(), "learned unigram");
  check_draw("learned 1", draw(*learned, labels), {27, 9, 43, 22, 44}, {.11415762f}, {.11415762f});
  check_draw("learned 2", draw(*learned, labels), {4, 7, 35, 27, 3}, {.1851852f},
             {.0925926f, .1851852f, .0925926f, .0925926f, .0925926f});
  check_draw("learned 3", draw(*learned, labels), {33, 37, 46, 24, 42}, {.2586207f}, {.0862069f});

  std::unique_ptr<Sampler> fixed;
  FixedUnigramOptions unigram;
  unigram.unigrams = {1, 2, 4, 8, 16, 32, 64, 128, 256};
  unigram.distortion = .75f;
  CHECK(make_fixed_unigram_sampler(options(9, 4, true), unigram, &fixed).ok(), "fixed unigram");
  check_draw("fixed 1", draw(*fixed, {0, 1, 8}), {8, 7, 2, 6}, {.05609357f, .09271649f, .9912305f},
             {.9912305f, .91866857f, .15146777f, .7549877f});
  check_draw("fixed 2", draw(*fixed, {0, 1, 8}), {5, 8, 3, 6}, {.05609357f, .09271649f, .9912305f},
             {.55494255f, .9912305f, .24268302f, .7549877f});
}

void test_philox() {
  const DrawKernels* tables[4];
  const size_t count = available_draw_kernels(tables, 4);
  uint32_t words[32], plain[32];
  for (size_t t = 0; t < count; ++t) {
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

// floor(e^x) - 1 wherever e^x comes within a few units in the last place of an integer, on both sides.
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
  const DrawKernels* tables[4];
  const size_t count = available_draw_kernels(tables, 4);
  std::mt19937_64 random(3);
  std::vector<uint64_t> pairs(1003);
  for (uint64_t& pair : pairs) pair = random();
  for (size_t length : {size_t{1}, size_t{7}, size_t{128}, pairs.size()}) {
    std::vector<double> x[4], p[4];
    std::vector<int64_t> classes[4];
    std::vector<float> counts[4];
    for (size_t t = 0; t < count; ++t) {
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

void test_large_ranges() {
  for (int64_t range : {int64_t{1}, int64_t{2}, INT64_MAX, int64_t{1} << 62}) {
    for (bool unique : {true, false}) {
      if (unique && range < 3) continue;
      for (auto make : {make_uniform_sampler, make_log_uniform_sampler}) {
        auto sampler = make(options(range, 3, unique));
        const Drawn d = draw(*sampler, {0, range - 1});
        CHECK(d.status.ok(), "%s", d.status.message);
        for (int64_t id : d.classes) CHECK(id >= 0 && id < range, "class %lld", static_cast<long long>(id));
        for (float count : d.sampled) CHECK(count > 0, "count %g", double{count});
        for (float count : d.truth) CHECK(count > 0 && std::isfinite(count), "true count %g", double{count});
      }
    }
  }
}

void test_all_classes() {
  auto sampler = make_uniform_sampler(options(1000, 1000, true));
  Drawn d = draw(*sampler, {});
  std::sort(d.classes.begin(), d.classes.end());
  bool all = d.tries > 1000;
  for (int64_t i = 0; i < 1000; ++i) all = all && d.classes[static_cast<size_t>(i)] == i;
  CHECK(all, "S = range draws every class");
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

void test_learning_stops_at_the_limit() {
  std::unique_ptr<Sampler> sampler;
  CHECK(make_learned_unigram_sampler(options(3, 2, false), &sampler).ok(), "make");
  SamplerState state = sampler->state();
  state.classes = {1};
  state.counts = {INT32_MAX - 3 - 2};
  CHECK(sampler->restore(state).ok(), "restore");
  draw(*sampler, {0, 2, 2, 2});  // room for two more
  state = sampler->state();
  CHECK((state.classes == std::vector<int64_t>{0, 1, 2}) && state.counts[0] == 1 && state.counts[2] == 1, "capped");
  for (auto [classes, counts] : std::initializer_list<std::pair<std::vector<int64_t>, std::vector<int64_t>>>{
           {{3}, {1}}, {{-1}, {1}}, {{1, 1}, {1, 1}}, {{1}, {0}}, {{1}, {}}, {{0, 1}, {INT32_MAX - 3, 1}}}) {
    SamplerState bad = state;
    bad.classes = classes;
    bad.counts = counts;
    CHECK(!sampler->restore(bad).ok(), "a wrong state is refused");
  }
  CHECK(sampler->state().counts == state.counts, "and nothing changes");
}

void test_fixed_unigram() {
  std::unique_ptr<Sampler> sampler;
  const auto make = [&](int64_t range, std::vector<float> weights, int64_t reserved, int64_t shards, int64_t shard) {
    FixedUnigramOptions unigram;
    unigram.unigrams = std::move(weights);
    unigram.num_reserved = reserved;
    unigram.num_shards = shards;
    unigram.shard = shard;
    return make_fixed_unigram_sampler(options(range, 1, false), unigram, &sampler);
  };
  CHECK(!make(2, {1, -1}, 0, 1, 0).ok() && !make(2, {1, NAN}, 0, 1, 0).ok() && !make(2, {1, INFINITY}, 0, 1, 0).ok(),
        "wrong weights");
  CHECK(!make(2, {0, 0}, 0, 1, 0).ok() && !make(0, {}, 0, 1, 0).ok() && !make(3, {1, 1}, 0, 1, 0).ok(), "no weights");
  CHECK(!make(2, {3e38f, 3e38f}, 0, 1, 0).ok(), "sums that overflow");
  const Status negative = make(3, {1, 2, -3}, 0, 1, 0);
  CHECK(std::string(negative.message) == "unigrams[2]: expected a finite weight >= 0, got -3", "%s", negative.message);
  // 8 classes, 1 reserved, shard 1 of 2 holds 1 3 5 7: the weights numbered 0 2 4 6. TensorFlow finds three
  // here.
  CHECK(make(4, {1, 2, 3, 4, 5, 6, 7}, 1, 2, 1).ok(), "reserved and sharded");
  const Drawn d = draw(*sampler, {0, 1, 2, 3});
  for (size_t i = 0; i < 4; ++i) {
    CHECK(d.truth[i] == static_cast<float>(2 * i + 1) / 16.0f, "share %zu is %g", i, double{d.truth[i]});
  }
  CHECK(make(4, {1, 2, 3, 4, 5, 6, 7}, 1, 2, 0).ok() && !sampler->possible(0) && sampler->possible(1), "reserved");
  std::vector<int64_t> hits(4);
  for (int i = 0; i < 4000; ++i) ++hits[static_cast<size_t>(draw(*sampler, {}).classes[0])];
  CHECK(hits[0] == 0 && hits[3] > hits[2] && hits[2] > hits[1] && hits[1] > 400, "frequencies");
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

void test_mindspore() {
#ifdef __GLIBCXX__
  for (uint64_t n : {uint64_t{1}, uint64_t{2}, uint64_t{7}, uint64_t{1000}, uint64_t{1} << 30, uint64_t{1'500'000'000},
                     uint64_t{2147483645}, uint64_t{2147483646}, uint64_t{2147483647}}) {
    for (uint64_t seed : {uint64_t{1}, uint64_t{42}, uint64_t{2147483647}, uint64_t{1} << 52}) {
      std::default_random_engine engine(seed);
      std::uniform_int_distribution<int64_t> theirs(0, static_cast<int64_t>(n) - 1);
      MinstdRand0 ours(seed);
      bool same = true;
      for (int i = 0; i < 200; ++i) same = same && static_cast<int64_t>(ours.uniform(n)) == theirs(engine);
      CHECK(same, "n = %llu, seed %llu", static_cast<unsigned long long>(n), static_cast<unsigned long long>(seed));
    }
  }
#endif
  const auto classes = [](int64_t range, int64_t sampled, bool avoid, const std::vector<int64_t>& labels) {
    return draw(*make_mindspore_uniform_sampler(range, sampled, 1, avoid), labels).classes;
  };
  using Classes = std::vector<int64_t>;
  CHECK((classes(4, 3, false, {1}) == Classes{0, 3, 1}), "MindSpore's test, flag off");
  CHECK((classes(4, 3, true, {1}) == Classes{0, 3, 2}), "MindSpore's test, flag on");
  CHECK((classes(7, 4, false, {0, 1, 2}) == Classes{0, 5, 3, 1}), "the draw of its loss test");
  CHECK((classes(4, 3, true, {1, 1}) == Classes{0, 3, 1}), "no room: none is avoided, repeats counted");
  Classes most = classes(100, 98, true, {17, 23});
  int64_t sum = 0;
  for (int64_t id : most) sum += id;
  CHECK(sum == 4950 - 40, "all but the avoided, sum %lld", static_cast<long long>(sum));
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

void test_threads() {
  auto sampler = make_log_uniform_sampler(options(1000, 50, true));
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) good[t] += draw(*sampler, {1, 2}).status.ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto alone = make_log_uniform_sampler(options(1000, 50, true));
  for (int i = 0; i < 200; ++i) draw(*alone, {});
  CHECK(good == std::vector<int>(4, 50) && sampler->state().generator == alone->state().generator, "200 draws");
}

}  // namespace

int main() {
  test_philox();
  test_golden_vectors();
  test_exp_near_integers();
  test_series();
  test_counts();
  test_same_bits_on_every_instruction_set();
  test_distinct();
  test_large_ranges();
  test_all_classes();
  test_weight_tree();
  test_learning_stops_at_the_limit();
  test_fixed_unigram();
  test_vocab();
  test_mindspore();
  test_accidental_hits();
  test_threads();
  return finish("samplers");
}
