// What the vector types of all instruction sets have in common, on the compiler's vector extension. Included by
// kernels/<instruction set>.cc inside its anonymous namespace, after vector_lanes, and before fma is defined for it.

template <class Element, class Integer, int Lanes>
struct Vector {
  using T = Element;
  typedef Element V __attribute__((vector_size(sizeof(Element) * Lanes)));
  typedef Integer I __attribute__((vector_size(sizeof(Integer) * Lanes)));
  typedef Element Unaligned __attribute__((vector_size(sizeof(Element) * Lanes), aligned(alignof(Element)), may_alias));
  static constexpr int L = Lanes;

  static inline __attribute__((always_inline)) V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static inline __attribute__((always_inline)) void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static inline __attribute__((always_inline)) V set1(T x) { return x - V{}; }
  static inline __attribute__((always_inline)) V zero() { return V{}; }
};
