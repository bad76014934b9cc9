// The samplers against TensorFlow's golden vectors, at the ends of their ranges, and MindSpore's stream against
// libstdc++ itself.
#include <algorithm>
#include <initializer_list>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/samplers/fixed_unigram.h"
#include "core/samplers/learned_unigram.h"
#include "core/samplers/log_uniform.h"
#include "core/samplers/mindspore_uniform.h"
#include "core/samplers/uniform.h"
#include "draws.h"

using namespace sampled_softmax;

namespace {

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
  CHECK(!make(2, {1, 1}, 0, 0, 0).ok() && !make(2, {1, 1}, 0, 1, 1).ok() && !make(2, {1, 1}, 0, 1, -1).ok(),
        "no shard");
  CHECK(!make(2, {1, 1}, INT64_MAX, 1, 0).ok() && !make(2, {1, 1}, -1, 1, 0).ok(), "more reserved than the range");
  // A class that the table cannot pick, one that it can where its bucket is a part in 2^23, and the heaviest.
  CHECK(make(3, {1e10f, 1e-40f, 1e-30f}, 0, 1, 0).ok() && sampler->possible_classes() == 2 && sampler->possible(0) &&
            !sampler->possible(1) && sampler->possible(2),
        "classes that cannot be picked");
  CHECK(make(4, {1, 2, 3, 4, 5, 6, 7}, 1, 2, 0).ok() && !sampler->possible(0) && sampler->possible(1), "reserved");
  std::vector<int64_t> hits(4);
  for (int i = 0; i < 4000; ++i) ++hits[static_cast<size_t>(draw(*sampler, {}).classes[0])];
  CHECK(hits[0] == 0 && hits[3] > hits[2] && hits[2] > hits[1] && hits[1] > 400, "frequencies");
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
  test_golden_vectors();
  test_large_ranges();
  test_all_classes();
  test_learning_stops_at_the_limit();
  test_fixed_unigram();
  test_mindspore();
  test_threads();
  return finish("samplers");
}
