// Fills the table of one instruction set from the templates. Included last by kernels/<instruction set>.cc, inside its
// anonymous namespace.

template <class S>
static constexpr Kernels<typename S::T> kernels_of() {
  using T = typename S::T;
  return {S::MR,          2 * S::L,      convert<T>,         pack_tile<S>,       pack_strip<S>,
          pack_panels<S>, logits<S>,     row_max<S>,         exponentials<S>,    logistic<S>,
          exps,           logs,          input_gradients<S>, class_gradients<S>, column_sums<S>,
          dot<S>,         add_scaled<S>, scaled<S>,          sum_rows<S>,        unpack_strip<S>};
}
