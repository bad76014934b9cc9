# file: loss_call.cc
# kernel: none
# Every chunk of columns but the first goes one row too early.
s/ \+ columns\.begin\) \* p\.dim/ + columns.begin - (columns.begin > 0)) * p.dim/
s/ \+ columns\.begin : nullptr/ + columns.begin - (columns.begin > 0) : nullptr/
