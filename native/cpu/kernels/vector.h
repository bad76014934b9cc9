// What the vector types of all instruction sets have in common, on the compiler's vector extension. Included by
// kernels/<instruction set>.cc inside its anonymous namespace, before fma and MR are defined for them.

template <class Element, class Integer, int Lanes>
struct Vector {
  using T = Element;
  typedef Element V __attribute__((vector_size(sizeof(Element) * Lanes)));
  typedef Integer I __attribute__((vector_size(sizeof(Integer) * Lanes)));
  typedef Element Unaligned __attribute__((vector_size(sizeof(Element) * Lanes), aligned(alignof(Element)), may_alias));
  static constexpr int L = Lanes;
  // Elements of 16 bytes, a piece of a vector.
  static constexpr int kPiece = 16 / sizeof(Element);
  // Dims beyond whole vectors are few where they are better taken as rows of a panel than as part of a vector.
  static constexpr int kFew = Lanes / 4;
  // Whether a multiply-add broadcasts an element of memory itself where that is its operand.
  static constexpr bool kBroadcastsInPlace = false;

  static inline __attribute__((always_inline)) V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static inline __attribute__((always_inline)) void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  // As many elements of another type.
  template <class Other>
  static inline __attribute__((always_inline)) V convert(const Other* p) {
    typedef Other Others __attribute__((vector_size(sizeof(Other) * Lanes), aligned(alignof(Other)), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Others*>(p), V);
  }
  // From the piece at element i of each of the rows 0, kPiece, 2 * kPiece ... of `pieces` such; the rest is undefined.
  static inline __attribute__((always_inline)) V load_pieces(const T* const* rows, int64_t i, int) {
    static_assert(Lanes == kPiece, "vectors of more define their own");
    return load(*rows + i);
  }
  static inline __attribute__((always_inline)) V set1(T x) { return x - V{}; }
  static inline __attribute__((always_inline)) V zero() { return V{}; }

  // Each lane plus the one `Distance` further on, around the end.
  template <int Distance>
  static inline __attribute__((always_inline)) V folded(V v) {
    I other;
    for (int i = 0; i < Lanes; ++i) other[i] = (i + Distance) % Lanes;
    return v + __builtin_shuffle(v, other);
  }
  static inline __attribute__((always_inline)) T sum(V v) {
    if constexpr (Lanes > 8) v = folded<8>(v);
    if constexpr (Lanes > 4) v = folded<4>(v);
    if constexpr (Lanes > 2) v = folded<2>(v);
    return folded<1>(v)[0];
  }

  // Transposes the squares of Size x Size elements that Size vectors hold, side by side, in place: each step
  // interleaves every vector of the first half with its counterpart in the second, and log2(Size) such perfect shuffles
  // make a transposition. Squares of a piece take the cheapest shuffles.
  template <int Size>
  static inline __attribute__((always_inline)) void transpose(V (&rows)[Size]) {
    I low, high;
    for (int i = 0; i < Lanes; ++i) {
      low[i] = i / Size * Size + i % Size / 2 + (i % 2) * Lanes;
      high[i] = low[i] + Size / 2;
    }
#pragma GCC unroll 4
    for (int step = 1; step < Size; step *= 2) {
      V next[Size];
#pragma GCC unroll 8
      for (int i = 0; i < Size / 2; ++i) {
        next[2 * i] = __builtin_shuffle(rows[i], rows[i + Size / 2], low);
        next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + Size / 2], high);
      }
#pragma GCC unroll 16
      for (int i = 0; i < Size; ++i) rows[i] = next[i];
    }
  }
};

// The sum of the lanes of each of L vectors.
template <class S>
static inline __attribute__((always_inline)) typename S::V sums_of_each(typename S::V (&vectors)[S::L]) {
  S::transpose(vectors);
  for (int width = S::L / 2; width; width /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < width; ++i) vectors[i] += vectors[i + width];
  }
  return vectors[0];
}
