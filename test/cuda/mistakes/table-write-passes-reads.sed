# file: table.cc
# kernel: none
# A call that writes a table waits for the last write, and not for the reads since.
s/for \(size_t i = 0; use\.writes \&\& error/for (size_t i = 0; false \&\& error/
